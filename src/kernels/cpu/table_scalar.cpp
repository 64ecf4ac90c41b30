#include "kernels/activations.h"
#include "kernels/cpu/simd_scalar.h"
#include "kernels/cpu/table.h"
#include "kernels/packed_layout.h"

#define ORRERY_TABLE kScalarTable
#define ORRERY_LANE_KERNELS kScalarLanes
#define ORRERY_TABLE_NAME "scalar"
#include "kernels/cpu/ops/products_words.inc"
#include "kernels/cpu/ops/table.inc"
