// StepPlan: what one step runs, and why.
//
// The engine first makes the copies, in order, whether or not there are tokens to run; then it runs
// the scheduled tokens; then it reports to Scheduler::update. Valid until the next schedule().
#pragma once

#include <cstdint>
#include <vector>

#include "engine/request.h"
#include "trace/event.h"

namespace orrery::engine {

// All keys and values of block `from`, in every layer.
struct BlockCopy {
  int32_t from;
  int32_t to;
};

struct ScheduledRequest {
  // The tokens are token_ids[num_computed_tokens, num_computed_tokens + num_scheduled_tokens) of
  // the request, their slots are in its kv.block_table.
  const Request* request;
  int32_t num_scheduled_tokens;
  bool samples;  // its last token is scheduled: a next one is to be drawn
};

struct StepPlan {
  uint64_t step = 0;
  std::vector<BlockCopy> copies;
  std::vector<ScheduledRequest> scheduled;
  int32_t num_scheduled_tokens = 0;
  int32_t num_running = 0;
  int32_t num_waiting = 0;
  // Who was admitted, preempted, stalled, and whose reason for waiting has changed.
  std::vector<trace::Event> decisions;
};

// What came of one scheduled request that samples, in the plan's order.
struct StepOutput {
  uint32_t request = 0;
  int32_t token = 0;
  FinishReason finish = FinishReason::kNone;  // kStop after this token; kError: there is no token
};

}  // namespace orrery::engine
