// pairs_avx512bf16.cpp once more, over emulated intrinsics and under another name: what the
// emulated tables multiply bf16 by.
#include "base/sanitizers.h"

#if __has_include(<simde/x86/avx512/fmadd.h>) && !ORRERY_SANITIZED
#define ORRERY_EMULATE_AVX512
#include "kernels/cpu/simd_avx512bf16.h"

namespace orrery::kernels::cpu {
extern const PairMatmul kEmulatedAvx512Bf16Pairs;
const PairMatmul* emulated_pairs();
}  // namespace orrery::kernels::cpu

#define ORRERY_PAIRS kEmulatedAvx512Bf16Pairs
#include "kernels/cpu/ops/matmul_pairs.inc"

namespace orrery::kernels::cpu {
const PairMatmul* emulated_pairs() { return &kEmulatedAvx512Bf16Pairs; }
}  // namespace orrery::kernels::cpu
#else
#include "kernels/cpu/tables_for_tests.h"

namespace orrery::kernels::cpu {
const PairMatmul* emulated_pairs() { return nullptr; }
}  // namespace orrery::kernels::cpu
#endif
