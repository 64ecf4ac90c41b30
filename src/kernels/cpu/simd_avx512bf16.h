// simd_avx512.h with the dot product of AVX512_BF16. Private to one file: anonymous namespace.
#pragma once

#include "kernels/cpu/simd_avx512.h"

namespace orrery::kernels::cpu {
namespace {

// Each lane as two bf16: sum + a · b of the high halves, then of the low ones, both rounded. What
// the instruction is documented to do, which takes and gives no subnormal numbers besides.
ORRERY_INLINE F16 dot_pairs_by_fma(F16 sum, I16 a, I16 b) {
  const I16 high = splat(0xFFFF0000);
  sum = fma(as_floats(bit_and(a, high)), as_floats(bit_and(b, high)), sum);
  return fma(as_floats(shift_left<16>(a)), as_floats(shift_left<16>(b)), sum);
}
#ifdef ORRERY_EMULATE_AVX512
ORRERY_INLINE F16 dot_pairs(F16 sum, I16 a, I16 b) { return dot_pairs_by_fma(sum, a, b); }
#else
ORRERY_INLINE F16 dot_pairs(F16 sum, I16 a, I16 b) {
  return {_mm512_dpbf16_ps(sum.v, (__m512bh)a.v, (__m512bh)b.v)};
}
#endif

}  // namespace
}  // namespace orrery::kernels::cpu
