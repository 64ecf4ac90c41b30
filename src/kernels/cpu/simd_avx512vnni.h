// simd_avx512.h with the 8-bit dot product of AVX512_VNNI, and the activations it wants
// (ops/products_bytes.inc). Private to one table file: anonymous namespace.
#pragma once

#include "kernels/cpu/simd_avx512.h"

namespace orrery::kernels::cpu {
namespace {

// Each lane as four bytes: sum + Σ a · b, a unsigned, b signed.
ORRERY_INLINE I16 dot_bytes(I16 sum, I16 a, I16 b) {
  return {_mm512_dpbusd_epi32(sum.v, a.v, b.v)};
}
ORRERY_INLINE void store_bytes(int8_t* p, I16 a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
}
// Of each four lanes the low bytes, as signed numbers, then what is left of the lanes / 256.
ORRERY_INLINE void store_byte_parts(int16_t* p, I16 a) {
  const __m128i low = _mm512_cvtepi32_epi8(a.v);
  const __m128i high = _mm512_cvtepi32_epi8(shift_right_signed<8>(add_ints(a, splat(128))).v);
  auto* out = reinterpret_cast<__m128i*>(p);
  _mm_storeu_si128(out, _mm_unpacklo_epi32(low, high));
  _mm_storeu_si128(out + 1, _mm_unpackhi_epi32(low, high));
}

}  // namespace
}  // namespace orrery::kernels::cpu
