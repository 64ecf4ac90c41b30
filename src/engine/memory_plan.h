// The memory of a run, planned before anything is loaded: weights, activations, the pool of KV
// blocks, and what is left.
//
// The pool has as many blocks as were asked for (`num_kv_blocks`), or as fit into the bytes given
// (`kv_cache_memory_bytes`), or else as max_num_seqs requests of max_model_len tokens need, but no
// more than nine tenths of the memory that this process may use leave beside weights and
// activations. Pages are touched as blocks are used, so an unused pool costs address space only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/config.h"
#include "weights/checkpoint.h"
#include "weights/memory_limits.h"

namespace orrery::engine {

struct MemoryOptions {
  std::optional<int64_t> max_model_len;  // none: the trained length, or as much of it as fits
  int64_t max_num_batched_tokens = 2048;
  int64_t max_num_seqs = 256;
  DType kv_dtype = DType::kBF16;
  std::optional<DType> quantise_to;  // weights::packed_dtype
  std::optional<int64_t> kv_cache_memory_bytes;
  std::optional<int64_t> num_kv_blocks;  // goes before the bytes
};

struct MemoryPlan {
  struct Weights {
    std::string dtype;  // "q4_k"
    int64_t tensors = 0;
    int64_t bytes = 0;  // as packed
  };
  std::vector<Weights> weights;  // largest first
  int64_t weight_bytes = 0;
  int64_t activation_bytes = 0;  // of a step of max_num_batched_tokens
  int64_t max_num_batched_tokens = 0;

  DType kv_dtype = DType::kBF16;
  int64_t kv_bytes_per_token = 0;  // keys and values of all layers
  int64_t kv_bytes_per_block = 0;
  int64_t num_kv_blocks = 0;
  int64_t kv_bytes = 0;  // of the pool

  int64_t max_model_len = 0;       // as asked for, or what fits
  bool shortened = false;          // below the trained length, because no more fits
  int64_t blocks_per_request = 0;  // of max_model_len tokens
  // Requests of max_model_len that the pool holds at once.
  double full_requests() const {
    return blocks_per_request == 0
               ? 0
               : static_cast<double>(num_kv_blocks) / static_cast<double>(blocks_per_request);
  }

  int64_t needed_bytes = 0;     // all of the above together
  int64_t available_bytes = 0;  // that this process may use
  std::string available_source;
  int64_t left_bytes() const {
    return available_bytes - needed_bytes;
  }  // negative if it cannot fit

  bool fits = false;
  std::string verdict;  // one sentence with the numbers
  // kResourceExhausted with the verdict if it does not fit.
  Status status() const;
  // Aligned lines, each ending in a newline, for people.
  std::string table() const;
};

// Reads headers only. Sizes that leave 63 bits saturate, and so do not fit.
MemoryPlan plan_memory(const weights::Checkpoint& checkpoint, const model::ModelConfig& config,
                       const MemoryOptions& options, const weights::MemoryLimits& limits);

// "2GiB", "512 MiB", "1.5G", "100000": units are binary, with or without "iB" or "B". Errors:
// kInvalidArgument for anything else, for nothing, and for more than 2^62 bytes.
Result<int64_t> parse_bytes(std::string_view text);

}  // namespace orrery::engine
