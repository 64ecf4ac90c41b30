// lanes_avx512.cpp once more, over emulated intrinsics and under another name: the lanes of the
// emulated tables.
#include "base/sanitizers.h"

#if __has_include(<simde/x86/avx512/fmadd.h>) && !ORRERY_SANITIZED
#define ORRERY_EMULATE_AVX512
#include "kernels/cpu/simd_avx512.h"

namespace orrery::kernels::cpu {
extern const LaneKernels kEmulatedAvx512Lanes;
}  // namespace orrery::kernels::cpu

#define ORRERY_LANE_KERNELS kEmulatedAvx512Lanes
#include "kernels/cpu/ops/lanes.inc"
#endif
