// Sixteen fp32 lanes as two 256-bit registers (AVX2, FMA, F16C). simd_scalar.h says what each
// operation does. Private to one table file: anonymous namespace.
#pragma once

#include <immintrin.h>

#include "kernels/cpu/table.h"

namespace orrery::kernels::cpu {
namespace {

struct F16 {
  __m256 lo, hi;
};
struct I16 {
  __m256i lo, hi;
};

// 6 rows × 16 outputs: 12 accumulators, 2 weight registers and 1 broadcast of 16; 12 FMAs per 8
// loads, and two FMAs a cycle with a latency of 4 to 5 want at least 10 independent chains.
constexpr int kTileRows = 6;
constexpr int kTileVectors = 1;
constexpr int kTileItems = 6;    // of attention, by the same count
constexpr int kRestItems = 6;    // up to so many at once of what is left
constexpr int kScoreChains = 6;  // sums at once, where few items take several blocks

ORRERY_INLINE F16 zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
ORRERY_INLINE F16 broadcast(float x) {
  const __m256 v = _mm256_set1_ps(x);
  return {v, v};
}
ORRERY_INLINE F16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
ORRERY_INLINE void store(float* p, F16 a) {
  _mm256_storeu_ps(p, a.lo);
  _mm256_storeu_ps(p + 8, a.hi);
}
ORRERY_INLINE F16 load_n(const float* p, int64_t n) {
  alignas(32) float lanes[16] = {};
  for (int64_t i = 0; i < n; ++i) lanes[i] = p[i];
  return load(lanes);
}
ORRERY_INLINE void store_n(float* p, F16 a, int64_t n) {
  alignas(32) float lanes[16];
  store(lanes, a);
  for (int64_t i = 0; i < n; ++i) p[i] = lanes[i];
}

ORRERY_INLINE F16 fma(F16 a, F16 b, F16 c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
// Written out, because g++ 12 keeps some of twelve sums in memory, which costs a tile of six rows
// up to half of its speed: 12 sums, 2 weights, a broadcast and a mask are the 16 registers.
ORRERY_INLINE F16 fma_of_one(const float* x, F16 w, F16 c) {
  __m256 all;
  asm("vbroadcastss %3, %2\n\t"
      "vfmadd231ps %4, %2, %0\n\t"
      "vfmadd231ps %5, %2, %1"
      : "+&x"(c.lo), "+x"(c.hi), "=&x"(all)
      : "m"(*x), "x"(w.lo), "x"(w.hi));
  return c;
}
ORRERY_INLINE F16 mul(F16 a, F16 b) {
  return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
ORRERY_INLINE F16 add(F16 a, F16 b) {
  return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
ORRERY_INLINE F16 sub(F16 a, F16 b) {
  return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}
ORRERY_INLINE F16 div(F16 a, F16 b) {
  return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}
ORRERY_INLINE F16 negate(F16 a) {
  const __m256 sign = _mm256_set1_ps(-0.0F);
  return {_mm256_xor_ps(a.lo, sign), _mm256_xor_ps(a.hi, sign)};
}
ORRERY_INLINE F16 select_less(F16 a, F16 b, F16 yes, F16 no) {
  return {_mm256_blendv_ps(no.lo, yes.lo, _mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ)),
          _mm256_blendv_ps(no.hi, yes.hi, _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ))};
}
ORRERY_INLINE bool any_above(F16 a, float x) {
  const __m256 most = _mm256_set1_ps(x);
  return _mm256_movemask_ps(_mm256_or_ps(_mm256_cmp_ps(a.lo, most, _CMP_NLE_UQ),
                                         _mm256_cmp_ps(a.hi, most, _CMP_NLE_UQ))) != 0;
}
ORRERY_INLINE F16 keep_lanes(F16 a, int first, int last, F16 fill) {
  const __m256i from = _mm256_set1_epi32(first - 1), to = _mm256_set1_epi32(last);
  const __m256i lo = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i hi = _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15);
  const __m256i keep_lo =
      _mm256_and_si256(_mm256_cmpgt_epi32(lo, from), _mm256_cmpgt_epi32(to, lo));
  const __m256i keep_hi =
      _mm256_and_si256(_mm256_cmpgt_epi32(hi, from), _mm256_cmpgt_epi32(to, hi));
  return {_mm256_blendv_ps(fill.lo, a.lo, _mm256_castsi256_ps(keep_lo)),
          _mm256_blendv_ps(fill.hi, a.hi, _mm256_castsi256_ps(keep_hi))};
}
ORRERY_INLINE float tree_sum(F16 a) {
  const __m256 eight = _mm256_add_ps(a.lo, a.hi);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
ORRERY_INLINE float tree_max(F16 a) {
  const __m256 eight = _mm256_max_ps(a.lo, a.hi);
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

ORRERY_INLINE I16 load_ints(const void* p) {
  const auto* v = static_cast<const __m256i*>(p);
  return {_mm256_loadu_si256(v), _mm256_loadu_si256(v + 1)};
}
ORRERY_INLINE I16 splat(uint32_t x) {
  const __m256i v = _mm256_set1_epi32(static_cast<int>(x));
  return {v, v};
}
ORRERY_INLINE I16 from_u8(const uint8_t* p) {
  const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm256_cvtepu8_epi32(v), _mm256_cvtepu8_epi32(_mm_srli_si128(v, 8))};
}
ORRERY_INLINE I16 from_i8(const uint8_t* p) {
  const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm256_cvtepi8_epi32(v), _mm256_cvtepi8_epi32(_mm_srli_si128(v, 8))};
}
ORRERY_INLINE I16 bit_and(I16 a, I16 b) {
  return {_mm256_and_si256(a.lo, b.lo), _mm256_and_si256(a.hi, b.hi)};
}
ORRERY_INLINE I16 bit_or(I16 a, I16 b) {
  return {_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)};
}
ORRERY_INLINE I16 bit_xor(I16 a, I16 b) {
  return {_mm256_xor_si256(a.lo, b.lo), _mm256_xor_si256(a.hi, b.hi)};
}
ORRERY_INLINE I16 add_ints(I16 a, I16 b) {
  return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)};
}
template <int kBits>
ORRERY_INLINE I16 shift_left(I16 a) {
  return {_mm256_slli_epi32(a.lo, kBits), _mm256_slli_epi32(a.hi, kBits)};
}
template <int kBits>
ORRERY_INLINE I16 shift_right(I16 a) {
  return {_mm256_srli_epi32(a.lo, kBits), _mm256_srli_epi32(a.hi, kBits)};
}
template <int kBits>
ORRERY_INLINE I16 shift_right_signed(I16 a) {
  return {_mm256_srai_epi32(a.lo, kBits), _mm256_srai_epi32(a.hi, kBits)};
}

