// e^x in fp32, the one that every table computes, lane by lane, with the same operations.
//
// x = n·ln 2 + r with |r| ≤ ln 2 / 2 (Cody and Waite: n·ln 2 in two parts, the first exact by FMA),
// e^r = 1 + r + r²·q(r) with q of degree 4, minimax: relative error 3.1e-9 before rounding.
// Measured over all fp32 in range (exp_test): at most 1 ulp. Exactly 1 at 0; 0 below kExpMin (so
// that no result is subnormal), +infinity above kExpMax, NaN for NaN.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace orrery::kernels {

// Plain constexpr, so that each file has its own: instruction-set files must export nothing.
constexpr float kExpMin = -87.3F;
constexpr float kExpMax = 88.7F;
constexpr float kLog2E = 0x1.715476p+0F;
constexpr float kExpRound = 0x1.8p+23F;  // adding it leaves the nearest integer in the low bits
constexpr float kLn2High = 0x1.62e430p-1F;
constexpr float kLn2Low = -0x1.05c610p-29F;
constexpr float kExp0 = 0x1.fffffcp-2F;
constexpr float kExp1 = 0x1.555492p-3F;
constexpr float kExp2 = 0x1.5558f2p-5F;
constexpr float kExp3 = 0x1.1239e2p-7F;
constexpr float kExp4 = 0x1.6a2432p-10F;

inline float exp_f32(float x) {
  const float shifted = std::fma(x, kLog2E, kExpRound);
  const float n = shifted - kExpRound;
  const float r = std::fma(n, -kLn2Low, std::fma(n, -kLn2High, x));
  float q = std::fma(kExp4, r, kExp3);
  q = std::fma(q, r, kExp2);
  q = std::fma(q, r, kExp1);
  q = std::fma(q, r, kExp0);
  const float p = std::fma(q, r * r, r) + 1.0F;
  // p · 2^n: n, in the low bits of `shifted`, goes to the exponent of p.
  const float y =
      std::bit_cast<float>(std::bit_cast<uint32_t>(p) + (std::bit_cast<uint32_t>(shifted) << 23));
  if (x < kExpMin) return 0;
  if (x > kExpMax) return std::numeric_limits<float>::infinity();
  return y;
}

}  // namespace orrery::kernels
