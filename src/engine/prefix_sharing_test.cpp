// What requests share, as the scheduler and the KV manager do it together.
#include <gmock/gmock.h>

#include "engine/scheduler_for_tests.h"

namespace orrery::engine {
namespace {

using testing::ElementsAre;
using trace::EventKind;
using trace::Reason;

class PrefixSharing : public SchedulerTest {};

TEST_F(PrefixSharing, ComputesACachedPrefixOnlyOnce) {
  create(small());
  add(request(1, 40, 1, 0));
  run_to_the_end();
  EXPECT_EQ(usage().cached, 2);  // the third block is not full
  add(request(2, 50, 2, 0));
  const StepPlan& plan = schedule();
  EXPECT_EQ(scheduled(plan, 2), 18);
  EXPECT_EQ(get(2).num_cached_tokens, 32);
}

TEST_F(PrefixSharing, ComputesOneTokenOfAPromptThatIsWhollyCached) {
  create(small());
  add(request(1, 32, 1, 0));
  run_to_the_end();
  add(request(2, 32, 2, 0));
  const StepPlan& plan = schedule();
  EXPECT_EQ(scheduled(plan, 2), 1);
  EXPECT_EQ(get(2).num_cached_tokens, 31);
  // The last block is written, so it is a copy of the cached one.
  ASSERT_EQ(plan.copies.size(), 1U);
  EXPECT_EQ(plan.copies[0].to, get(2).kv.block_table[1]);
  EXPECT_NE(plan.copies[0].from, plan.copies[0].to);
}

TEST_F(PrefixSharing, TakesTheCachedBlockItselfWhenThereIsNoOtherForTheCopy) {
  SchedulerOptions options = small();
  options.kv.num_blocks = 2;
  create(options);
  add(request(1, 32, 1, 0));
  run_to_the_end();
  add(request(2, 32, 1, 0));
  const StepPlan& plan = schedule();
  EXPECT_EQ(scheduled(plan, 2), 1);
  EXPECT_TRUE(plan.copies.empty());
  update(plan);
  EXPECT_TRUE(scheduler_->kv().check_integrity().ok());
}

TEST_F(PrefixSharing, LetsRequestsThatArriveTogetherComputeTheirPrefixOnce) {
  SchedulerOptions options = small();
  options.max_num_batched_tokens = 256;
  create(options);
  for (uint32_t id = 1; id <= 4; ++id) {
    NewRequest r = request(id, 48, 3, 0);
    r.prompt_token_ids.push_back(static_cast<int32_t>(id));
    add(std::move(r));
  }
  const StepPlan& first = schedule();
  EXPECT_THAT(ids(first), ElementsAre(1));
  EXPECT_EQ(get(2).wait.reason, Reason::kPrefixPending);
  EXPECT_EQ(get(2).wait.for_request, 1U);
  update(first);
  const StepPlan& second = schedule();
  EXPECT_EQ(second.num_scheduled_tokens, 4);  // one of each: a decode, and three ends of prompts
  EXPECT_EQ(usage().used, 3 + 4);
}

TEST_F(PrefixSharing, DoesNotHoldBackWhoNeedsNothingOfThePendingPrefix) {
  SchedulerOptions options = small();
  options.max_num_batched_tokens = 256;
  create(options);
  add(request(1, 48, 3, 0));
  add(request(2, 48, 3, 0));
  add(request(3, 48, 3, 5000));
  EXPECT_THAT(ids(schedule()), ElementsAre(1, 3));
}

TEST_F(PrefixSharing, GoesOnAloneWhenTheOneThatComputedThePrefixIsAborted) {
  create(small());
  add(request(1, 200, 3, 0));
  add(request(2, 200, 3, 0));
  step();
  EXPECT_EQ(get(2).status, RequestStatus::kWaiting);
  EXPECT_TRUE(scheduler_->abort(1));
  const StepPlan& plan = schedule();
  EXPECT_EQ(scheduled(plan, 2), 64);
  EXPECT_EQ(get(2).num_cached_tokens, 64);  // what request 1 had finished
}

TEST_F(PrefixSharing, SharesNothingBetweenSaltsOrAdapters) {
  create(small());
  add(request(1, 33, 1, 0));
  run_to_the_end();
  NewRequest salted = request(2, 33, 1, 0);
  salted.space.cache_salt = 1;
  NewRequest adapted = request(3, 33, 1, 0);
  adapted.space.adapter_id = 1;
  add(std::move(salted));
  step();
  EXPECT_EQ(get(2).num_cached_tokens, 0);
  add(std::move(adapted));
  step();
  EXPECT_EQ(get(3).num_cached_tokens, 0);
}

TEST_F(PrefixSharing, ReusesNothingWhenSwitchedOff) {
  SchedulerOptions options = small();
  options.kv.enable_prefix_caching = false;
  create(options);
  add(request(1, 33, 1, 0));
  run_to_the_end();
  EXPECT_EQ(usage().cached, 0);
  add(request(2, 33, 1, 0));
  EXPECT_EQ(scheduled(schedule(), 2), 33);
}

TEST_F(PrefixSharing, FindsOutputsToo) {
  create(small());
  add(request(1, 16, 17, 0));
  run_to_the_end();
  NewRequest next_turn = request(2, 16, 1, 0);
  next_turn.prompt_token_ids.insert(next_turn.prompt_token_ids.end(), 20, 7);
  add(std::move(next_turn));
  step();
  EXPECT_EQ(get(2).num_cached_tokens, 32);
}

TEST_F(PrefixSharing, EvictsTheEndOfAPrefixBeforeItsBeginning) {
  SchedulerOptions options = small();
  options.kv.num_blocks = 5;
  create(options);
  add(request(1, 64, 1, 0));
  run_to_the_end();
  add(request(2, 32, 1));  // takes the free block and one of the four
  run_to_the_end();
  add(request(3, 64, 1, 0));
  step();
  EXPECT_EQ(get(3).num_cached_tokens, 48);
}

TEST_F(PrefixSharing, LetsTheBestCachedGoFirstWithinTheBound) {
  SchedulerOptions options = small();
  options.max_num_seqs = 1;
  options.max_times_passed = 2;
  create(options);
  add(request(1, 32, 1, 0));
  run_to_the_end();
  add(request(2, 32, 1));
  for (uint32_t id = 3; id <= 6; ++id) add(request(id, 40, 1, 0));
  std::vector<uint32_t> order;
  while (scheduler_->has_unfinished()) {
    const StepPlan& plan = schedule();
    for (const uint32_t id : ids(plan)) order.push_back(id);
    update(plan);
  }
  EXPECT_THAT(order, ElementsAre(3, 4, 2, 5, 6));
}

TEST_F(PrefixSharing, CopiesTheSharedBlockOfAForkForTheFirstThatWrites) {
  create(small());
  add(request(1, 20, 10));
  step();
  std::vector<int32_t> other = get(1).token_ids;
  other.back() = 99;
  ASSERT_TRUE(scheduler_->fork(1, 2, other).ok());
  EXPECT_EQ(usage().used, 2);
  const StepPlan& plan = schedule();
  EXPECT_EQ(scheduled(plan, 1), 1);
  EXPECT_EQ(scheduled(plan, 2), 1);
  ASSERT_EQ(plan.copies.size(), 1U);  // the second one is the only user by then
  EXPECT_EQ(usage().used, 3);
  EXPECT_EQ(get(1).kv.block_table[0], get(2).kv.block_table[0]);
  EXPECT_NE(get(1).kv.block_table[1], get(2).kv.block_table[1]);
}

TEST_F(PrefixSharing, RefusesAForkThatIsNoContinuation) {
  create(small());
  add(request(1, 20, 2));
  EXPECT_EQ(scheduler_->fork(9, 2, tokens(20, 0)).code(), StatusCode::kNotFound);
  EXPECT_EQ(scheduler_->fork(1, 2, tokens(20, 5)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(scheduler_->fork(1, 1, tokens(20, 1000)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(scheduler_->fork(1, 2, tokens(22, 1000)).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(scheduler_->fork(1, 2, tokens(21, 1000)).ok());
  run_to_the_end();
}

TEST_F(PrefixSharing, FreesWhatTheSlidingWindowHasLeft) {
  SchedulerOptions options = small();
  options.kv.sliding_window = 32;
  create(options);
  add(request(1, 10, 200));
  for (int i = 0; i < 150; ++i) step();
  EXPECT_EQ(get(1).num_computed_tokens, 159);
  EXPECT_LE(usage().used, 3);  // 32 tokens and the one to come lie in at most three blocks
  EXPECT_EQ(get(1).kv.block_table[7], kNoBlock);  // up to position 127
  EXPECT_NE(get(1).kv.block_table[8], kNoBlock);  // 128 is seen by 159
  run_to_the_end();
  EXPECT_EQ(usage().used, 0);
}

TEST_F(PrefixSharing, TellsInTheTraceWhatHappenedToEachBlock) {
  create(small());
  add(request(1, 32, 1, 0));
  run_to_the_end();
  const auto count = [this](EventKind kind) {
    return std::count_if(log_.events().begin(), log_.events().end(),
                         [kind](const trace::Event& e) { return e.kind == kind; });
  };
  EXPECT_EQ(count(EventKind::kBlockTaken), 2);
  EXPECT_EQ(count(EventKind::kBlockCached), 2);
  EXPECT_EQ(count(EventKind::kBlockFreed), 2);
  add(request(2, 32, 1, 0));
  run_to_the_end();
  EXPECT_EQ(count(EventKind::kBlockShared), 1);
  EXPECT_EQ(count(EventKind::kBlockCopied), 1);
  EXPECT_EQ(count(EventKind::kFinished), 2);
}

}  // namespace
}  // namespace orrery::engine
