// The one packed layout of weight matrices for CPUs.
//
// A panel holds 32 outputs (two 512-bit or four 256-bit registers of fp32), all k inputs; panels
// follow each other, the last is filled up with zeros. Inside a panel, k runs slowest and lanes run
// over outputs, so that one row and many rows of activations read it in the same order, front to
// back:
//
//   f32         [k][32] floats
//   f16, bf16   [k / 2][32][2]                                                     (k odd: a zero
//   is added) q8_0        per 32 k:  d[32] fp16, then Q8 q4_0        per 32 k:  d[32] fp16, then Q4
//   q4_1: d, m[32] fp16, Q4 q5_0        per 32 k:  d[32] fp16, then Q4, Q1              q5_1: d, m,
//   Q4, Q1 q4_k        per 256 k: d[32], dmin[32] fp16, then 8 times:  scale[32], min[32] u8, Q4
//   q5_k        per 256 k: d, dmin, then 8 times:               scale, min, Q4, Q1
//   q6_k        per 256 k: d, then 16 times (16 k each):        scale[32] i8, Q4, Q2
//   q3_k        per 256 k: d, then 16 times:                    scale[32] i8, Q2, Q1
//   q2_k        per 256 k: d, dmin, then 16 times:              scale | min << 4 [32] u8, Q2
//
// The planes Qb hold b bits of each number of the sub-block. A number (output o, input k) belongs
// to byte lane (o % 16) · 4 + k % 4 of the 64-byte vector (group g = k / 4 of the sub-block, half h
// = o / 16):
//   Q8   [g][h][64] bytes, stored + 128 (unsigned, as vpdpbusd wants them)
//   Q4   [g][64]: half 0 in the low nibble, half 1 in the high
//   Q2   [g / 4][h][64]: group g in bits 2·(g % 4) and the next
//   Q1   [g / 4][64]: bit 2·(g % 4) + h
// 8-bit scales instead of packed 6-bit ones cost q4_k 2.8 %, q5_k 2.3 % and q3_k 3.6 % more bytes,
// and save the unpacking.
#pragma once

#include <cstdint>
#include <span>

#include "base/status.h"
#include "kernels/kernels.h"

namespace orrery::kernels {

inline constexpr int64_t kPanelWidth = 32;  // outputs

// Inputs that are packed together: whole blocks (32 or 256) or, for plain formats, 2.
int64_t packed_group(DType dtype);
// Bytes of one panel over `k` inputs.
int64_t panel_bytes(DType dtype, int64_t k);
inline int64_t num_panels(int64_t n) { return (n + kPanelWidth - 1) / kPanelWidth; }

// The pack() of every CPU table. Errors as Kernels::pack.
Result<PackedMatrix> pack_panels(const WeightRows& rows);

// Row `n` of the matrix, dequantised: out[k]. Used by embed and by tests; equal to dequantise() of
// the source row, bit for bit.
void unpack_row(const PackedMatrix& w, int64_t n, std::span<float> out);

}  // namespace orrery::kernels
