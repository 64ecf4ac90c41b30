#include "kernels/cpu/simd_avx512.h"
#include "kernels/cpu/table.h"
#include "kernels/exp.h"

#define ORRERY_LANE_KERNELS kAvx512Lanes
#include "kernels/cpu/ops/lanes.inc"
