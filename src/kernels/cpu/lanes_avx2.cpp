#include "kernels/cpu/simd_avx2.h"
#include "kernels/cpu/table.h"
#include "kernels/exp.h"

#define ORRERY_LANE_KERNELS kAvx2Lanes
#include "kernels/cpu/ops/lanes.inc"
