// Activations as integers: what a weight matrix of a block format is multiplied with.
//
// Each row is cut into blocks of 32. A block's scale is max |x| / 32639 and q = x · (32639 / max
// |x|) rounded to nearest, ties to even: an error of at most 1.6e-5 of the block's largest number.
// 32639 = 127 · 256 + 127 is the largest number for which q = 256 · high + low with two signed
// bytes, so that a processor with 8-bit dot products takes two of them for the exact product.
// Sums of code · q over a block are exact in 32 bits for every weight format (32 · 255 · 32639 <
// 2^28), so that instruction sets may add them in any order. A block without a number above 2^-100
// is zero; one with a NaN or an infinity has a NaN for its scale, and makes every output NaN.
//
// Activations of 8 bits (kByte, on request) are the same with 127 for 32639: an error of 0.4 %, for
// half of the multiplications where bytes are multiplied as they are.
//
// Plain weights meet fp32 activations. With kByte those in bf16 meet activations rounded to bf16,
// which has 8 bits too, and whatever is smaller than the smallest normal number counts as zero:
// weights, activations and sums (round_bf16.h). So processors with dot products of bf16 can take
// them; sums run over k in order as ever.
#pragma once

#include <cstdint>

namespace orrery::kernels {

constexpr int64_t kActivationBlock = 32;
constexpr int64_t kActivationSum = 16;  // the shortest sub-block of a weight format

enum class Activations : uint8_t { kTwoBytes, kByte };
constexpr float largest_activation(Activations a) {
  return a == Activations::kTwoBytes ? 32639 : 127;
}
constexpr int bits(Activations a) { return a == Activations::kTwoBytes ? 16 : 8; }

// The largest integer / max as the definition rounds it, and the scale; from the largest magnitude
// of a block, as the bits of an fp32 number. Scale 0 or NaN: q is 0.
struct ActivationScale {
  float inverse, scale;
};
static inline ActivationScale activation_scale(uint32_t largest, float largest_integer) {
  if (largest >= 0x7F800000) return {0, __builtin_bit_cast(float, 0x7FC00000U)};
  if (largest < 0x0D800000) return {0, 0};
  const float max = __builtin_bit_cast(float, largest);
  return {largest_integer / max, max / largest_integer};
}

}  // namespace orrery::kernels
