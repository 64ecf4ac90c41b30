// How many bf16 dot products the processor does in a second (limits.h), of which
// ops/matmul_pairs.inc makes a matmul.
#include "kernels/cpu/simd_avx512.h"
#include "kernels/cpu/table.h"

namespace orrery::kernels::cpu {
namespace {

constexpr int kChains = 16;  // in registers: fewer than ORRERY_UNROLL unrolls (table.h)

uint32_t burn(int64_t iterations) {
  __m512 chains[kChains];
  for (int c = 0; c < kChains; ++c) chains[c] = _mm512_set1_ps(static_cast<float>(c));
  // Two products that cancel out, so that the sums stay what they are.
  const auto a = (__m512bh)_mm512_set1_epi32(0x3F803F80);                    // 1, 1
  const auto b = (__m512bh)_mm512_set1_epi32(static_cast<int>(0xBF803F80));  // 1, −1
  for (int64_t i = 0; i < iterations; ++i) {
    ORRERY_UNROLL
    for (int c = 0; c < kChains; ++c) chains[c] = _mm512_dpbf16_ps(chains[c], a, b);
  }
  F16 sum = zero();
  for (const __m512 chain : chains) sum = add(sum, {chain});
  return __builtin_bit_cast(uint32_t, tree_sum(sum));
}

}  // namespace

const DotProducts kBf16DotProducts = {kChains * 32 * 2, burn};

}  // namespace orrery::kernels::cpu
