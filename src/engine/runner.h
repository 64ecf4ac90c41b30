// Runner: one sequence alone through a model, token after token, its keys and values in a paged
// cache of its own.
//
// What benchmarks of single requests and tests of models use. One thread. The model and the
// kernels must outlive it.
#pragma once

#include <cstdint>
#include <span>

#include "base/status.h"
#include "engine/kv_memory.h"
#include "model/model.h"

namespace orrery::engine {

enum class LogitsOf { kLastToken, kEveryToken, kNone };

class Runner {
 public:
  // Room for `max_tokens`. Errors as KvMemory::allocate.
  static Result<Runner> create(const model::Model& model, kernels::Kernels& kernels, DType kv_dtype,
                               int64_t max_tokens);

  // Computes the next tokens of the sequence in one pass. Ids must be in the vocabulary. Returns
  // logits [1 or T, V] (no rows for kNone), which live until the next call. Errors:
  // kResourceExhausted if the sequence would outgrow max_tokens.
  Result<Tensor> append(std::span<const int32_t> token_ids, LogitsOf logits_of);

  // Goes on after `num_tokens`, which must not be more than were ever computed.
  void rewind(int64_t num_tokens) {
    CHECK(num_tokens <= most_tokens_);
    num_tokens_ = num_tokens;
  }

  int64_t num_tokens() const { return num_tokens_; }
  int64_t max_tokens() const { return kv_.num_blocks() * kernels::KvCache::kBlockSize; }
  const KvMemory& kv() const { return kv_; }
  size_t scratch_bytes() const { return context_->scratch_bytes(); }

 private:
  Runner(const model::Model& model, kernels::Kernels& kernels, KvMemory kv);
  void gather(std::span<const int32_t> token_ids, LogitsOf logits_of);

  const model::Model* model_;
  std::unique_ptr<model::Context> context_;
  KvMemory kv_;
  model::Batch batch_;
  int64_t num_tokens_ = 0;
  int64_t most_tokens_ = 0;  // whose keys and values the cache holds
};

}  // namespace orrery::engine
