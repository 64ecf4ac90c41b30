// The AVX-512 intrinsics that simd_avx512.h, simd_avx512vnni.h and simd_amx.h use, computed with
// AVX2 by SIMDe (libsimde-dev 0.7.2), so that the AVX-512 tables are tested on machines that lack
// it. What SIMDe does not have stands below, lane by lane. SIMDe's _mm512_fmadd_ps is two
// _mm256_fmadd_ps, hence fused; the table's tests would show if not.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <immintrin.h>
#include <simde/x86/avx512/add.h>
#include <simde/x86/avx512/and.h>
#include <simde/x86/avx512/blend.h>
#include <simde/x86/avx512/cast.h>
#include <simde/x86/avx512/cmp.h>
#include <simde/x86/avx512/div.h>
#include <simde/x86/avx512/extract.h>
#include <simde/x86/avx512/fmadd.h>
#include <simde/x86/avx512/loadu.h>
#include <simde/x86/avx512/max.h>
#include <simde/x86/avx512/mul.h>
#include <simde/x86/avx512/or.h>
#include <simde/x86/avx512/permutex2var.h>
#include <simde/x86/avx512/permutexvar.h>
#include <simde/x86/avx512/set1.h>
#include <simde/x86/avx512/setzero.h>
#include <simde/x86/avx512/slli.h>
#include <simde/x86/avx512/srli.h>
#include <simde/x86/avx512/storeu.h>
#include <simde/x86/avx512/sub.h>
#include <simde/x86/avx512/xor.h>

#include <cstdint>

#include "kernels/cpu/table.h"

namespace orrery::kernels::cpu {
namespace {

template <typename To, typename From>
ORRERY_INLINE To bits_of(const From& from) {
  To to;
  static_assert(sizeof(to) == sizeof(from));
  __builtin_memcpy(&to, &from, sizeof(to));
  return to;
}

struct Floats {
  float v[16];
};
struct Ints {
  int32_t v[16];
};

ORRERY_INLINE __m512 emulated_maskz_loadu_ps(unsigned mask, const float* p) {
  Floats out{};
  for (int i = 0; i < 16; ++i)
    if ((mask >> i & 1) != 0) out.v[i] = p[i];
  return bits_of<__m512>(out);
}
ORRERY_INLINE void emulated_mask_storeu_ps(float* p, unsigned mask, __m512 a) {
  const auto lanes = bits_of<Floats>(a);
  for (int i = 0; i < 16; ++i)
    if ((mask >> i & 1) != 0) p[i] = lanes.v[i];
}
template <typename Narrow>
ORRERY_INLINE __m512i emulated_widen(const void* p) {
  Ints out{};
  for (int i = 0; i < 16; ++i) out.v[i] = static_cast<const Narrow*>(p)[i];
  return bits_of<__m512i>(out);
}
ORRERY_INLINE __m512i emulated_cvtepu8_epi32(__m128i a) { return emulated_widen<uint8_t>(&a); }
ORRERY_INLINE __m512i emulated_cvtepi8_epi32(__m128i a) { return emulated_widen<int8_t>(&a); }
ORRERY_INLINE __m512i emulated_cvtepu16_epi32(__m256i a) { return emulated_widen<uint16_t>(&a); }
ORRERY_INLINE __m256i emulated_cvtepi32_epi16(__m512i a) {
  const auto lanes = bits_of<Ints>(a);
  uint16_t out[16];
  for (int i = 0; i < 16; ++i) out[i] = static_cast<uint16_t>(lanes.v[i]);
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(out));
}
ORRERY_INLINE __m512 emulated_cvtph_ps(__m256i a) {
  Floats out;
  _mm256_storeu_ps(out.v, _mm256_cvtph_ps(_mm256_castsi256_si128(a)));
  _mm256_storeu_ps(out.v + 8, _mm256_cvtph_ps(_mm256_extracti128_si256(a, 1)));
  return bits_of<__m512>(out);
}
ORRERY_INLINE __m512i emulated_srai_epi32(__m512i a, int bits) {
  auto lanes = bits_of<Ints>(a);
  for (int32_t& lane : lanes.v) lane >>= bits;
  return bits_of<__m512i>(lanes);
}
ORRERY_INLINE __m512 emulated_cvtepi32_ps(__m512i a) {
  const auto lanes = bits_of<Ints>(a);
  Floats out;
  for (int i = 0; i < 16; ++i) out.v[i] = static_cast<float>(lanes.v[i]);
  return bits_of<__m512>(out);
}

ORRERY_INLINE __m128i emulated_cvtepi32_epi8(__m512i a) {
  const auto lanes = bits_of<Ints>(a);
  uint8_t out[16];
  for (int i = 0; i < 16; ++i) out[i] = static_cast<uint8_t>(lanes.v[i]);
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(out));
}
struct Bytes {
  uint8_t v[64];
};
ORRERY_INLINE __m512i emulated_dpbusd_epi32(__m512i sum, __m512i a, __m512i b) {
  auto lanes = bits_of<Ints>(sum);
  const auto x = bits_of<Bytes>(a), y = bits_of<Bytes>(b);
  for (int i = 0; i < 64; ++i) lanes.v[i / 4] += x.v[i] * static_cast<int8_t>(y.v[i]);
  return bits_of<__m512i>(lanes);
}

// (SIMDe 0.7.2 gives this name to the masked form.)
ORRERY_INLINE __m512i emulated_madd_epi16(__m512i a, __m512i b) {
  __m256i x[2], y[2];
  static_assert(sizeof(x) == sizeof(a));
  __builtin_memcpy(x, &a, sizeof(a));
  __builtin_memcpy(y, &b, sizeof(b));
  for (int i = 0; i < 2; ++i) x[i] = _mm256_madd_epi16(x[i], y[i]);
  __m512i out;
  __builtin_memcpy(&out, x, sizeof(out));
  return out;
}

}  // namespace
}  // namespace orrery::kernels::cpu

// Some of them are macros of immintrin.h where the compiler does not optimise.
#undef _mm512_srai_epi32
#define _mm512_maskz_loadu_ps emulated_maskz_loadu_ps
#define _mm512_mask_storeu_ps emulated_mask_storeu_ps
#define _mm512_cvtepu8_epi32 emulated_cvtepu8_epi32
#define _mm512_cvtepi8_epi32 emulated_cvtepi8_epi32
#define _mm512_cvtepu16_epi32 emulated_cvtepu16_epi32
#define _mm512_cvtepi32_epi16 emulated_cvtepi32_epi16
#define _mm512_cvtph_ps emulated_cvtph_ps
#define _mm512_srai_epi32 emulated_srai_epi32
#define _mm512_cvtepi32_ps emulated_cvtepi32_ps
#define _mm512_cvtepi32_epi8 emulated_cvtepi32_epi8
#undef _mm512_dpbusd_epi32
#define _mm512_dpbusd_epi32 emulated_dpbusd_epi32
#undef _mm512_madd_epi16
#define _mm512_madd_epi16 emulated_madd_epi16
