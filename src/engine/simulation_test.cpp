#include "engine/simulation.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/sanitizers.h"

namespace orrery::engine {
namespace {

#ifdef NDEBUG
constexpr uint64_t kSeeds = kSanitized ? 500 : 10'000;
#else
constexpr uint64_t kSeeds = 500;
#endif

// The sum over seeds first .. first + count − 1; stops at the first that fails.
SimulationStats run_seeds(uint64_t first, uint64_t count) {
  SimulationStats sum;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const auto stats = simulate(seed);
    if (!stats.ok()) {
      ADD_FAILURE() << stats.status().message() << "\nrepeat with: ORRERY_SIMULATION_SEED=" << seed
                    << " engine_test --gtest_filter=Simulation.*";
      break;
    }
    sum.add(*stats);
  }
  return sum;
}

TEST(Simulation, GivesEveryRequestItsSoloAnswerThroughAllHistories) {
  if (const char* seed = std::getenv("ORRERY_SIMULATION_SEED"); seed != nullptr) {
    run_seeds(std::stoull(seed), 1);
    return;
  }
  const SimulationStats sum = run_seeds(1, kSeeds);
  // The histories must meet what they are there to test.
  EXPECT_GT(sum.num_completed, static_cast<int64_t>(kSeeds) * 5);
  EXPECT_GT(sum.num_preemptions, static_cast<int64_t>(kSeeds) / 2);
  EXPECT_GT(sum.num_aborted, static_cast<int64_t>(kSeeds) / 2);
  EXPECT_GT(sum.num_failed, static_cast<int64_t>(kSeeds) / 10);
  EXPECT_GT(sum.num_refused, static_cast<int64_t>(kSeeds) / 10);
  EXPECT_GT(sum.num_forks, static_cast<int64_t>(kSeeds));
  EXPECT_GT(sum.num_copies, static_cast<int64_t>(kSeeds));
  EXPECT_GT(sum.num_cached_tokens, static_cast<int64_t>(kSeeds) * 10);
  EXPECT_LE(sum.max_preemptions, 4);
  fmt::print(
      "{} seeds: {} requests and {} forks in {} steps; {} completed, {} aborted, {} failed, "
      "{} refused; {} preemptions, at most {} of one; {} copies, {} tokens from the cache\n",
      kSeeds, sum.num_requests, sum.num_forks, sum.num_steps, sum.num_completed, sum.num_aborted,
      sum.num_failed, sum.num_refused, sum.num_preemptions, sum.max_preemptions, sum.num_copies,
      sum.num_cached_tokens);
}

TEST(Simulation, IsTheSameHistoryEachTime) {
  const auto once = simulate(42);
  const auto again = simulate(42);
  ASSERT_TRUE(once.ok() && again.ok());
  EXPECT_EQ(once->num_steps, again->num_steps);
  EXPECT_EQ(once->num_copies, again->num_copies);
  EXPECT_EQ(once->num_cached_tokens, again->num_cached_tokens);
}

// Dies, by its own message or a failed CHECK, as soon as a seed goes wrong.
void die_when_caught(Fault fault, uint64_t num_seeds) {
  for (uint64_t seed = 1; seed <= num_seeds; ++seed) {
    const auto stats = simulate(seed, fault);
    CHECK(stats.ok()) << "caught: " << stats.status().message();
  }
}

using SimulationDeathTest = testing::Test;

TEST(SimulationDeathTest, CatchesAUserThatIsNotCounted) {
  EXPECT_DEATH(die_when_caught(Fault::kForgetsRetain, 10), "");
}
TEST(SimulationDeathTest, CatchesAUserThatIsNotDiscounted) {
  EXPECT_DEATH(die_when_caught(Fault::kForgetsRelease, 10), "");
}
TEST(SimulationDeathTest, CatchesACopyThatIsNotMade) {
  EXPECT_DEATH(die_when_caught(Fault::kForgetsCopy, 10), "caught");
}
TEST(SimulationDeathTest, CatchesAWriteIntoASharedBlock) {
  EXPECT_DEATH(die_when_caught(Fault::kWritesShared, 10), "caught");
}
TEST(SimulationDeathTest, CatchesAHashThatIsTrusted) {
  EXPECT_DEATH(die_when_caught(Fault::kTrustsHash, 10), "caught");
}

}  // namespace
}  // namespace orrery::engine
