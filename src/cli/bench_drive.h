// drive(): a list of requests through the engine, or through its scheduler alone, and what came of
// it. What does not depend on the model's speed (requests held at once, steps, blocks) is the same
// either way.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "engine/engine.h"

namespace orrery::cli {

struct Work {
  double arrival_s = 0;
  std::vector<int32_t> prompt;
  int32_t output_tokens = 1;  // generated whatever they are
};

// Sums over the steps of a run.
struct StepSums {
  int64_t steps = 0;
  int64_t held = 0;        // requests running
  int64_t slots = 0;       // of the KV cache that are reserved for them
  int64_t filled = 0;      // and that hold a token
  int64_t ahead = 0;       // and that are in blocks beyond those of the tokens that are known
  int64_t pool_slots = 0;  // all that there are
  int64_t output_tokens = 0;
  double seconds = 0;

  double mean_held() const { return static_cast<double>(held) / static_cast<double>(steps); }
  double filled_of_reserved() const {
    return static_cast<double>(filled) / static_cast<double>(slots);
  }
  double ahead_of_reserved() const {
    return static_cast<double>(ahead) / static_cast<double>(slots);
  }
  double mean_unfilled() const {
    return static_cast<double>(slots - filled) / static_cast<double>(steps);
  }
  double reserved_of_pool() const {
    return static_cast<double>(slots) / static_cast<double>(pool_slots);
  }
  double output_tokens_per_s() const { return static_cast<double>(output_tokens) / seconds; }
  double output_tokens_per_step() const {
    return static_cast<double>(output_tokens) / static_cast<double>(steps);
  }
};

struct StepRecord {
  int32_t num_tokens = 0;    // computed in it
  int32_t num_requests = 0;  // for which it computed
  double seconds = 0;
};

struct RunStats {
  StepSums all;
  StepSums busy;  // those steps after which requests still waited: the memory or the batch is full
  std::vector<StepRecord> steps;
  int64_t prompt_tokens = 0;
  int64_t computed_tokens = 0;
  int64_t cached_tokens = 0;  // of the prompts, found in the prefix cache
  int64_t preemptions = 0;
  int64_t refused = 0;
  int64_t peak_slots = 0;
  int32_t max_held = 0;
  double seconds = 0;
  std::vector<double> first_token_s;     // after arrival, of each request
  std::vector<double> between_tokens_s;  // of each token but the first
};

// The p-th percentile (0 to 100), by the nearest rank; 0 of nothing.
double percentile(std::vector<double> values, double p);
double mean(std::span<const double> values);

// What drive() drives. One thread.
class Drivable {
 public:
  virtual ~Drivable() = default;
  virtual Status add(uint32_t id, const Work& work) = 0;
  // Appends to `emitted` each request that got a token.
  virtual void step(std::vector<uint32_t>& emitted) = 0;
  virtual void abort(uint32_t id) = 0;
  virtual const engine::Scheduler& scheduler() const = 0;
};

// The tracer through which drive() learns what a step did; must outlive the Drivable.
class StepLog : public trace::TraceWriter {
 public:
  StepLog() { num_readers_ = 1; }
  int32_t num_tokens = 0, num_requests = 0, num_running = 0;  // of the last step
  int64_t cached_tokens = 0;                                  // of all requests so far
 private:
  void append(const trace::Event& event) override;
};

// Model, kernels and log must outlive it.
Result<std::unique_ptr<Drivable>> drive_engine(const model::Model& model, kernels::Kernels& kernels,
                                               engine::EngineOptions options, StepLog& log);
// No model: tokens are made up, time means nothing.
Result<std::unique_ptr<Drivable>> drive_scheduler(engine::SchedulerOptions options, StepLog& log);

struct DriveOptions {
  // Stop when the last request has been admitted, and abort what runs: steady state, without the
  // emptying of the batch at the end.
  bool until_all_admitted = false;
  bool count_refused = false;                 // or a refusal is an error
  std::function<void(double)> progress = {};  // of output tokens, from 0 to 1
};

// `work` is ordered by arrival. Waits for arrivals, and counts from them: a request that could not
// be looked at at once has waited.
Result<RunStats> drive(Drivable& drivable, StepLog& log, std::span<const Work> work,
                       const DriveOptions& options);

}  // namespace orrery::cli
