#include "kernels/cpu/simd_scalar.h"
#include "kernels/cpu/table.h"
#include "kernels/exp.h"

#define ORRERY_LANE_KERNELS kScalarLanes
#include "kernels/cpu/ops/lanes.inc"
