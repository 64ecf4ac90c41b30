#include "kernels/exp.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace orrery::kernels {
namespace {

// |got − e^x| in units of the last place of the nearest fp32.
double error_in_ulps(float x) {
  const double expected = std::exp(static_cast<double>(x));
  int exponent = 0;
  std::frexp(expected, &exponent);
  return std::abs(static_cast<double>(exp_f32(x)) - expected) / std::ldexp(1.0, exponent - 24);
}

TEST(Exp, IsWithinOneUlpOfTheExponential) {
  double worst = 0;
  for (float limit : {kExpMin, kExpMax}) {
    const uint32_t end = std::bit_cast<uint32_t>(limit);
    for (uint32_t bits = end & 0x80000000; bits <= end; bits += 997)
      worst = std::max(worst, error_in_ulps(std::bit_cast<float>(bits)));
  }
  EXPECT_LE(worst, 1.0);
  RecordProperty("worst_ulps", std::to_string(worst));
}

TEST(Exp, IsExactAtZeroAndAtTheEnds) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(exp_f32(0.0F), 1.0F);
  EXPECT_EQ(exp_f32(-0.0F), 1.0F);
  EXPECT_EQ(exp_f32(-kInfinity), 0.0F);
  EXPECT_EQ(exp_f32(kInfinity), kInfinity);
  EXPECT_EQ(exp_f32(std::nextafter(kExpMin, -kInfinity)), 0.0F);
  EXPECT_EQ(exp_f32(std::nextafter(kExpMax, kInfinity)), kInfinity);
  EXPECT_EQ(exp_f32(-1e30F), 0.0F);
  EXPECT_EQ(exp_f32(1e30F), kInfinity);
  EXPECT_TRUE(std::isnan(exp_f32(std::numeric_limits<float>::quiet_NaN())));
}

TEST(Exp, GivesNoSubnormals) { EXPECT_GE(exp_f32(kExpMin), std::numeric_limits<float>::min()); }

}  // namespace
}  // namespace orrery::kernels
