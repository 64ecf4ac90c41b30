// Sixteen fp32 lanes as one 512-bit register (AVX-512 F, BW, DQ, VL). simd_scalar.h says what each
// operation does. Private to one table file: anonymous namespace.
//
// With ORRERY_EMULATE_AVX512 (the tests, on machines without it) the intrinsics are those of SIMDe,
// which computes them with what the CPU has.
#pragma once

#ifdef ORRERY_EMULATE_AVX512
#include "kernels/cpu/emulated_avx512_for_tests.h"
#else
// g++ 12 takes the undefined registers of its own intrinsics for mistakes.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

#include "kernels/cpu/table.h"

namespace orrery::kernels::cpu {
namespace {

struct F16 {
  __m512 v;
};
struct I16 {
  __m512i v;
};

#ifdef ORRERY_EMULATE_AVX512  // smaller ones, over which the compiler takes a third of the time
constexpr int kTileRows = 4;
constexpr int kTileItems = 8;
constexpr int kRestItems = 4;
constexpr int kScoreChains = 8;
#else
// 12 rows × 32 outputs: 24 accumulators, 2 weight registers and 1 broadcast of 32; 24 FMAs per 14
// loads.
constexpr int kTileRows = 12;
constexpr int kTileItems = 24;    // of attention: 24 FMAs for each unpacking of a key
constexpr int kRestItems = 12;    // and up to so many at once of what is left
constexpr int kScoreChains = 16;  // sums at once, where few items take several blocks
#endif
constexpr int kTileVectors = 2;

ORRERY_INLINE F16 zero() { return {_mm512_setzero_ps()}; }
ORRERY_INLINE F16 broadcast(float x) { return {_mm512_set1_ps(x)}; }
ORRERY_INLINE F16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
ORRERY_INLINE void store(float* p, F16 a) { _mm512_storeu_ps(p, a.v); }
ORRERY_INLINE __mmask16 first_lanes(int64_t n) { return static_cast<__mmask16>((1U << n) - 1); }
ORRERY_INLINE F16 load_n(const float* p, int64_t n) {
  return {_mm512_maskz_loadu_ps(first_lanes(n), p)};
}
ORRERY_INLINE void store_n(float* p, F16 a, int64_t n) {
  _mm512_mask_storeu_ps(p, first_lanes(n), a.v);
}

ORRERY_INLINE F16 fma(F16 a, F16 b, F16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
ORRERY_INLINE F16 fma_of_one(const float* x, F16 w, F16 c) { return fma(broadcast(*x), w, c); }
ORRERY_INLINE F16 mul(F16 a, F16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
ORRERY_INLINE F16 add(F16 a, F16 b) { return {_mm512_add_ps(a.v, b.v)}; }
ORRERY_INLINE F16 sub(F16 a, F16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
ORRERY_INLINE F16 div(F16 a, F16 b) { return {_mm512_div_ps(a.v, b.v)}; }
ORRERY_INLINE F16 select_less(F16 a, F16 b, F16 yes, F16 no) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), no.v, yes.v)};
}
ORRERY_INLINE bool any_above(F16 a, float x) {
  return _mm512_cmp_ps_mask(a.v, _mm512_set1_ps(x), _CMP_NLE_UQ) != 0;
}
ORRERY_INLINE F16 keep_lanes(F16 a, int first, int last, F16 fill) {
  const __mmask16 keep = static_cast<__mmask16>(first_lanes(last) & ~first_lanes(first));
  return {_mm512_mask_blend_ps(keep, fill.v, a.v)};
}
ORRERY_INLINE __m256 high_half(__m512 v) {
  return _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1));
}
ORRERY_INLINE float tree_sum(F16 a) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), high_half(a.v));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
ORRERY_INLINE float tree_max(F16 a) {
  const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a.v), high_half(a.v));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

