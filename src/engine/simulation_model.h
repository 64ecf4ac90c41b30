// SimulationModel: a model whose next token is a hash of the whole context, read through the block
// tables from a fake KV cache.
//
// What a slot holds depends on all tokens before it, and each answer on all slots of the context.
// So a block that is aliased, stale, freed too early or not copied changes the answer.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/scheduler.h"

namespace orrery::engine {

class SimulationModel {
 public:
  static constexpr int32_t kVocabulary = 200;
  static constexpr int32_t kEos = 0;

  SimulationModel(int32_t num_blocks, int32_t sliding_window);

  // Makes the plan's copies, writes its tokens, and returns a token for each request that samples.
  // Errors: kInternal, a write that would reach someone else.
  Result<std::vector<StepOutput>> run(const StepPlan& plan, const KvCacheManager& kv);
  // Fills all that nobody holds and nobody can find with rubbish.
  void poison(const KvCacheManager& kv);

  // What a request's next token would be if it were alone, after the first `num_tokens` of
  // `token_ids`, for each num_tokens from `first` to the end.
  std::vector<int32_t> solo(std::span<const int32_t> token_ids, int32_t first,
                            const PrefixSpace& space) const;

 private:
  Status write(const ScheduledRequest& scheduled, const KvCacheManager& kv);
  int32_t read(const ScheduledRequest& scheduled) const;
  int32_t first_seen(int32_t position) const;
  uint64_t& slot(const Request& request, int32_t position);

  std::vector<uint64_t> slots_;
  int32_t sliding_window_;
  uint64_t num_poisoned_ = 0;
};

}  // namespace orrery::engine
