// A seeded history through the scheduler and the KV manager, with a model whose every answer
// depends on the whole context.
//
// The seed decides the options (pool, budget, policy, switches, a hash of 4 bits), the requests
// (which share prefixes), and what happens to them: arrivals in bursts, requests that can never
// fit, aborts before and during a step, forks, requests and steps that fail. After each step:
// free + used + cached = total, reference counts equal the tables' uses, no write reaches a shared
// or cached block, budgets hold. At the end every block is back, and every answer is that of a run
// alone.
#pragma once

#include <cstdint>

#include "engine/fault.h"
#include "engine/scheduler.h"

namespace orrery::engine {

struct SimulationStats {
  int64_t num_steps = 0;
  int64_t num_requests = 0;
  int64_t num_completed = 0;  // stopped or reached their length
  int64_t num_aborted = 0;
  int64_t num_failed = 0;
  int64_t num_refused = 0;
  int64_t num_forks = 0;
  int64_t num_preemptions = 0;
  int64_t num_copies = 0;
  int64_t num_cached_tokens = 0;
  int32_t max_preemptions = 0;  // of one request

  void add(const SimulationStats& other);
};

// Errors: kInternal, the first thing that was wrong, and in which step.
Result<SimulationStats> simulate(uint64_t seed, Fault fault = Fault::kNone);

// What must hold after each step. Errors: kInternal.
Status check_invariants(const Scheduler& scheduler);

}  // namespace orrery::engine