ORRERY_INLINE I16 load_ints(const void* p) { return {_mm512_loadu_si512(p)}; }
ORRERY_INLINE I16 splat(uint32_t x) { return {_mm512_set1_epi32(static_cast<int>(x))}; }
ORRERY_INLINE I16 from_u8(const uint8_t* p) {
  return {_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
ORRERY_INLINE I16 from_i8(const uint8_t* p) {
  return {_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
ORRERY_INLINE I16 bit_and(I16 a, I16 b) { return {_mm512_and_si512(a.v, b.v)}; }
ORRERY_INLINE I16 bit_or(I16 a, I16 b) { return {_mm512_or_si512(a.v, b.v)}; }
ORRERY_INLINE I16 bit_xor(I16 a, I16 b) { return {_mm512_xor_si512(a.v, b.v)}; }
ORRERY_INLINE I16 add_ints(I16 a, I16 b) { return {_mm512_add_epi32(a.v, b.v)}; }
template <int kBits>
ORRERY_INLINE I16 shift_left(I16 a) {
  return {_mm512_slli_epi32(a.v, kBits)};
}
template <int kBits>
ORRERY_INLINE I16 shift_right(I16 a) {
  return {_mm512_srli_epi32(a.v, kBits)};
}
template <int kBits>
ORRERY_INLINE I16 shift_right_signed(I16 a) {
  return {_mm512_srai_epi32(a.v, kBits)};
}

ORRERY_INLINE I16 max_ints(I16 a, I16 b) { return {_mm512_max_epi32(a.v, b.v)}; }
ORRERY_INLINE __m256i low_ints(I16 a) { return _mm512_castsi512_si256(a.v); }
ORRERY_INLINE __m256i high_ints(I16 a) {
  return _mm256_castps_si256(high_half(_mm512_castsi512_ps(a.v)));
}
ORRERY_INLINE int32_t tree_max_ints(I16 a) {
  const __m256i eight = _mm256_max_epi32(low_ints(a), high_ints(a));
  __m128i v = _mm_max_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  v = _mm_max_epi32(v, _mm_shuffle_epi32(v, 0x4E));
  return _mm_cvtsi128_si32(_mm_max_epi32(v, _mm_shuffle_epi32(v, 0xB1)));
}
ORRERY_INLINE int32_t sum_ints(I16 a) {
  const __m256i eight = _mm256_add_epi32(low_ints(a), high_ints(a));
  __m128i v = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  v = _mm_add_epi32(v, _mm_shuffle_epi32(v, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(v, _mm_shuffle_epi32(v, 0xB1)));
}
ORRERY_INLINE I16 madd_words(I16 a, I16 b) { return {_mm512_madd_epi16(a.v, b.v)}; }
// a + b, then and there: simd_avx2.h says why.
ORRERY_INLINE I16 add_in_place(I16 a, I16 b) {
  I16 sum = add_ints(a, b);
#ifndef ORRERY_EMULATE_AVX512
  asm("" : "+v"(sum.v));
#endif
  return sum;
}
ORRERY_INLINE I16 splat_ints(const void* p) {
  int32_t pair;
  __builtin_memcpy(&pair, p, sizeof(pair));
  return {_mm512_set1_epi32(pair)};
}
ORRERY_INLINE void store_ints(void* p, I16 a) { _mm512_storeu_si512(p, a.v); }
ORRERY_INLINE void store_words(int16_t* p, I16 a) {
  const __m256i lo = _mm256_shuffle_epi32(low_ints(a), 0xD8);
  const __m256i hi = _mm256_shuffle_epi32(high_ints(a), 0xD8);
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(lo, hi), 0xD8);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), words);
}

ORRERY_INLINE F16 as_floats(I16 a) { return {_mm512_castsi512_ps(a.v)}; }
ORRERY_INLINE I16 as_ints(F16 a) { return {_mm512_castps_si512(a.v)}; }
ORRERY_INLINE F16 negate(F16 a) { return as_floats(bit_xor(as_ints(a), splat(0x80000000))); }
ORRERY_INLINE F16 to_floats(I16 a) { return {_mm512_cvtepi32_ps(a.v)}; }
ORRERY_INLINE __m256i load_halves(const uint16_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
// Number i to the high half of lane i in one permutation: a widening and a shift would take two
// turns on the ports that FMAs need.
ORRERY_INLINE F16 from_bf16(const uint16_t* p) {
  const __m512i from = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  return as_floats({_mm512_maskz_permutexvar_epi16(0xAAAAAAAA, _mm512_slli_epi32(from, 16),
                                                   _mm512_castsi256_si512(load_halves(p)))});
}
ORRERY_INLINE F16 to_bf16_order(F16 a) { return a; }
ORRERY_INLINE F16 from_bf16_order(F16 a) { return a; }
ORRERY_INLINE F16 from_f16(const uint16_t* p) { return {_mm512_cvtph_ps(load_halves(p))}; }
// Shifted by 7 an e4m3 is the fp16 of 2^-8 of its number, subnormals included; only NaN, all ones,
// must be made one.
ORRERY_INLINE F16 from_e4m3(const uint8_t* p) {
  const __m256i code = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  const __m256i ones = _mm256_set1_epi16(0x7F);
  const __m256i nan = _mm256_and_si256(_mm256_cmpeq_epi16(_mm256_and_si256(code, ones), ones),
                                       _mm256_set1_epi16(0x7E00));
  const __m256i bits =
      _mm256_and_si256(_mm256_slli_epi16(code, 7), _mm256_set1_epi16(static_cast<int16_t>(0xBF80)));
  return {_mm512_mul_ps(_mm512_cvtph_ps(_mm256_or_si256(bits, nan)), _mm512_set1_ps(0x1p8F))};
}
ORRERY_INLINE F16 low_f16(I16 a) { return {_mm512_cvtph_ps(_mm512_cvtepi32_epi16(a.v))}; }
ORRERY_INLINE F16 high_f16(I16 a) { return low_f16(shift_right<16>(a)); }
ORRERY_INLINE void prefetch(const void* p) {
  _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
}
ORRERY_INLINE void prefetch_far(const void* p) {
  _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1);
}

}  // namespace
}  // namespace orrery::kernels::cpu
