#include "kernels/cpu/simd_avx512bf16.h"
#include "kernels/cpu/table.h"

#define ORRERY_PAIRS kAvx512Bf16Pairs
#include "kernels/cpu/ops/matmul_pairs.inc"
