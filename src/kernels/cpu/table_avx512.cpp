#include "kernels/activations.h"
#include "kernels/cpu/simd_avx512.h"
#include "kernels/cpu/table.h"
#include "kernels/packed_layout.h"

#define ORRERY_TABLE kAvx512Table
#define ORRERY_LANE_KERNELS kAvx512Lanes
#define ORRERY_TABLE_NAME "avx512"
#include "kernels/cpu/ops/products_words.inc"
#include "kernels/cpu/ops/table.inc"
