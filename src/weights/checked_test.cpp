#include "weights/checked.h"

#include <gtest/gtest.h>

namespace orrery::weights {
namespace {

constexpr uint64_t kMax = CheckedSize::kMax;

TEST(CheckedSize, KeepsSizesBelow2To63) {
  EXPECT_EQ((CheckedSize(3) * 5 + 7).value(), 22U);
  EXPECT_EQ(CheckedSize(kMax).value(), kMax);
  EXPECT_EQ((CheckedSize(uint64_t{1} << 31) * (uint64_t{1} << 31)).value(), uint64_t{1} << 62);
  EXPECT_EQ(CheckedSize(33).aligned(32).value(), 64U);
  EXPECT_EQ(CheckedSize(64).aligned(32).value(), 64U);
  EXPECT_TRUE(CheckedSize(5).at_most(5));
  EXPECT_FALSE(CheckedSize(6).at_most(5));
}

TEST(CheckedSize, OverflowSticksToTheWholeExpression) {
  EXPECT_FALSE(CheckedSize(kMax + 1).ok());
  EXPECT_FALSE((CheckedSize(kMax) + 1).ok());
  EXPECT_FALSE((CheckedSize(uint64_t{1} << 32) * (uint64_t{1} << 32)).ok());
  EXPECT_FALSE((CheckedSize(uint64_t{1} << 32) * (uint64_t{1} << 32) * 0).ok());
  EXPECT_FALSE((CheckedSize(~uint64_t{0}) + 1).ok());  // would wrap to 0
  EXPECT_FALSE(CheckedSize(kMax).aligned(32).ok());
  EXPECT_FALSE((CheckedSize(kMax) + 1).at_most(~uint64_t{0}));
}

TEST(CheckedSizeDeathTest, UsingAnOverflownSizeIsABug) {
  EXPECT_DEATH((void)(CheckedSize(kMax) + 1).value(), "overflown");
}

}  // namespace
}  // namespace orrery::weights
