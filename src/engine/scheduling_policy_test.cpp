#include "engine/scheduling_policy.h"

#include <gmock/gmock.h>

#include <map>

#include "engine/scheduler_for_tests.h"

namespace orrery::engine {
namespace {

using testing::ElementsAre;

class SchedulingPolicyTest : public SchedulerTest {
 protected:
  // One at a time, so that the order of admission shows.
  static SchedulerOptions one_by_one(PolicyKind policy) {
    SchedulerOptions options = small();
    options.max_num_seqs = 1;
    options.policy = policy;
    return options;
  }
  std::vector<uint32_t> order_of_admission() {
    std::vector<uint32_t> order;
    while (scheduler_->has_unfinished()) {
      const StepPlan& plan = schedule();
      for (const trace::Event& e : decisions(plan, trace::EventKind::kAdmitted)) {
        order.push_back(e.request);
      }
      update(plan);
    }
    return order;
  }
};

TEST_F(SchedulingPolicyTest, ServesWhoComesFirst) {
  create(one_by_one(PolicyKind::kFcfs));
  for (const uint32_t id : {5, 3, 9}) add(request(id, 8, 2));
  EXPECT_THAT(order_of_admission(), ElementsAre(5, 3, 9));
}

TEST_F(SchedulingPolicyTest, ServesTheSmallerPriorityFirstAndEqualOnesByArrival) {
  create(one_by_one(PolicyKind::kPriority));
  const std::map<uint32_t, int32_t> priorities = {{1, 5}, {2, -1}, {3, 5}, {4, 0}, {5, -1}};
  for (const auto& [id, priority] : priorities) {
    NewRequest r = request(id, 8, 2);
    r.priority = priority;
    add(std::move(r));
  }
  EXPECT_THAT(order_of_admission(), ElementsAre(2, 5, 4, 1, 3));
}

TEST_F(SchedulingPolicyTest, PreemptsTheLessImportantForTheMoreImportant) {
  SchedulerOptions options = small();
  options.policy = PolicyKind::kPriority;
  options.kv.num_blocks = 8;
  create(options);
  NewRequest unimportant = request(1, 30, 60);
  unimportant.priority = 9;
  add(std::move(unimportant));
  step();
  add(request(2, 30, 60));
  run_to_the_end();
  int64_t num_preempted = 0;
  for (const trace::Event& e : log_.events()) {
    if (e.kind != trace::EventKind::kPreempted) continue;
    EXPECT_EQ(e.request, 1U);
    ++num_preempted;
  }
  EXPECT_GT(num_preempted, 0);
}

TEST_F(SchedulingPolicyTest, SharesTheWorkAmongTenantsByTheirWeights) {
  SchedulerOptions options = one_by_one(PolicyKind::kFair);
  options.tenant_weights = {{1, 1}, {2, 3}};
  create(options);
  // Tenant 1 floods first.
  for (uint32_t id = 1; id <= 40; ++id) {
    NewRequest r = request(id, 8, 2);
    r.tenant = 1;
    add(std::move(r));
  }
  for (uint32_t id = 101; id <= 140; ++id) {
    NewRequest r = request(id, 8, 2);
    r.tenant = 2;
    add(std::move(r));
  }
  const std::vector<uint32_t> order = order_of_admission();
  const auto num_second =
      std::count_if(order.begin(), order.begin() + 40, [](uint32_t id) { return id > 100; });
  EXPECT_NEAR(static_cast<double>(num_second), 30, 1);
}

TEST_F(SchedulingPolicyTest, GivesBackToATenantWhatItDidNotUse) {
  create(one_by_one(PolicyKind::kFair));
  NewRequest greedy = request(1, 8, 400);
  greedy.tenant = 1;
  add(std::move(greedy));
  schedule();
  scheduler_->update(std::vector<StepOutput>{{1, 0, FinishReason::kStop}});
  NewRequest again = request(2, 8, 2);
  again.tenant = 1;
  add(std::move(again));
  NewRequest other = request(3, 100, 2);
  other.tenant = 2;
  add(std::move(other));
  NewRequest third = request(4, 8, 2);
  third.tenant = 2;
  add(std::move(third));
  // Request 2 starts 9 tokens after the beginning, not 408; only request 4 comes later.
  EXPECT_THAT(order_of_admission(), ElementsAre(3, 2, 4));
}

}  // namespace
}  // namespace orrery::engine
