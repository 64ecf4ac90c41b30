#include "cli/bench_drive.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <thread>
#include <utility>

namespace orrery::cli {
namespace {

using engine::kBlockSize;
using Clock = std::chrono::steady_clock;

class EngineDrive final : public Drivable {
 public:
  explicit EngineDrive(std::unique_ptr<engine::Engine> engine) : engine_(std::move(engine)) {}
  ~EngineDrive() override { engine_->abort_all(); }

  Status add(uint32_t id, const Work& work) override {
    engine::GenerationRequest request;
    request.request.id = id;
    request.request.prompt_token_ids = work.prompt;
    request.request.max_tokens = work.output_tokens;
    request.sampling.temperature = 0;
    request.ignore_eos = true;
    return engine_->add_request(std::move(request), [this](const engine::TokenEvent& event) {
      if (event.error.ok() && event.finish_reason != engine::FinishReason::kAborted) {
        emitted_.push_back(event.request);
      }
    });
  }
  void step(std::vector<uint32_t>& emitted) override {
    emitted_.clear();
    engine_->step();
    emitted.insert(emitted.end(), emitted_.begin(), emitted_.end());
  }
  void abort(uint32_t id) override { engine_->abort(id); }
  const engine::Scheduler& scheduler() const override { return engine_->scheduler(); }

 private:
  std::unique_ptr<engine::Engine> engine_;
  std::vector<uint32_t> emitted_;
};

class SchedulerDrive final : public Drivable {
 public:
  explicit SchedulerDrive(std::unique_ptr<engine::Scheduler> scheduler)
      : scheduler_(std::move(scheduler)) {}

  Status add(uint32_t id, const Work& work) override {
    engine::NewRequest request;
    request.id = id;
    request.prompt_token_ids = work.prompt;
    request.max_tokens = work.output_tokens;
    return scheduler_->add_request(std::move(request));
  }
  void step(std::vector<uint32_t>& emitted) override {
    outputs_.clear();
    for (const engine::ScheduledRequest& scheduled : scheduler_->schedule().scheduled) {
      if (!scheduled.samples) continue;
      outputs_.push_back({scheduled.request->id, 0, engine::FinishReason::kNone});
      emitted.push_back(scheduled.request->id);
    }
    scheduler_->update(outputs_);
  }
  void abort(uint32_t id) override { scheduler_->abort(id); }
  const engine::Scheduler& scheduler() const override { return *scheduler_; }

 private:
  std::unique_ptr<engine::Scheduler> scheduler_;
  std::vector<engine::StepOutput> outputs_;
};

// One run.
class Driver {
 public:
  Driver(Drivable& drivable, StepLog& log, std::span<const Work> work, const DriveOptions& options)
      : drivable_(drivable),
        log_(log),
        work_(work),
        options_(options),
        last_token_s_(work.size(), -1) {
    for (const Work& w : work) num_output_tokens_ += w.output_tokens;
  }

  Result<RunStats> run() {
    while (true) {
      RETURN_IF_ERROR(take_arrivals());
      if (drivable_.scheduler().has_unfinished()) {
        step();
      } else if (next_ < work_.size()) {
        std::this_thread::sleep_until(start_ +
                                      std::chrono::duration_cast<Clock::duration>(
                                          std::chrono::duration<double>(work_[next_].arrival_s)));
      } else {
        break;
      }
      if (options_.until_all_admitted && next_ == work_.size() && !waiting()) break;
    }
    stats_.seconds = now();
    for (uint32_t id = 1; id <= next_; ++id) drivable_.abort(id);
    stats_.cached_tokens = log_.cached_tokens;
    stats_.preemptions = drivable_.scheduler().num_preemptions();
    return std::move(stats_);
  }

 private:
  double now() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  bool waiting() const { return !drivable_.scheduler().waiting().empty(); }

  // Request number n is work_[n − 1].
  Status take_arrivals() {
    for (; next_ < work_.size() && work_[next_].arrival_s <= now(); ++next_) {
      const Status status = drivable_.add(static_cast<uint32_t>(next_ + 1), work_[next_]);
      if (!status.ok()) {
        if (!options_.count_refused) return status;
        ++stats_.refused;
        continue;
      }
      stats_.prompt_tokens += static_cast<int64_t>(work_[next_].prompt.size());
    }
    return {};
  }

