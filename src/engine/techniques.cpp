#include "engine/techniques.h"

#include <algorithm>

namespace orrery::engine {
namespace {

// Tokens of one step up to which a whole prompt may be computed at once though a step was planned
// for fewer: a step's memory grows with them.
constexpr int64_t kMaxWholePrompt = 8192;

}  // namespace

int32_t bits_of(const Techniques& techniques) {
  uint32_t bits = 0;
  for (size_t i = 0; i < kTechniqueFields.size(); ++i)
    bits |= static_cast<uint32_t>(techniques.*kTechniqueFields[i].on) << i;
  return static_cast<int32_t>(bits);
}

Techniques techniques_from_bits(int32_t bits) {
  Techniques techniques;
  for (size_t i = 0; i < kTechniqueFields.size(); ++i)
    techniques.*kTechniqueFields[i].on = (static_cast<uint32_t>(bits) >> i & 1) != 0;
  return techniques;
}

Techniques techniques_of(const SchedulerOptions& options) {
  Techniques techniques;
  techniques.paging = options.kv.reservation == KvReservation::kPaged;
  techniques.kv_cache = !options.recompute_each_step;
  techniques.prefix_cache = options.kv.enable_prefix_caching;
  techniques.continuous_batching = !options.static_batches;
  techniques.chunked_prefill = options.chunked_prefill;
  return techniques;
}

Result<SchedulerOptions> with_techniques(SchedulerOptions asked, const Techniques& techniques) {
  const int64_t whole_prompt = int64_t{asked.max_model_len} + asked.max_num_seqs;
  if (asked.chunked_prefill && !techniques.chunked_prefill &&
      whole_prompt > std::max<int64_t>(kMaxWholePrompt, asked.max_num_batched_tokens)) {
    return resource_exhausted(
        "chunked prefill: a step was planned for {} tokens; without it, it may come to {}, of "
        "which at most {} are safe",
        asked.max_num_batched_tokens, whole_prompt, kMaxWholePrompt);
  }
  asked.kv.reservation = techniques.paging ? KvReservation::kPaged : KvReservation::kContiguous;
  asked.recompute_each_step = !techniques.kv_cache;
  asked.kv.enable_prefix_caching = techniques.prefix_cache;
  asked.static_batches = !techniques.continuous_batching;
  asked.chunked_prefill = techniques.chunked_prefill;
  return Scheduler::resolve(std::move(asked));
}

}  // namespace orrery::engine
