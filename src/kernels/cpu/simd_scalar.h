// Sixteen fp32 lanes in plain C++, for any CPU and as the shortest statement of what the other two
// do. Private to one table file: anonymous namespace.
#pragma once

#include <cmath>

#include "kernels/cpu/table.h"
#include "tensor/float16.h"
#include "tensor/float8.h"

namespace orrery::kernels::cpu {
namespace {

struct F16 {
  float v[16];
};
struct I16 {
  uint32_t v[16];
};

// Tiles of a matmul and of attention: there are no registers to fill.
constexpr int kTileRows = 2;
constexpr int kTileVectors = 1;
constexpr int kTileItems = 2;
constexpr int kRestItems = 2;
constexpr int kScoreChains = 2;  // sums at once, where few items take several blocks

// Calls, not inlined: sixteen lanes unrolled at every use would take the compiler minutes, and a
// call costs little beside sixteen calls of fmaf.
#define ORRERY_LANES [[maybe_unused]] __attribute__((noinline))

template <typename Result, typename Lane>
ORRERY_INLINE Result each(const Lane& lane) {
  Result out;
  for (int i = 0; i < 16; ++i) out.v[i] = lane(i);
  return out;
}

ORRERY_LANES F16 zero() { return F16{}; }
ORRERY_LANES F16 broadcast(float x) {
  return each<F16>([&](int) { return x; });
}
ORRERY_LANES F16 load(const float* p) {
  return each<F16>([&](int i) { return p[i]; });
}
ORRERY_LANES F16 load_n(const float* p, int64_t n) {  // zeros from lane n on
  return each<F16>([&](int i) { return i < n ? p[i] : 0.0F; });
}
ORRERY_LANES void store_n(float* p, const F16& a, int64_t n) {
  for (int64_t i = 0; i < n; ++i) p[i] = a.v[i];
}
ORRERY_LANES void store(float* p, const F16& a) { store_n(p, a, 16); }

ORRERY_LANES F16 fma(const F16& a, const F16& b, const F16& c) {
  return each<F16>([&](int i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
}
// *x · w + c
ORRERY_LANES F16 fma_of_one(const float* x, const F16& w, const F16& c) {
  return fma(broadcast(*x), w, c);
}
ORRERY_LANES F16 mul(const F16& a, const F16& b) {
  return each<F16>([&](int i) { return a.v[i] * b.v[i]; });
}
ORRERY_LANES F16 add(const F16& a, const F16& b) {
  return each<F16>([&](int i) { return a.v[i] + b.v[i]; });
}
ORRERY_LANES F16 sub(const F16& a, const F16& b) {
  return each<F16>([&](int i) { return a.v[i] - b.v[i]; });
}
ORRERY_LANES F16 div(const F16& a, const F16& b) {
  return each<F16>([&](int i) { return a.v[i] / b.v[i]; });
}
ORRERY_LANES F16 negate(const F16& a) {
  return each<F16>([&](int i) { return -a.v[i]; });
}
// a < b ? yes : no
ORRERY_LANES F16 select_less(const F16& a, const F16& b, const F16& yes, const F16& no) {
  return each<F16>([&](int i) { return a.v[i] < b.v[i] ? yes.v[i] : no.v[i]; });
}
// Whether any lane is more than x, or no number.
ORRERY_LANES bool any_above(const F16& a, float x) {
  bool all = true;
  for (int i = 0; i < 16; ++i) all &= a.v[i] <= x;
  return !all;
}
// Lanes first .. last − 1 of a, the others of `fill`.
ORRERY_LANES F16 keep_lanes(const F16& a, int first, int last, const F16& fill) {
  return each<F16>([&](int i) { return i >= first && i < last ? a.v[i] : fill.v[i]; });
}
// The fixed tree: 8 + 8, 4 + 4, 2 + 2, 1 + 1.
ORRERY_LANES float tree_sum(const F16& lanes) {
  F16 a = lanes;
  for (int width = 8; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) a.v[i] = a.v[i] + a.v[i + width];
  return a.v[0];
}
ORRERY_LANES float tree_max(const F16& lanes) {
  F16 a = lanes;
  for (int width = 8; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) a.v[i] = a.v[i] > a.v[i + width] ? a.v[i] : a.v[i + width];
  return a.v[0];
}

// Integers.
ORRERY_LANES I16 load_ints(const void* p) {
  I16 out;
  __builtin_memcpy(&out, p, sizeof(out));
  return out;
}
ORRERY_LANES I16 splat(uint32_t x) {
  return each<I16>([&](int) { return x; });
}
ORRERY_LANES I16 from_u8(const uint8_t* p) {
  return each<I16>([&](int i) { return uint32_t{p[i]}; });
}
ORRERY_LANES I16 from_i8(const uint8_t* p) {
  return each<I16>([&](int i) { return static_cast<uint32_t>(static_cast<int8_t>(p[i])); });
}
ORRERY_LANES I16 bit_and(const I16& a, const I16& b) {
  return each<I16>([&](int i) { return a.v[i] & b.v[i]; });
}
ORRERY_LANES I16 bit_or(const I16& a, const I16& b) {
  return each<I16>([&](int i) { return a.v[i] | b.v[i]; });
}
ORRERY_LANES I16 bit_xor(const I16& a, const I16& b) {
  return each<I16>([&](int i) { return a.v[i] ^ b.v[i]; });
}
ORRERY_LANES I16 add_ints(const I16& a, const I16& b) {
  return each<I16>([&](int i) { return a.v[i] + b.v[i]; });
}
template <int kBits>
ORRERY_LANES I16 shift_left(const I16& a) {
  return each<I16>([&](int i) { return a.v[i] << kBits; });
}
template <int kBits>
ORRERY_LANES I16 shift_right(const I16& a) {
  return each<I16>([&](int i) { return a.v[i] >> kBits; });
}
template <int kBits>
ORRERY_LANES I16 shift_right_signed(const I16& a) {
  return each<I16>(
      [&](int i) { return static_cast<uint32_t>(static_cast<int32_t>(a.v[i]) >> kBits); });
}

ORRERY_LANES I16 max_ints(const I16& a, const I16& b) {  // of signed integers
  return each<I16>([&](int i) {
    return static_cast<int32_t>(a.v[i]) > static_cast<int32_t>(b.v[i]) ? a.v[i] : b.v[i];
  });
}
ORRERY_LANES int32_t tree_max_ints(const I16& a) {
  int32_t max = static_cast<int32_t>(a.v[0]);
  for (const uint32_t lane : a.v)
    max = max > static_cast<int32_t>(lane) ? max : static_cast<int32_t>(lane);
  return max;
}
ORRERY_LANES int32_t sum_ints(const I16& a) {
  uint32_t sum = 0;
  for (const uint32_t lane : a.v) sum += lane;
  return static_cast<int32_t>(sum);
}
// Each lane as two signed 16-bit numbers: the sum of the two products.
ORRERY_LANES I16 madd_words(const I16& a, const I16& b) {
  return each<I16>([&](int i) {
    const auto low = [](uint32_t v) { return static_cast<int32_t>(static_cast<int16_t>(v)); };
    return static_cast<uint32_t>(low(a.v[i]) * low(b.v[i]) + low(a.v[i] >> 16) * low(b.v[i] >> 16));
  });
}
// add_ints; a hint where the compiler needs one.
ORRERY_LANES I16 add_in_place(const I16& a, const I16& b) { return add_ints(a, b); }
ORRERY_LANES I16 splat_ints(const void* p) {  // four bytes from p on
  uint32_t pair;
  __builtin_memcpy(&pair, p, sizeof(pair));
  return splat(pair);
}
ORRERY_LANES void store_ints(void* p, const I16& a) { __builtin_memcpy(p, &a, sizeof(a)); }
// As 16-bit numbers, of each four lanes 0, 2, 1, 3.
ORRERY_LANES void store_words(int16_t* p, const I16& a) {
  constexpr int kOrder[4] = {0, 2, 1, 3};
  for (int i = 0; i < 16; ++i)
    p[i] = static_cast<int16_t>(static_cast<int32_t>(a.v[i / 4 * 4 + kOrder[i % 4]]));
}

// Between the two.
ORRERY_LANES F16 as_floats(const I16& a) { return __builtin_bit_cast(F16, a); }
ORRERY_LANES I16 as_ints(const F16& a) { return __builtin_bit_cast(I16, a); }
ORRERY_LANES F16 to_floats(const I16& a) {  // of signed integers
  return each<F16>([&](int i) { return static_cast<float>(static_cast<int32_t>(a.v[i])); });
}
// In the order of lanes in which it is fastest; fp32 lanes to that order, and back.
ORRERY_LANES F16 from_bf16(const uint16_t* p) {
  return each<F16>([&](int i) { return bf16_to_f32(p[i]); });
}
ORRERY_LANES F16 to_bf16_order(F16 a) { return a; }
ORRERY_LANES F16 from_bf16_order(F16 a) { return a; }
ORRERY_LANES F16 from_f16(const uint16_t* p) {
  return each<F16>([&](int i) { return f16_to_f32(p[i]); });
}
ORRERY_LANES F16 from_e4m3(const uint8_t* p) {
  return each<F16>([&](int i) { return e4m3_to_f32(p[i]); });
}
// The low or high half of each 4-byte lane, as fp16.
ORRERY_LANES F16 low_f16(const I16& a) {
  return each<F16>([&](int i) { return f16_to_f32(static_cast<uint16_t>(a.v[i])); });
}
ORRERY_LANES F16 high_f16(const I16& a) {
  return each<F16>([&](int i) { return f16_to_f32(static_cast<uint16_t>(a.v[i] >> 16)); });
}
ORRERY_LANES void prefetch(const void* p) { __builtin_prefetch(p); }
ORRERY_LANES void prefetch_far(const void* p) {
  __builtin_prefetch(p, 0, 2);
}  // not to the first level

}  // namespace
}  // namespace orrery::kernels::cpu
