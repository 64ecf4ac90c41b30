// simd_avx2.h with the 8-bit dot product of AVX-VNNI, and the activations it wants
// (ops/products_bytes.inc). Private to one table file: anonymous namespace.
#pragma once

#include "kernels/cpu/simd_avx2.h"

namespace orrery::kernels::cpu {
namespace {

// Each lane as four bytes: sum + Σ a · b, a unsigned, b signed.
ORRERY_INLINE I16 dot_bytes(I16 sum, I16 a, I16 b) {
  return {_mm256_dpbusd_avx_epi32(sum.lo, a.lo, b.lo), _mm256_dpbusd_avx_epi32(sum.hi, a.hi, b.hi)};
}
// Of each four lanes the low bytes, as signed numbers, then what is left of the lanes / 256: the
// bytes 0 and 1 of each lane once that much is added, gathered by fours.
ORRERY_INLINE __m128i byte_parts(__m256i a) {
  const __m256i high = _mm256_add_epi32(a, _mm256_set1_epi32(128));
  const __m256i low_bytes =
      _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12, -1,
                       -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  const __m256i high_bytes =
      _mm256_setr_epi8(-1, -1, -1, -1, 1, 5, 9, 13, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                       1, 5, 9, 13, -1, -1, -1, -1, -1, -1, -1, -1);
  const __m256i parts =
      _mm256_or_si256(_mm256_shuffle_epi8(a, low_bytes), _mm256_shuffle_epi8(high, high_bytes));
  return _mm256_castsi256_si128(_mm256_permute4x64_epi64(parts, 0x08));
}
ORRERY_INLINE void store_byte_parts(int16_t* p, I16 a) {
  auto* out = reinterpret_cast<__m128i*>(p);
  _mm_storeu_si128(out, byte_parts(a.lo));
  _mm_storeu_si128(out + 1, byte_parts(a.hi));
}

}  // namespace
}  // namespace orrery::kernels::cpu
