// A token's keys or values of one head as 8-bit integers with one scale, for the kI8 cache.
//
// scale = max |x| / 127, q = x / scale rounded to nearest, ties to even: the error is at most half
// a scale, 0.4 % of the largest number. A token with a NaN or an infinity gets a scale that is not
// finite and so stays poisoned, as in the other formats.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace orrery::kernels {

inline float int8_scale(std::span<const float> x) {
  uint32_t largest = 0;  // magnitudes order as integers, NaN above all
  for (const float value : x) {
    const uint32_t magnitude = std::bit_cast<uint32_t>(value) & 0x7FFFFFFF;
    largest = largest > magnitude ? largest : magnitude;
  }
  return std::bit_cast<float>(largest) / 127.0F;
}

inline int8_t int8_code(float x, float scale) {
  const float q = x / scale;
  if (!(q > -127.5F && q < 127.5F)) {  // also NaN, of 0 / 0 and of a poisoned scale
    return static_cast<int8_t>(q > 0 ? 127 : q < 0 ? -127 : 0);
  }
  // Adding 1.5 · 2^23 leaves the nearest integer in the low bits.
  return static_cast<int8_t>(std::bit_cast<uint32_t>(q + 0x1.8p23F));
}

}  // namespace orrery::kernels
