#include "kernels/activations.h"
#include "kernels/cpu/simd_avx2.h"
#include "kernels/cpu/table.h"
#include "kernels/packed_layout.h"

#define ORRERY_TABLE kAvx2Table
#define ORRERY_LANE_KERNELS kAvx2Lanes
#define ORRERY_BYTE_MATMUL &kAvx2Bytes
#define ORRERY_TABLE_NAME "avx2"
#include "kernels/cpu/ops/products_words.inc"
#include "kernels/cpu/ops/table.inc"