  void step() {
    const double begin = now();
    emitted_.clear();
    drivable_.step(emitted_);
    const double end = now();
    for (const uint32_t id : emitted_) note_token(id, end);
    const engine::KvUsage usage = drivable_.scheduler().kv().usage();
    StepSums sums{.steps = 1,
                  .held = log_.num_running,
                  .slots = int64_t{usage.used} * kBlockSize,
                  .filled = 0,
                  .ahead = slots_ahead(),
                  .pool_slots = int64_t{usage.total} * kBlockSize,
                  .output_tokens = static_cast<int64_t>(emitted_.size()),
                  .seconds = end - begin};
    sums.filled = sums.slots - drivable_.scheduler().num_unfilled_slots();
    add(stats_.all, sums);
    if (waiting()) add(stats_.busy, sums);
    stats_.steps.push_back({log_.num_tokens, log_.num_requests, end - begin});
    stats_.computed_tokens += log_.num_tokens;
    stats_.peak_slots = std::max(stats_.peak_slots, sums.slots);
    stats_.max_held = std::max(stats_.max_held, log_.num_running);
    if (options_.progress) {
      options_.progress(static_cast<double>(stats_.all.output_tokens) /
                        static_cast<double>(num_output_tokens_));
    }
  }

  int64_t slots_ahead() const {
    int64_t blocks = 0;
    for (const engine::Request* request : drivable_.scheduler().running()) {
      blocks += static_cast<int64_t>(request->kv.block_table.size()) -
                engine::blocks_for(request->num_tokens());
    }
    return std::max<int64_t>(0, blocks) * kBlockSize;
  }

  void note_token(uint32_t id, double now_s) {
    double& last = last_token_s_[id - 1];
    if (last < 0) {
      stats_.first_token_s.push_back(now_s - work_[id - 1].arrival_s);
    } else {
      stats_.between_tokens_s.push_back(now_s - last);
    }
    last = now_s;
  }

  static void add(StepSums& to, const StepSums& s) {
    to.steps += s.steps;
    to.held += s.held;
    to.slots += s.slots;
    to.filled += s.filled;
    to.ahead += s.ahead;
    to.pool_slots += s.pool_slots;
    to.output_tokens += s.output_tokens;
    to.seconds += s.seconds;
  }

  Drivable& drivable_;
  StepLog& log_;
  std::span<const Work> work_;
  const DriveOptions& options_;
  const Clock::time_point start_ = Clock::now();
  RunStats stats_;
  size_t next_ = 0;
  std::vector<double> last_token_s_;
  std::vector<uint32_t> emitted_;
  int64_t num_output_tokens_ = 0;
};

}  // namespace

void StepLog::append(const trace::Event& event) {
  if (event.kind == trace::EventKind::kStepPlanned) {
    num_tokens = event.value[0];
    num_requests = event.value[1];
    num_running = event.value[2];
  } else if (event.kind == trace::EventKind::kFinished) {
    cached_tokens += event.value[3];
  }
}

double percentile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  const auto n = static_cast<double>(values.size());
  const auto rank = static_cast<ptrdiff_t>(std::clamp(std::ceil(p / 100 * n), 1.0, n)) - 1;
  std::nth_element(values.begin(), values.begin() + rank, values.end());
  return values[static_cast<size_t>(rank)];
}

double mean(std::span<const double> values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

Result<std::unique_ptr<Drivable>> drive_engine(const model::Model& model, kernels::Kernels& kernels,
                                               engine::EngineOptions options, StepLog& log) {
  ASSIGN_OR_RETURN(auto engine, engine::Engine::create(model, kernels, std::move(options), log));
  return std::unique_ptr<Drivable>(new EngineDrive(std::move(engine)));
}

Result<std::unique_ptr<Drivable>> drive_scheduler(engine::SchedulerOptions options, StepLog& log) {
  ASSIGN_OR_RETURN(auto scheduler, engine::Scheduler::create(std::move(options), log));
  return std::unique_ptr<Drivable>(new SchedulerDrive(std::move(scheduler)));
}

Result<RunStats> drive(Drivable& drivable, StepLog& log, std::span<const Work> work,
                       const DriveOptions& options) {
  return Driver(drivable, log, work, options).run();
}

}  // namespace orrery::cli
