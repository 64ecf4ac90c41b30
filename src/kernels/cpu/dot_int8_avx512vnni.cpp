// How many 8-bit dot products the processor does in a second (limits.h).
#include "kernels/cpu/simd_avx512vnni.h"
#include "kernels/cpu/table.h"

namespace orrery::kernels::cpu {
namespace {

constexpr int kChains = 16;  // in registers: fewer than ORRERY_UNROLL unrolls (table.h)

uint32_t burn(int64_t iterations) {
  I16 chains[kChains];
  for (int c = 0; c < kChains; ++c) chains[c] = splat(static_cast<uint32_t>(c));
  const I16 a = splat(0x01020304), b = splat(0x04FF0201);
  for (int64_t i = 0; i < iterations; ++i) {
    ORRERY_UNROLL
    for (int c = 0; c < kChains; ++c) chains[c] = dot_bytes(chains[c], a, b);
  }
  I16 sum = splat(0);
  for (const I16 chain : chains) sum = add_ints(sum, chain);
  return static_cast<uint32_t>(sum_ints(sum));
}

}  // namespace

const DotProducts kInt8DotProducts = {kChains * 64 * 2, burn};

}  // namespace orrery::kernels::cpu
