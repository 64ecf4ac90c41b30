#include "engine/scheduler.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "engine/scheduler_for_tests.h"

namespace orrery::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using trace::EventKind;
using trace::Reason;

TEST_F(SchedulerTest, CutsAPromptIntoChunksOfTheBudget) {
  create(small());
  add(request(1, 150, 4));
  for (const int32_t chunk : {64, 64, 22}) {
    const StepPlan& plan = schedule();
    EXPECT_EQ(scheduled(plan, 1), chunk);
    EXPECT_EQ(plan.scheduled[0].samples, chunk == 22);
    update(plan);
  }
  EXPECT_EQ(scheduled(schedule(), 1), 1);
}

TEST_F(SchedulerTest, NeverLetsALongPromptKeepADecodeWaiting) {
  create(small());
  add(request(1, 300, 4));
  step();
  add(request(2, 10, 20));
  while (get(1).num_output_tokens() == 0) step();
  step();
  ASSERT_EQ(get(2).num_new_tokens(), 1);
  add(request(3, 300, 4));
  for (int i = 0; i < 3; ++i) {
    const StepPlan& plan = schedule();
    EXPECT_EQ(scheduled(plan, 2), 1);
    EXPECT_EQ(plan.num_scheduled_tokens, 64);
    update(plan);
  }
}

TEST_F(SchedulerTest, ReservesForTheWholePromptAtAdmission) {
  create(small());
  add(request(1, 500, 4));
  step();
  EXPECT_EQ(get(1).num_computed_tokens, 64);
  EXPECT_EQ(get(1).kv.block_table.size(), 32U);
  // 32 of 64 blocks are left, one of them kept for request 1: not enough for another such prompt.
  add(request(2, 500, 4));
  for (int i = 0; i < 7; ++i) step();
  EXPECT_EQ(get(2).status, RequestStatus::kWaiting);
  EXPECT_EQ(get(2).wait.reason, Reason::kBlocks);
  EXPECT_EQ(get(2).wait.needed, 32);
  EXPECT_EQ(get(2).wait.available, 31);
}

