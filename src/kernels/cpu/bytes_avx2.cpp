#include "kernels/activations.h"
#include "kernels/cpu/simd_avx2.h"
#include "kernels/cpu/table.h"
#include "kernels/exp.h"
#include "kernels/packed_layout.h"

#define ORRERY_BYTES kAvx2Bytes
#include "kernels/cpu/ops/products_byte_pairs.inc"
#include "kernels/cpu/ops/table_of_bytes.inc"
