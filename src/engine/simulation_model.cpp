#include "engine/simulation_model.h"

#include <algorithm>

#include "engine/simulation_random.h"

namespace orrery::engine {
namespace {

uint64_t before_first(const PrefixSpace& space) {
  return mix(space.cache_salt + 1, space.adapter_id);
}
uint64_t slot_value(uint64_t previous, int32_t token) {
  return mix(previous, static_cast<uint64_t>(token));
}
int32_t token_of(uint64_t sum) {
  return static_cast<int32_t>(mix(sum) % SimulationModel::kVocabulary);
}

}  // namespace

SimulationModel::SimulationModel(int32_t num_blocks, int32_t sliding_window)
    : slots_(static_cast<size_t>(num_blocks) * kBlockSize), sliding_window_(sliding_window) {}

int32_t SimulationModel::first_seen(int32_t position) const {
  return sliding_window_ > 0 ? std::max(0, position - sliding_window_ + 1) : 0;
}

uint64_t& SimulationModel::slot(const Request& request, int32_t position) {
  const int32_t block = request.kv.block_table[static_cast<size_t>(position / kBlockSize)];
  return slots_[static_cast<size_t>(block) * kBlockSize +
                static_cast<size_t>(position % kBlockSize)];
}

Result<std::vector<StepOutput>> SimulationModel::run(const StepPlan& plan,
                                                     const KvCacheManager& kv) {
  for (const BlockCopy& copy : plan.copies) {
    std::copy_n(&slots_[static_cast<size_t>(copy.from) * kBlockSize], kBlockSize,
                &slots_[static_cast<size_t>(copy.to) * kBlockSize]);
  }
  // Last first: nobody may depend on what another one writes in the same step.
  for (size_t i = plan.scheduled.size(); i-- > 0;) {
    RETURN_IF_ERROR(write(plan.scheduled[i], kv));
  }
  std::vector<StepOutput> outputs;
  for (const ScheduledRequest& scheduled : plan.scheduled) {
    if (!scheduled.samples) continue;
    const int32_t token = read(scheduled);
    outputs.push_back(
        {scheduled.request->id, token, token == kEos ? FinishReason::kStop : FinishReason::kNone});
  }
  return outputs;
}

Status SimulationModel::write(const ScheduledRequest& scheduled, const KvCacheManager& kv) {
  const Request& request = *scheduled.request;
  int32_t position = request.num_computed_tokens;
  for (int32_t i = 0; i < scheduled.num_scheduled_tokens; ++i, ++position) {
    const auto index = static_cast<size_t>(position / kBlockSize);
    const std::vector<int32_t>& table = request.kv.block_table;
    if (index >= table.size() || table[index] == kNoBlock || kv.must_copy(table[index])) {
      return {StatusCode::kInternal,
              fmt::format("request {} writes position {} into a block that is missing, shared or "
                          "cached",
                          request.id, position)};
    }
    const uint64_t previous =
        position == 0 ? before_first(request.space) : slot(request, position - 1);
    slot(request, position) =
        slot_value(previous, request.token_ids[static_cast<size_t>(position)]);
  }
  return {};
}

int32_t SimulationModel::read(const ScheduledRequest& scheduled) const {
  const int32_t last = scheduled.request->num_computed_tokens + scheduled.num_scheduled_tokens - 1;
  uint64_t sum = 0;
  for (int32_t position = first_seen(last); position <= last; ++position) {
    sum = mix(sum, const_cast<SimulationModel*>(this)->slot(*scheduled.request, position));
  }
  return token_of(sum);
}

void SimulationModel::poison(const KvCacheManager& kv) {
  const auto num_blocks = static_cast<int32_t>(slots_.size()) / kBlockSize;
  for (int32_t block = 0; block < num_blocks; ++block) {
    const int32_t b = kv.pool_block(block);
    if (b >= kv.pool().num_blocks() || kv.pool().ref_count(b) > 0 || kv.must_copy(block)) continue;
    std::fill_n(&slots_[static_cast<size_t>(block) * kBlockSize], kBlockSize,
                mix(0xDEAD, ++num_poisoned_));
  }
}

std::vector<int32_t> SimulationModel::solo(std::span<const int32_t> token_ids, int32_t first,
                                           const PrefixSpace& space) const {
  std::vector<uint64_t> values;
  std::vector<int32_t> answers;
  uint64_t whole = 0;  // the sum over all positions, for a model without a window
  for (size_t i = 0; i < token_ids.size(); ++i) {
    values.push_back(slot_value(i == 0 ? before_first(space) : values.back(), token_ids[i]));
    whole = mix(whole, values.back());
    if (static_cast<int32_t>(i) + 1 < first) continue;
    uint64_t sum = 0;
    for (int32_t j = first_seen(static_cast<int32_t>(i));
         sliding_window_ > 0 && j <= static_cast<int32_t>(i); ++j) {
      sum = mix(sum, values[static_cast<size_t>(j)]);
    }
    answers.push_back(token_of(sliding_window_ > 0 ? sum : whole));
  }
  return answers;
}

}  // namespace orrery::engine