ORRERY_INLINE I16 max_ints(I16 a, I16 b) {
  return {_mm256_max_epi32(a.lo, b.lo), _mm256_max_epi32(a.hi, b.hi)};
}
ORRERY_INLINE int32_t tree_max_ints(I16 a) {
  const __m256i eight = _mm256_max_epi32(a.lo, a.hi);
  __m128i v = _mm_max_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  v = _mm_max_epi32(v, _mm_shuffle_epi32(v, 0x4E));
  return _mm_cvtsi128_si32(_mm_max_epi32(v, _mm_shuffle_epi32(v, 0xB1)));
}
ORRERY_INLINE int32_t sum_ints(I16 a) {
  const __m256i eight = _mm256_add_epi32(a.lo, a.hi);
  __m128i v = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  v = _mm_add_epi32(v, _mm_shuffle_epi32(v, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(v, _mm_shuffle_epi32(v, 0xB1)));
}
ORRERY_INLINE I16 madd_words(I16 a, I16 b) {
  return {_mm256_madd_epi16(a.lo, b.lo), _mm256_madd_epi16(a.hi, b.hi)};
}
// a + b, then and there: left to itself g++ 12 computes all products of a tile first and keeps sums
// in memory, which halves the speed.
ORRERY_INLINE I16 add_in_place(I16 a, I16 b) {
  I16 sum = add_ints(a, b);
  asm("" : "+x"(sum.lo), "+x"(sum.hi));
  return sum;
}
ORRERY_INLINE I16 splat_ints(const void* p) {
  int32_t pair;
  __builtin_memcpy(&pair, p, sizeof(pair));
  const __m256i v = _mm256_set1_epi32(pair);
  return {v, v};
}
ORRERY_INLINE void store_ints(void* p, I16 a) {
  _mm256_storeu_si256(static_cast<__m256i*>(p), a.lo);
  _mm256_storeu_si256(static_cast<__m256i*>(p) + 1, a.hi);
}
ORRERY_INLINE void store_words(int16_t* p, I16 a) {
  const __m256i lo = _mm256_shuffle_epi32(a.lo, 0xD8), hi = _mm256_shuffle_epi32(a.hi, 0xD8);
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(lo, hi), 0xD8);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), words);
}

// Each 16-bit number: the sum of the products of two bytes, of `a` unsigned, of `b` signed, which
// must fit.
ORRERY_INLINE I16 madd_bytes(I16 a, I16 b) {
  return {_mm256_maddubs_epi16(a.lo, b.lo), _mm256_maddubs_epi16(a.hi, b.hi)};
}
ORRERY_INLINE I16 add_words_in_place(I16 a, I16 b) {
  I16 sum = {_mm256_add_epi16(a.lo, b.lo), _mm256_add_epi16(a.hi, b.hi)};
  asm("" : "+x"(sum.lo), "+x"(sum.hi));
  return sum;
}
ORRERY_INLINE void store_bytes(int8_t* p, I16 a) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a.lo, a.hi), 0xD8);
  const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(words, words), 0x08);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(bytes));
}

