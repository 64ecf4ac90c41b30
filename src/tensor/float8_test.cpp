#include "tensor/float8.h"

#include <gtest/gtest.h>

#include <cmath>

namespace orrery {
namespace {

TEST(Float8, SpellsEveryNumberAsTheSpecificationDoes) {
  for (int code = 0; code < 256; ++code) {
    const auto bits = static_cast<uint8_t>(code);
    const int exponent = code >> 3 & 15, mantissa = code & 7;
    const double magnitude =
        exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(1 + mantissa / 8.0, exponent - 7);
    const float value = e4m3_to_f32(bits);
    if ((code & 0x7F) == 0x7F) {
      EXPECT_TRUE(std::isnan(value));
      continue;
    }
    EXPECT_EQ(value, code < 128 ? magnitude : -magnitude) << code;
    EXPECT_EQ(std::signbit(value), code >= 128) << code;
    EXPECT_EQ(f32_to_e4m3(value), bits);
  }
}

TEST(Float8, RoundsToTheNearestTiesToEven) {
  for (int code = 0; code < 0x7E; ++code) {
    const float low = e4m3_to_f32(static_cast<uint8_t>(code));
    const float high = e4m3_to_f32(static_cast<uint8_t>(code + 1));
    const float middle = (low + high) / 2;  // exact
    EXPECT_EQ(f32_to_e4m3(middle), code + code % 2) << code;
    EXPECT_EQ(f32_to_e4m3(std::nextafter(middle, 0.0F)), code) << code;
    EXPECT_EQ(f32_to_e4m3(std::nextafter(middle, 500.0F)), code + 1) << code;
    EXPECT_EQ(f32_to_e4m3(-std::nextafter(middle, 500.0F)), (code + 1) | 0x80) << code;
  }
}

TEST(Float8, SaturatesAndKeepsNaN) {
  EXPECT_EQ(f32_to_e4m3(449.0F), 0x7E);
  EXPECT_EQ(f32_to_e4m3(-1e30F), 0xFE);
  EXPECT_EQ(f32_to_e4m3(INFINITY), 0x7E);
  EXPECT_EQ(f32_to_e4m3(NAN) & 0x7F, 0x7F);
  EXPECT_EQ(f32_to_e4m3(1e-30F), 0);
}

}  // namespace
}  // namespace orrery
