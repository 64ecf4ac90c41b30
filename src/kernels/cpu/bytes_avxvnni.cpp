#include "kernels/activations.h"
#include "kernels/cpu/simd_avxvnni.h"
#include "kernels/cpu/table.h"
#include "kernels/exp.h"
#include "kernels/packed_layout.h"

#define ORRERY_BYTES kAvxVnniBytes
#include "kernels/cpu/ops/products_byte.inc"
#include "kernels/cpu/ops/table_of_bytes.inc"
