#include "kernels/activations.h"
#include "kernels/cpu/simd_avx512vnni.h"
#include "kernels/cpu/table.h"
#include "kernels/packed_layout.h"

#define ORRERY_TABLE kAvx512VnniTable
#define ORRERY_LANE_KERNELS kAvx512Lanes
#define ORRERY_BYTE_MATMUL &kAvx512VnniBytes
#define ORRERY_TABLE_NAME "avx512vnni"
#include "kernels/cpu/ops/products_bytes.inc"
#include "kernels/cpu/ops/table.inc"