ORRERY_INLINE F16 as_floats(I16 a) {
  return {_mm256_castsi256_ps(a.lo), _mm256_castsi256_ps(a.hi)};
}
ORRERY_INLINE I16 as_ints(F16 a) { return {_mm256_castps_si256(a.lo), _mm256_castps_si256(a.hi)}; }
ORRERY_INLINE F16 to_floats(I16 a) { return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)}; }
// Even lanes, then odd ones: a shift and a mask instead of two shuffles and two shifts.
ORRERY_INLINE F16 from_bf16(const uint16_t* p) {
  const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  const __m256i odd = _mm256_and_si256(pairs, _mm256_set1_epi32(static_cast<int>(0xFFFF0000)));
  return as_floats({_mm256_slli_epi32(pairs, 16), odd});
}
ORRERY_INLINE F16 to_bf16_order(F16 a) {
  const __m256 first = _mm256_permute2f128_ps(a.lo, a.hi, 0x20);
  const __m256 second = _mm256_permute2f128_ps(a.lo, a.hi, 0x31);
  return {_mm256_shuffle_ps(first, second, 0x88), _mm256_shuffle_ps(first, second, 0xDD)};
}
ORRERY_INLINE F16 from_bf16_order(F16 a) {
  const __m256 first = _mm256_unpacklo_ps(a.lo, a.hi), second = _mm256_unpackhi_ps(a.lo, a.hi);
  return {_mm256_permute2f128_ps(first, second, 0x20), _mm256_permute2f128_ps(first, second, 0x31)};
}
ORRERY_INLINE F16 from_f16(const uint16_t* p) {
  const auto* v = reinterpret_cast<const __m128i*>(p);
  return {_mm256_cvtph_ps(_mm_loadu_si128(v)), _mm256_cvtph_ps(_mm_loadu_si128(v + 1))};
}
// Shifted by 7 an e4m3 is the fp16 of 2^-8 of its number, subnormals included; only NaN, all ones,
// must be made one.
ORRERY_INLINE __m256i f16_of_e4m3(const uint8_t* p) {
  const __m256i code = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  const __m256i ones = _mm256_set1_epi16(0x7F);
  const __m256i nan = _mm256_and_si256(_mm256_cmpeq_epi16(_mm256_and_si256(code, ones), ones),
                                       _mm256_set1_epi16(0x7E00));
  const __m256i bits =
      _mm256_and_si256(_mm256_slli_epi16(code, 7), _mm256_set1_epi16(static_cast<int16_t>(0xBF80)));
  return _mm256_or_si256(bits, nan);
}
ORRERY_INLINE F16 from_e4m3(const uint8_t* p) {
  const __m256i half = f16_of_e4m3(p);
  const __m256 up = _mm256_set1_ps(0x1p8F);
  return {_mm256_mul_ps(_mm256_cvtph_ps(_mm256_castsi256_si128(half)), up),
          _mm256_mul_ps(_mm256_cvtph_ps(_mm256_extracti128_si256(half, 1)), up)};
}
// Gathers the chosen half of each lane: inside 128 bits by bytes, then the two by quadwords.
ORRERY_INLINE F16 halves_f16(I16 a, __m256i bytes) {
  const __m256i lo = _mm256_permute4x64_epi64(_mm256_shuffle_epi8(a.lo, bytes), 0x08);
  const __m256i hi = _mm256_permute4x64_epi64(_mm256_shuffle_epi8(a.hi, bytes), 0x08);
  return {_mm256_cvtph_ps(_mm256_castsi256_si128(lo)), _mm256_cvtph_ps(_mm256_castsi256_si128(hi))};
}
ORRERY_INLINE F16 low_f16(I16 a) {
  return halves_f16(a, _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, -1, -1,
                                                                 -1, -1, -1, -1, -1, -1)));
}
ORRERY_INLINE F16 high_f16(I16 a) {
  return halves_f16(a, _mm256_broadcastsi128_si256(_mm_setr_epi8(2, 3, 6, 7, 10, 11, 14, 15, -1, -1,
                                                                 -1, -1, -1, -1, -1, -1)));
}
ORRERY_INLINE void prefetch(const void* p) {
  _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
}
ORRERY_INLINE void prefetch_far(const void* p) {
  _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1);
}

}  // namespace
}  // namespace orrery::kernels::cpu
