// The 8-bit float e4m3 of the OCP specification (arXiv:2209.05433) as an integer: a sign, four bits
// of exponent (bias 7), three of mantissa; no infinity, the largest number 448, NaN 0x7F.
//
// Conversion rounds to nearest, ties to even, and saturates, as vLLM's fp8 cache does; NaN stays
// NaN.
#pragma once

#include <bit>
#include <cstdint>

namespace orrery {

inline uint8_t f32_to_e4m3(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint8_t>(bits >> 24 & 0x80);
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return static_cast<uint8_t>(sign | 0x7F);
  if (magnitude >= std::bit_cast<uint32_t>(448.0F)) return static_cast<uint8_t>(sign | 0x7E);
  if (magnitude < std::bit_cast<uint32_t>(0x1p-6F)) {  // subnormal: adding 2^14, whose last bit is
                                                       // worth 2^-9, rounds to it
    const float shifted = std::bit_cast<float>(magnitude) + 0x1p14F;
    return static_cast<uint8_t>(
        sign | (std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(0x1p14F)));
  }
  const uint32_t rounded = magnitude + 0x7FFFF + (magnitude >> 20 & 1);
  return static_cast<uint8_t>(sign | ((rounded - 0x3C000000) >> 20));
}

inline float e4m3_to_f32(uint8_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x80) << 24, magnitude = bits & 0x7F;
  if (magnitude == 0x7F) return std::bit_cast<float>(sign | 0x7FF00000);
  if (magnitude < 8) {  // magnitude · 2^-9, exact
    const float value = static_cast<float>(magnitude) * 0x1p-9F;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
  }
  return std::bit_cast<float>(sign | ((magnitude << 20) + 0x3C000000));
}

}  // namespace orrery
