// bytes_avx512vnni.cpp once more, over emulated intrinsics and under another name: what the
// emulated tables take for activations of 8 bits.
#include "base/sanitizers.h"

#if __has_include(<simde/x86/avx512/fmadd.h>) && !ORRERY_SANITIZED
#define ORRERY_EMULATE_AVX512
#include "kernels/cpu/simd_avx512vnni.h"

namespace orrery::kernels::cpu {
extern const BlockMatmul kEmulatedAvx512VnniBytes;
}  // namespace orrery::kernels::cpu

#define ORRERY_BYTES kEmulatedAvx512VnniBytes
#include "kernels/cpu/ops/products_byte.inc"
#include "kernels/cpu/ops/table_of_bytes.inc"
#endif
