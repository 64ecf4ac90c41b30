#include "kernels/activations.h"
#include "kernels/cpu/simd_amx.h"
#include "kernels/cpu/table.h"
#include "kernels/packed_layout.h"

#define ORRERY_TABLE kAmxTable
#define ORRERY_LANE_KERNELS kAvx512Lanes
#define ORRERY_BYTE_MATMUL &kAvx512VnniBytes
#define ORRERY_TABLE_NAME "amx"
#include "kernels/cpu/ops/products_bytes.inc"
#define ORRERY_ROWS_FOR_TILES kRowsForTiles
#define ORRERY_MATMUL matmul_with_tiles
#define ORRERY_ROUND_ROWS round_rows_for_tiles
#include "kernels/cpu/ops/matmul_tiles.inc"
#include "kernels/cpu/ops/table.inc"
