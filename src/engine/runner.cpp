#include "engine/runner.h"

namespace orrery::engine {

constexpr int64_t kBlock = kernels::KvCache::kBlockSize;

Runner::Runner(const model::Model& model, kernels::Kernels& kernels, KvMemory kv)
    : model_(&model), context_(std::make_unique<model::Context>(kernels)), kv_(std::move(kv)) {}

Result<Runner> Runner::create(const model::Model& model, kernels::Kernels& kernels, DType kv_dtype,
                              int64_t max_tokens) {
  ASSIGN_OR_RETURN(KvMemory kv, KvMemory::allocate(model.config(), kv_dtype,
                                                   (max_tokens + kBlock - 1) / kBlock));
  return Runner(model, kernels, std::move(kv));
}

void Runner::gather(std::span<const int32_t> token_ids, LogitsOf logits_of) {
  const auto count = static_cast<int64_t>(token_ids.size());
  batch_.clear();
  batch_.token_ids.assign(token_ids.begin(), token_ids.end());
  for (int64_t i = 0; i < count; ++i) {
    batch_.positions.push_back(static_cast<int32_t>(num_tokens_ + i));
    batch_.slot_mapping.push_back(num_tokens_ + i);
    if (logits_of == LogitsOf::kEveryToken) batch_.logits_rows.push_back(static_cast<int32_t>(i));
  }
  if (logits_of == LogitsOf::kLastToken)
    batch_.logits_rows.push_back(static_cast<int32_t>(count - 1));
  batch_.query_start_loc.push_back(static_cast<int32_t>(count));
  batch_.seq_lens.push_back(static_cast<int32_t>(num_tokens_ + count));
  batch_.max_blocks_per_seq =
      kv_.num_blocks();  // the only sequence: block b of it is block b of the pool
  for (int64_t b = 0; b < kv_.num_blocks(); ++b)
    batch_.block_tables.push_back(static_cast<int32_t>(b));
  batch_.kv = kv_.layers();
}

Result<Tensor> Runner::append(std::span<const int32_t> token_ids, LogitsOf logits_of) {
  CHECK(!token_ids.empty());
  const auto count = static_cast<int64_t>(token_ids.size());
  if (num_tokens_ + count > max_tokens()) {
    return resource_exhausted("sequence: expected at most {} tokens, got {}", max_tokens(),
                              num_tokens_ + count);
  }
  gather(token_ids, logits_of);
  const auto scope =
      context_->scope();  // the logits stay readable until the next pass reuses the memory
  const Tensor logits = model_->forward(*context_, batch_);
  num_tokens_ += count;
  most_tokens_ = std::max(most_tokens_, num_tokens_);
  return logits;
}

}  // namespace orrery::engine