TEST_F(SchedulerTest, RefusesAtTheDoorWhatCanNeverFitWithTheNumbers) {
  SchedulerOptions options = small();
  options.kv.num_blocks = 4;
  create(options);
  const Status never_fits = scheduler_->add_request(request(1, 60, 6));
  EXPECT_EQ(never_fits.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(never_fits.message(), HasSubstr("needs 5 KV blocks for 65 tokens, there are 4"));
  const Status too_long = scheduler_->add_request(request(2, 500, 13));
  EXPECT_EQ(too_long.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(too_long.message(), HasSubstr("expected at most 512, got 500 + 13"));
  EXPECT_FALSE(scheduler_->add_request(request(3, 0, 1)).ok());
  EXPECT_FALSE(scheduler_->add_request(request(4, 1, 0)).ok());
  EXPECT_FALSE(scheduler_->has_unfinished());
  EXPECT_EQ(log_.events()[0].reason, Reason::kNeverFits);
  EXPECT_EQ(log_.events()[1].reason, Reason::kTooLong);
  EXPECT_EQ(log_.events()[2].reason, Reason::kInvalid);
  add(request(5, 60, 5));  // exactly 4 blocks: the last token is never stored
  run_to_the_end();
  EXPECT_EQ(get(5).num_output_tokens(), 5);
}

TEST_F(SchedulerTest, RefusesSettingsThatCannotWork) {
  SchedulerOptions options = small();
  options.max_num_batched_tokens = 7;
  const auto created = Scheduler::create(options, log_);
  ASSERT_FALSE(created.ok());
  EXPECT_THAT(created.status().message(), HasSubstr("max_num_seqs (8), got 7"));
  options = small();
  options.kv.reservation = KvReservation::kContiguous;
  EXPECT_FALSE(Scheduler::create(options, log_).ok());
  options = small();
  options.tenant_weights = {{1, 0}};
  EXPECT_FALSE(Scheduler::create(options, log_).ok());
}

TEST_F(SchedulerTest, TellsWhyARequestWaits) {
  SchedulerOptions options = small();
  options.max_num_seqs = 1;
  create(options);
  add(request(1, 100, 2));
  add(request(2, 10, 2));
  add(request(3, 10, 2));
  update(schedule());
  EXPECT_EQ(get(2).wait.reason, Reason::kSequences);
  EXPECT_EQ(get(3).wait.reason, Reason::kBehindOthers);
  // Told once, not in every step.
  EXPECT_TRUE(decisions(schedule(), EventKind::kWaiting).empty());
}

TEST_F(SchedulerTest, PreemptsTheCheapestVictimWhenBlocksRunOut) {
  SchedulerOptions options = small();
  options.max_num_batched_tokens = 512;
  options.kv.num_blocks = 12;
  create(options);
  add(request(1, 63, 60));
  add(request(2, 47, 60));
  add(request(3, 15, 60));
  step();  // 4 + 3 + 1 blocks
  add(request(4, 1, 60));
  step();  // and one more
  ASSERT_EQ(get(4).status, RequestStatus::kRunning);
  run_to_the_end();
  // Request 4 has the fewest tokens to recompute.
  const auto first = std::find_if(log_.events().begin(), log_.events().end(),
                                  [](const auto& e) { return e.kind == EventKind::kPreempted; });
  ASSERT_NE(first, log_.events().end());
  EXPECT_EQ(first->request, 4U);
  EXPECT_EQ(usage().used, 0);
}

TEST_F(SchedulerTest, TellsWhomItPreemptedForWhomAndWhatItCosts) {
  SchedulerOptions options = small();
  options.kv.num_blocks = 4;
  options.kv.enable_prefix_caching = false;
  create(options);
  add(request(1, 16, 40));
  add(request(2, 14, 30));
  for (int i = 0; i < 200 && scheduler_->num_preemptions() == 0; ++i) step();
  const auto found = std::find_if(log_.events().begin(), log_.events().end(),
                                  [](const auto& e) { return e.kind == EventKind::kPreempted; });
  ASSERT_NE(found, log_.events().end());
  EXPECT_EQ(found->request, 2U);
  EXPECT_EQ(found->reason, Reason::kCheapest);
  EXPECT_EQ(found->value[1], 2);  // blocks gained
  EXPECT_EQ(found->value[2], 1);  // for request 1
  EXPECT_EQ(found->value[3], 1);  // its first preemption
}

TEST_F(SchedulerTest, LeavesARequestAloneAfterThreePreemptions) {
  SchedulerOptions options = small();
  options.kv.num_blocks = 10;
  options.kv.enable_prefix_caching = false;
  options.policy = PolicyKind::kPriority;
  create(options);
  NewRequest victim = request(1, 10, 120);
  victim.priority = 9;
  add(std::move(victim));
  uint32_t id = 1;
  while (get(1).status != RequestStatus::kFinished) {
    ASSERT_LT(id, 100U) << "more important requests keep it out for ever";
    if (scheduler_->find(id) == nullptr || id == 1) add(request(++id, 10, 100));
    step();
  }
  EXPECT_EQ(get(1).num_preemptions, Scheduler::kMaxPreemptions);
  EXPECT_EQ(get(1).num_output_tokens(), 120);
}

TEST_F(SchedulerTest, FinishesEverythingWithATenthOfTheBlocksNeededTogether) {
  SchedulerOptions options = small();
  options.max_num_seqs = 64;
  options.kv.num_blocks = 64;  // 64 requests of up to 10 blocks
  create(options);
  for (uint32_t id = 1; id <= 64; ++id) add(request(id, 40 + static_cast<int32_t>(id), 100));
  run_to_the_end();
  int32_t num_finished = 0;
  for (const trace::Event& e : log_.events()) {
    if (e.kind != EventKind::kFinished) continue;
    EXPECT_EQ(e.reason, Reason::kLength);
    EXPECT_LE(e.value[2], 4);
    ++num_finished;
  }
  EXPECT_EQ(num_finished, 64);
  EXPECT_EQ(usage().used, 0);
}

TEST_F(SchedulerTest, FreesEveryBlockOfAnAbortInEveryState) {
  create(small());
  EXPECT_FALSE(scheduler_->abort(9));
  add(request(1, 100, 10));
  EXPECT_TRUE(scheduler_->abort(1));  // waiting
  EXPECT_FALSE(scheduler_->abort(1));
  add(request(2, 100, 10));
  step();
  EXPECT_EQ(get(2).num_computed_tokens, 64);
  EXPECT_TRUE(scheduler_->abort(2));  // between chunks
  EXPECT_EQ(usage().used, 0);
  add(request(3, 10, 10));
  step();
  ASSERT_TRUE(scheduler_->fork(3, 4, get(3).token_ids).ok());
  EXPECT_TRUE(scheduler_->abort(3));  // a sequence of several
  EXPECT_EQ(usage().used, 1);
  const StepPlan& plan = schedule();
  EXPECT_TRUE(scheduler_->abort(4));  // while the step runs
  EXPECT_EQ(usage().used, 0);
  update(plan);
  EXPECT_EQ(get(4).num_output_tokens(), 1);
  EXPECT_FALSE(scheduler_->has_unfinished());
}

TEST_F(SchedulerTest, EndsOnlyTheRequestThatFailed) {
  create(small());
  add(request(1, 16, 10));
  add(request(2, 16, 10));
  schedule();
  scheduler_->update(std::vector<StepOutput>{{1, 0, FinishReason::kError}, {2, 5, {}}});
  EXPECT_EQ(get(1).finish_reason, FinishReason::kError);
  EXPECT_EQ(get(2).num_output_tokens(), 1);
  // What the failed one computed cannot be found.
  add(request(3, 17, 10, 1000));
  step();
  EXPECT_EQ(get(3).num_cached_tokens, 0);
}

TEST_F(SchedulerTest, EndsAllThatWasScheduledWhenAStepFails) {
  create(small());
  add(request(1, 16, 10));
  add(request(2, 64, 10));
  schedule();
  scheduler_->fail_step();
  EXPECT_EQ(get(1).finish_reason, FinishReason::kError);
  EXPECT_EQ(get(2).finish_reason, FinishReason::kError);
  EXPECT_EQ(usage().used + usage().cached, 0);
}

TEST_F(SchedulerTest, WaitsForTheLongestWithStaticBatches) {
  SchedulerOptions options = small();
  options.static_batches = true;
  options.max_num_seqs = 2;
  create(options);
  add(request(1, 4, 2));
  add(request(2, 4, 10));
  add(request(3, 4, 2));
  for (int i = 0; i < 10; ++i) {
    const StepPlan& plan = schedule();
    EXPECT_EQ(scheduled(plan, 3), 0);
    update(plan);
  }
  EXPECT_EQ(get(3).wait.reason, Reason::kBatchRunning);
  EXPECT_THAT(ids(schedule()), ElementsAre(3));
}

TEST_F(SchedulerTest, ComputesTheWholeSequenceAtEachTokenWhenAsked) {
  SchedulerOptions options = small();
  options.recompute_each_step = true;
  EXPECT_FALSE(Scheduler::create(options, log_).ok());  // a cached prefix would spare the work
  options.kv.enable_prefix_caching = false;
  create(options);
  add(request(1, 20, 3));
  for (int32_t length = 20; length < 23; ++length) {
    const StepPlan& plan = schedule();
    EXPECT_EQ(scheduled(plan, 1), length);
    update(plan);
  }
  EXPECT_FALSE(scheduler_->has_unfinished());
}

TEST_F(SchedulerTest, ComputesPromptsInOnePieceWhenAsked) {
  SchedulerOptions options = small();
  options.chunked_prefill = false;
  create(options);  // the budget holds the longest prompt beside a token of each that runs
  const int32_t budget = scheduler_->options().max_num_batched_tokens;
  EXPECT_GE(budget, options.max_model_len + options.max_num_seqs);
  const int32_t length = budget / 2 + 1;
  add(request(1, length, 2));
  add(request(2, length, 2));
  const StepPlan& plan = schedule();
  EXPECT_EQ(scheduled(plan, 1), length);
  EXPECT_EQ(scheduled(plan, 2), 0);
  EXPECT_EQ(get(2).wait.reason, Reason::kTokenBudget);
  update(plan);
  EXPECT_EQ(scheduled(schedule(), 2), length);
}

TEST_F(SchedulerTest, ReservesTheWholeLengthInOnePieceWhenAsked) {
  SchedulerOptions options = small();
  options.kv.reservation = KvReservation::kContiguous;
  options.kv.enable_prefix_caching = false;
  options.max_model_len = 256;
  create(options);  // 64 blocks: four pieces of 16
  for (uint32_t id = 1; id <= 6; ++id) add(request(id, 8, 4));
  const StepPlan& plan = schedule();
  EXPECT_EQ(plan.num_running, 4);
  EXPECT_EQ(usage().used, 64);
  for (const ScheduledRequest& s : plan.scheduled) {
    const std::vector<int32_t>& table = s.request->kv.block_table;
    ASSERT_EQ(table.size(), 16U);
    for (int32_t i = 0; i < 16; ++i) EXPECT_EQ(table[static_cast<size_t>(i)], table[0] + i);
  }
  EXPECT_EQ(get(5).wait.reason, Reason::kBlocks);
  update(plan);
  EXPECT_EQ(scheduler_->num_unfilled_slots(), 4 * (256 - 8));
  run_to_the_end();
  EXPECT_EQ(usage().used, 0);
}

TEST_F(SchedulerTest, PlansCopiesForAForkInOnePiece) {
  SchedulerOptions options = small();
  options.kv.reservation = KvReservation::kContiguous;
  options.kv.enable_prefix_caching = false;
  options.max_model_len = 256;
  create(options);
  add(request(1, 20, 10));
  step();
  ASSERT_TRUE(scheduler_->fork(1, 2, get(1).token_ids).ok());
  const StepPlan& plan = schedule();
  ASSERT_EQ(plan.copies.size(), 2U);
  EXPECT_EQ(plan.copies[1].from, get(1).kv.block_table[1]);
  EXPECT_EQ(plan.copies[1].to, get(2).kv.block_table[1]);
}

}  // namespace
}  // namespace orrery::engine
