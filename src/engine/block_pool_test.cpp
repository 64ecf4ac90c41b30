#include "engine/block_pool.h"

#include <gtest/gtest.h>

#include <vector>

namespace orrery::engine {
namespace {

std::vector<int32_t> take_all(BlockPool& pool) {
  std::vector<int32_t> blocks;
  while (pool.num_free() > 0) blocks.push_back(pool.take());
  return blocks;
}

TEST(BlockPool, GivesOutEveryBlockOnce) {
  BlockPool pool(4);
  EXPECT_EQ(take_all(pool), (std::vector<int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(pool.num_used(), 4);
  EXPECT_TRUE(pool.check_integrity().ok());
}

TEST(BlockPool, KeepsABlockUntilItsLastUserHasLeft) {
  BlockPool pool(2);
  const int32_t block = pool.take();
  pool.retain(block);
  pool.release(block, false);
  EXPECT_EQ(pool.num_free(), 1);
  EXPECT_EQ(pool.ref_count(block), 1);
  pool.release(block, false);
  EXPECT_EQ(pool.num_free(), 2);
  EXPECT_TRUE(pool.check_integrity().ok());
}

TEST(BlockPool, EvictsTheLeastRecentlyFreedAndWorthlessBlocksFirst) {
  BlockPool pool(4);
  take_all(pool);
  pool.release(2, true);
  pool.release(0, true);
  pool.release(3, false);
  pool.release(1, true);
  EXPECT_EQ(pool.num_cached(), 3);
  EXPECT_EQ(take_all(pool), (std::vector<int32_t>{3, 2, 0, 1}));
  EXPECT_EQ(pool.num_cached(), 0);
}

TEST(BlockPool, TakesACachedBlockBackIntoUseFromTheMiddleOfTheList) {
  BlockPool pool(3);
  take_all(pool);
  for (int32_t block = 0; block < 3; ++block) pool.release(block, true);
  pool.retain(1);
  EXPECT_EQ(pool.ref_count(1), 1);
  EXPECT_EQ(pool.num_cached(), 2);
  EXPECT_TRUE(pool.check_integrity().ok());
  EXPECT_EQ(take_all(pool), (std::vector<int32_t>{0, 2}));
}

TEST(BlockPoolDeathTest, StopsAtAReleaseTooMany) {
  BlockPool pool(2);
  const int32_t block = pool.take();
  pool.release(block, false);
  EXPECT_DEATH(pool.release(block, false), "has no user");
}

TEST(BlockPoolDeathTest, StopsWhenNothingIsLeft) {
  BlockPool pool(1);
  pool.take();
  EXPECT_DEATH(pool.take(), "num_free_ > 0");
}

}  // namespace
}  // namespace orrery::engine
