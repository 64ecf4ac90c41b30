// A scheduler and short words for what the tests do with it.
#pragma once

#include <gtest/gtest.h>

#include <numeric>
#include <span>
#include <vector>

#include "engine/scheduler.h"

namespace orrery::engine {

class SchedulerTest : public testing::Test {
 protected:
  static SchedulerOptions small() {
    SchedulerOptions options;
    options.max_num_batched_tokens = 64;
    options.max_num_seqs = 8;
    options.max_model_len = 512;
    options.kv.num_blocks = 64;
    return options;
  }
  void create(const SchedulerOptions& options) {
    auto created = Scheduler::create(options, log_);
    ASSERT_TRUE(created.ok()) << created.status().message();
    scheduler_ = std::move(created).value();
  }

  // Tokens first, first + 1, ...
  static std::vector<int32_t> tokens(int32_t count, int32_t first) {
    std::vector<int32_t> result(static_cast<size_t>(count));
    std::iota(result.begin(), result.end(), first);
    return result;
  }
  // A request whose prompt no other shares, unless `first` says so.
  static NewRequest request(uint32_t id, int32_t num_prompt_tokens, int32_t max_tokens,
                            int32_t first = -1) {
    NewRequest r;
    r.id = id;
    r.prompt_token_ids =
        tokens(num_prompt_tokens, first >= 0 ? first : static_cast<int32_t>(id) * 1000);
    r.max_tokens = max_tokens;
    return r;
  }
  void add(NewRequest r) {
    const Status status = scheduler_->add_request(std::move(r));
    ASSERT_TRUE(status.ok()) << status.message();
  }

  const StepPlan& schedule() { return scheduler_->schedule(); }
  // Every request that samples gets this token.
  void update(const StepPlan& plan, int32_t token = 7) {
    std::vector<StepOutput> outputs;
    for (const ScheduledRequest& s : plan.scheduled) {
      if (s.samples) outputs.push_back({s.request->id, token, FinishReason::kNone});
    }
    scheduler_->update(outputs);
  }
  void step() { update(schedule()); }
  void run_to_the_end(int max_steps = 10'000) {
    while (scheduler_->has_unfinished()) {
      ASSERT_GT(max_steps--, 0) << "it never ends";
      step();
    }
  }

  // Tokens scheduled for a request in the plan.
  static int32_t scheduled(const StepPlan& plan, uint32_t id) {
    for (const ScheduledRequest& s : plan.scheduled) {
      if (s.request->id == id) return s.num_scheduled_tokens;
    }
    return 0;
  }
  static std::vector<uint32_t> ids(const StepPlan& plan) {
    std::vector<uint32_t> result;
    for (const ScheduledRequest& s : plan.scheduled) result.push_back(s.request->id);
    return result;
  }
  static std::vector<trace::Event> decisions(const StepPlan& plan, trace::EventKind kind) {
    std::vector<trace::Event> result;
    for (const trace::Event& e : plan.decisions) {
      if (e.kind == kind) result.push_back(e);
    }
    return result;
  }
  const Request& get(uint32_t id) const { return *scheduler_->find(id); }
  KvUsage usage() const { return scheduler_->kv().usage(); }

  trace::EventList log_;
  std::unique_ptr<Scheduler> scheduler_;
};

}  // namespace orrery::engine
