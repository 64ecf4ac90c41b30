#include "kernels/activations.h"
#include "kernels/cpu/simd_avxvnni.h"
#include "kernels/cpu/table.h"
#include "kernels/packed_layout.h"

#define ORRERY_TABLE kAvxVnniTable
#define ORRERY_LANE_KERNELS kAvx2Lanes
#define ORRERY_BYTE_MATMUL &kAvxVnniBytes
#define ORRERY_TABLE_NAME "avxvnni"
#include "kernels/cpu/ops/products_bytes.inc"
#include "kernels/cpu/ops/table.inc"
