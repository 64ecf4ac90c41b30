// The one packed layout of weight matrices for CPUs.
//
// A panel holds 32 outputs (two 512-bit or four 256-bit registers of fp32), all k inputs; panels
// follow each other, the last is filled up with zeros. Inside a panel, k runs slowest and lanes run
// over outputs, so that one row and many rows of activations read it in the same order, front to
// back:
//
//   f32         [k][32] floats
//   f16, bf16   [k / 2][32][2], the second of the two first      (k odd: a zero is added)
//   q8_0        per 32 k:   d[32] fp16, Q8
//   q4_0        per 32 k:   d[32] fp16, Q4
//   q4_1        per 32 k:   d[32], m[32] fp16, Q4
//   q5_0        per 32 k:   d[32] fp16, Q4, Q1
//   q5_1        per 32 k:   d[32], m[32] fp16, Q4, Q1
//   q4_k        per 256 k:  d[32], dmin[32] fp16, then 8 times   scale[32], min[32] u8, Q4
//   q5_k        per 256 k:  d[32], dmin[32] fp16, then 8 times   scale[32], min[32] u8, Q4, Q1
//   q6_k        per 256 k:  d[32] fp16, then 16 times            scale[32] i8, Q4, Q2
//   q3_k        per 256 k:  d[32] fp16, then 16 times            scale[32] i8, Q2, Q1
//   q2_k        per 256 k:  d[32], dmin[32] fp16, then 16 times  scale | min << 4 [32] u8, Q2
//
// A sub-block (32 numbers of each output, 16 in q6_k, q3_k and q2_k) stores its numbers unsigned,
// as code = q + 2^(bits - 1) where the format is signed and code = q where it has a minimum. The
// planes hold the bits of the codes, Q4 and Q2 the low ones where two planes join: 5 = Q4 + Q1, 6 =
// Q4 + Q2, 3 = Q2 + Q1. A number (output o, input k) belongs to byte lane (o % 16) · 4 + k % 4 of
// the 64-byte vector (group g = k / 4 of the sub-block, half h = o / 16):
//   Q8   [g][h][64]: unsigned, as vpdpbusd wants them
//   Q4   [g][64]: half 0 in the low nibble, half 1 in the high
//   Q2   [g / 4][h][64]: group g in bits 2·(g % 4) and the next
//   Q1   [g / 4][64]: bit 2·(g % 4) + h
// Of two numbers in 4 bytes the first lies in the high half, because vdpbf16ps adds the product of
// the high halves before that of the low ones: with it, too, sums run over k in order.
//
// 8-bit scales instead of packed 6-bit ones cost q4_k 2.8 %, q5_k 2.3 % and q3_k 3.6 % more bytes,
// and save the unpacking.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "kernels/kernels.h"
#include "kernels/packed_layout.h"

namespace orrery::kernels {

inline constexpr int64_t kPanelWidth = 32;  // outputs

// Kernels::packed_layout() of all tables that use this layout. The number goes up with every change
// of a packed byte, also of how numbers are quantised on loading (packed_test.cpp holds a sum of
// them).
inline constexpr std::string_view kPanelLayout = "panels 2";

// Bytes of one panel over `k` inputs.
int64_t panel_bytes(DType dtype, int64_t k);
inline int64_t num_panels(int64_t n) { return (n + kPanelWidth - 1) / kPanelWidth; }

// An empty (zeroed) matrix of the shape of `rows`. Errors as Kernels::pack.
Result<PackedMatrix> allocate_panels(const WeightRows& rows);
// Fills panel number `panel` of it. Panels are independent: several threads may fill different
// ones.
void pack_panel(const WeightRows& rows, int64_t panel, PackedMatrix& w);
// Both for all panels, on one thread: the pack() of every CPU table.
Result<PackedMatrix> pack_panels(const WeightRows& rows);

// Row `n` of a matrix in a block format as it is stored: k integers q, and of each sub-block the
// scale and the minimum (0 where the format has none), so that a number is scale · q − minimum.
struct PackedRow {
  std::vector<int> q;                 // [k]
  std::vector<float> scale, minimum;  // [k / sub_block]
};
void unpack_codes(const PackedMatrix& w, int64_t n, PackedRow& out);

// Row `n` of the matrix, dequantised: out[k]. Used by embed and by tests; equal to dequantise() of
// the source row, bit for bit.
void unpack_row(const PackedMatrix& w, int64_t n, std::span<float> out);

}  // namespace orrery::kernels
