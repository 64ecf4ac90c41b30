// table_amx.cpp once more, over emulated intrinsics and tiles and under another name, for the
// tests. Built with AVX2 flags, as its file name says. Without SIMDe there is none; nor under a
// sanitizer, which would take the compiler many minutes.
#include "base/sanitizers.h"

#if __has_include(<simde/x86/avx512/fmadd.h>) && !ORRERY_SANITIZED
#define ORRERY_EMULATE_AVX512
#include "kernels/cpu/simd_amx.h"

namespace orrery::kernels::cpu {
extern const LaneKernels kEmulatedAvx512Lanes;      // emulated_lanes_avx2_test.cpp
extern const BlockMatmul kEmulatedAvx512VnniBytes;  // emulated_bytes_avx2_test.cpp
extern const CpuTable kEmulatedAmxTable;
const CpuTable* emulated_amx_table();
}  // namespace orrery::kernels::cpu

#define ORRERY_TABLE kEmulatedAmxTable
#define ORRERY_LANE_KERNELS kEmulatedAvx512Lanes
#define ORRERY_BYTE_MATMUL &kEmulatedAvx512VnniBytes
#define ORRERY_TABLE_NAME "amx emulated"
#include "kernels/cpu/ops/products_bytes.inc"
#define ORRERY_ROWS_FOR_TILES kRowsForTiles
#define ORRERY_MATMUL matmul_with_tiles
#define ORRERY_ROUND_ROWS round_rows_for_tiles
#include "kernels/cpu/ops/matmul_tiles.inc"
#include "kernels/cpu/ops/table.inc"

namespace orrery::kernels::cpu {
const CpuTable* emulated_amx_table() { return &kEmulatedAmxTable; }
}  // namespace orrery::kernels::cpu
#else
#include "kernels/cpu/tables_for_tests.h"

namespace orrery::kernels::cpu {
const CpuTable* emulated_amx_table() { return nullptr; }
}  // namespace orrery::kernels::cpu
#endif
