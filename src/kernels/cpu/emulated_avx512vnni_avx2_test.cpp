// table_avx512vnni.cpp once more, over emulated intrinsics and under another name, for the tests.
// Built with AVX2 flags, as its file name says. Without SIMDe there is none; nor under a sanitizer,
// which would take the compiler many minutes and checks the same source in the AVX2 table.
#include "base/sanitizers.h"

#if __has_include(<simde/x86/avx512/fmadd.h>) && !ORRERY_SANITIZED
#define ORRERY_EMULATE_AVX512
#include "kernels/cpu/simd_avx512vnni.h"

namespace orrery::kernels::cpu {
extern const LaneKernels kEmulatedAvx512Lanes;      // emulated_lanes_avx2_test.cpp
extern const BlockMatmul kEmulatedAvx512VnniBytes;  // emulated_bytes_avx2_test.cpp
extern const CpuTable kEmulatedAvx512VnniTable;
const CpuTable* emulated_avx512vnni_table();
}  // namespace orrery::kernels::cpu

#define ORRERY_TABLE kEmulatedAvx512VnniTable
#define ORRERY_LANE_KERNELS kEmulatedAvx512Lanes
#define ORRERY_BYTE_MATMUL &kEmulatedAvx512VnniBytes
#define ORRERY_TABLE_NAME "avx512vnni emulated"
#include "kernels/cpu/ops/products_bytes.inc"
#include "kernels/cpu/ops/table.inc"

namespace orrery::kernels::cpu {
const CpuTable* emulated_avx512vnni_table() { return &kEmulatedAvx512VnniTable; }
}  // namespace orrery::kernels::cpu
#else
#include "kernels/cpu/tables_for_tests.h"

namespace orrery::kernels::cpu {
const CpuTable* emulated_avx512vnni_table() { return nullptr; }
}  // namespace orrery::kernels::cpu
#endif
