#include "kernels/activations.h"
#include "kernels/cpu/simd_avx512vnni.h"
#include "kernels/cpu/table.h"
#include "kernels/exp.h"
#include "kernels/packed_layout.h"

#define ORRERY_BYTES kAvx512VnniBytes
#include "kernels/cpu/ops/products_byte.inc"
#include "kernels/cpu/ops/table_of_bytes.inc"
