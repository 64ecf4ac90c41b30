#include "tensor/float16.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace orrery {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Every pair of neighbouring finite numbers a < b of the 16-bit format: a and b convert to
// themselves, their midpoint to the even one, and what lies beside the midpoint to the nearer one.
template <typename Widen, typename Narrow>
void check_rounding(uint16_t first_infinity, float past_largest, Widen widen, Narrow narrow) {
  for (uint32_t sign : {0U, 0x8000U}) {
    for (uint32_t i = 0; i < first_infinity; ++i) {
      const auto low = static_cast<uint16_t>(sign | i);
      const auto high = static_cast<uint16_t>(sign | (i + 1));
      const float a = widen(low);
      // Beyond the largest number lies the power of two that rounds to infinity.
      const float b = i + 1 == first_infinity ? (sign ? -past_largest : past_largest) : widen(high);
      ASSERT_EQ(narrow(a), low) << a;
      const auto middle = static_cast<float>((static_cast<double>(a) + static_cast<double>(b)) / 2);
      if (!std::isfinite(middle) || middle == b) continue;  // not a float of its own
      ASSERT_EQ(narrow(middle), i % 2 == 0 ? low : high) << "between " << a << " and " << b;
      ASSERT_EQ(narrow(std::nextafter(middle, a)), low) << "between " << a << " and " << b;
      ASSERT_EQ(narrow(std::nextafter(middle, b)), high) << "between " << a << " and " << b;
    }
  }
}

TEST(Float16, HalfRoundsToNearestTiesToEven) {
  check_rounding(0x7C00, 65536.0F, f16_to_f32, f32_to_f16);
  EXPECT_EQ(f32_to_f16(65519.996F), 0x7BFF);
  EXPECT_EQ(f32_to_f16(65520.0F), 0x7C00);
  EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::max()), 0x7C00);
}

TEST(Float16, BfloatRoundsToNearestTiesToEven) {
  check_rounding(0x7F80, kInfinity, bf16_to_f32, f32_to_bf16);
  EXPECT_EQ(f32_to_bf16(std::numeric_limits<float>::max()), 0x7F80);
}

TEST(Float16, KnownValues) {
  EXPECT_EQ(f16_to_f32(0x0001), 0x1p-24F);
  EXPECT_EQ(f16_to_f32(0x03FF), 1023 * 0x1p-24F);
  EXPECT_EQ(f16_to_f32(0x0400), 0x1p-14F);
  EXPECT_EQ(f16_to_f32(0x3C00), 1.0F);
  EXPECT_EQ(f16_to_f32(0xC000), -2.0F);
  EXPECT_EQ(f16_to_f32(0x7BFF), 65504.0F);
  EXPECT_TRUE(std::signbit(f16_to_f32(0x8000)));
  EXPECT_EQ(f32_to_f16(0x1p-25F), 0);  // halfway to the smallest: to even
  EXPECT_EQ(f32_to_f16(0x1.8p-25F), 1);
  EXPECT_EQ(f32_to_f16(-1e-30F), 0x8000);
  EXPECT_EQ(bf16_to_f32(0x3F80), 1.0F);
  EXPECT_EQ(f32_to_bf16(1.0F + 0x1p-8F), 0x3F80);  // halfway: to even
  EXPECT_EQ(f32_to_bf16(1e-45F), 0);
}

TEST(Float16, InfinitiesStayAndNanStaysNan) {
  EXPECT_EQ(f16_to_f32(0x7C00), kInfinity);
  EXPECT_EQ(f16_to_f32(0xFC00), -kInfinity);
  EXPECT_EQ(f32_to_f16(-kInfinity), 0xFC00);
  EXPECT_EQ(f32_to_bf16(kInfinity), 0x7F80);
  for (uint32_t payload : {1U, 0x1FFFU, 0x2000U, 0x400000U, 0x7FFFFFU}) {
    const auto nan = std::bit_cast<float>(0x7F800000U | payload);
    EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(nan)))) << payload;
    EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(nan)))) << payload;
    EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(-nan)))) << payload;
  }
  for (uint32_t i = 0x7C01; i < 0x8000; ++i) {
    ASSERT_TRUE(std::isnan(f16_to_f32(static_cast<uint16_t>(i)))) << i;
  }
}

}  // namespace
}  // namespace orrery
