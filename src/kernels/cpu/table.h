// A table of CPU kernels: the loops of kernels.h for one instruction set, as plain functions on
// plain memory. CpuKernels (cpu_kernels.cpp) checks arguments, splits the work over threads and
// calls these.
//
// One source (cpu/ops/*.inc) is compiled once for each instruction set over a type of sixteen fp32
// lanes (cpu/simd_*.h); so the tables give the same bits by construction. A kernel written for one
// weight format and one instruction set replaces an entry of its table.
//
// An instruction-set object exports its table and nothing else (tools/check_symbols.sh): everything
// here and in cpu/ops is without inline functions of other headers, std or otherwise, whose weak
// copies the linker could give to code that runs on older CPUs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/packed_layout.h"
#include "tensor/dtype.h"

namespace orrery::kernels::cpu {

#define ORRERY_INLINE inline __attribute__((always_inline))
// To the end; g++ wants a number, which is that of the longest such loop (kTileItems). What it does
// not unroll it keeps in memory.
#if defined(__clang__)
#define ORRERY_UNROLL _Pragma("unroll")
#else
#define ORRERY_UNROLL _Pragma("GCC unroll 24")
#endif

// Inputs that a matmul with a block format treats at once: one super-block of the K formats. 256 ·
// 32 outputs in 16 bits are 16 KiB, half of the first-level cache.
constexpr int64_t kMatmulChunk = 256;
// What block formats unpack at once: codes, 32 KiB at most, and scales and addends.
constexpr int64_t kMatmulSlabFloats = kMatmulChunk * 40;
// Rows of a matmul task: their chunk of x (1 KiB a row) stays in a second-level cache of 256 KiB
// and more while the panels pass; unpacking a panel costs some 4 % of what 192 rows then do with
// it. Panels of a task of many rows, which use the chunk of x in the cache one after the other.
constexpr int64_t kMatmulRows = 192;
constexpr int64_t kMatmulPanels = 8;
constexpr int64_t kMatmulScratchFloats = kMatmulSlabFloats + kMatmulRows * kMatmulPanels * 32;

// Rows rounded to integers (activations.h) for a block format of sub-blocks s, in tiles of
// kRoundedTile rows r (the last has what is left), so that a tile reads one piece of memory front
// to back; a tile of rows from t on begins at element t · k of q, and likewise of the others.
//
// Where a table has tile registers and the call enough rows (CpuTable::rows_for_tiles) tiles have
// 16 rows, the last too, and q two parts of each number in bf16 (kTiles; ops/matmul_tiles.inc) or,
// of activations of 8 bits, bytes (kByteTiles).
// Activations of 8 bits may be stored as bytes, for CpuTable::bytes to multiply.
constexpr int64_t kRoundedTile = 4;
constexpr int64_t kRowsOfTile = 16;
enum class RoundedForm : uint8_t { kRows, kTiles, kByteTiles, kBytes };
struct RoundedRows {
  // [T / r][k / 4][r][4], 16-bit numbers, of kBytes 8-bit ones: four inputs as they are multiplied
  void* q;
  float* scale;     // [T / r][k / 32][r]
  int32_t* starts;  // [T / r][k / s][r]: −(format's offset) · Σ q, where sums of products begin
  float* scaled_sums;  // [T / r][k / s][r]: scale · Σ q, what a minimum is multiplied with
  RoundedForm form;
};

// out[t, n] for the rows and panels given (kernels.h: matmul).
struct MatmulTask {
  // For plain formats: in tiles of LaneKernels::tile_rows rows r (the last has what is left), [T
  // / r][k][r], for the reason given above.
  const float* x;
  // The same as PairMatmul wants it, [T / r][k / 2][r]: bf16, the first of two in the high half.
  const uint32_t* pairs;
  RoundedRows rounded;      // the same, for block formats
  const std::byte* panels;  // of the whole matrix
  int64_t panel_bytes, n, k;
  DType dtype;
  const float* bias;  // [n] or null
  float* out;         // [T][n]
  // At most kMatmulRows rows by kMatmulPanels panels, whose sums have room in `scratch`.
  int64_t row_begin, row_end, panel_begin, panel_end;
  float* scratch;  // kMatmulScratchFloats, aligned to 64 bytes
};

// A query row of one head: an item. Its softmax state is state_floats(d) floats: the maximum, 1 if
// any position was seen, 14 unused; sixteen sums; d accumulators, rounded up to sixteen.
constexpr int64_t state_floats(int64_t head_dim) { return 32 + (head_dim + 15) / 16 * 16; }
// What attend needs for so many items: their states, then their queries, [d][items]. A tile takes a
// number of each of its items at a time: there are not registers for as many addresses.
constexpr int64_t attend_floats(int64_t items, int64_t head_dim) {
  return items * (state_floats(head_dim) + head_dim);
}

// The positions [begin, end) of a context, inside one part of kAttentionSplit, for rows × group
// items of each of some kv heads: item i is row i / group, query head i % group of its kv head.
struct AttendTask {
  const float* q;  // of item 0 of the first kv head; its heads follow each other, then the next's
  int64_t q_row_stride;
  int64_t heads, rows, group, head_dim;
  int64_t first_position;  // of row 0
  const int32_t* block_table;
  const std::byte* keys;  // of the first kv head in block 0
  const std::byte* values;
  int64_t head_bytes;   // from a kv head to the next: its numbers, then the scales of kI8
  int64_t block_bytes;  // from a block to the next
  DType dtype;
  float scale;
  int64_t window;
  int64_t begin, end;
  float* states;  // [heads][attend_floats(rows · group, head_dim)], set by attend
};

// A matmul with block formats, and what rounds its input: the rows row_begin .. row_end − 1 of
// `rows`, which lie at x, [row_end − row_begin][k], k a multiple of 32, to integers of at most
// `largest`, to the same rows of `out`, for weights of a format with that layout.
struct BlockMatmul {
  void (*matmul)(const MatmulTask& task);
  void (*round_rows)(const float* x, const PackedLayout& layout, float largest, int64_t rows,
                     int64_t k, int64_t row_begin, int64_t row_end, const RoundedRows& out);
  int most_bits;  // of a code
};

// Dot products of an instruction set: independent chains in registers.
struct DotProducts {
  int64_t ops_per_iteration;  // multiplications and additions
  uint32_t (*burn)(int64_t iterations);
};

// A matmul of bf16 weights with inputs rounded to bf16 (activations.h), two in one instruction; k
// is even.
struct PairMatmul {
  int64_t tile_rows;  // MatmulTask::pairs
  void (*matmul)(const MatmulTask& task);
  // A tile of `rows` rows of x [rows][k].
  void (*round_tile)(const float* x, int64_t rows, int64_t k, uint32_t* out);
  // Whether the processor's instruction adds and rounds as the definition does.
  bool (*adds_in_order)();
  // The instruction alone: used where it does more than the fp32 multiply-adds of plain_matmul,
  // whose bits it gives. Null: used anyway.
  const DotProducts* dots = nullptr;
};

// What works on fp32 lanes alone, shared by tables that differ in how they multiply integers.
struct LaneKernels {
  int fp32_flops_per_burn;  // of one iteration of burn
  int64_t tile_rows;        // MatmulTask::x

  void (*plain_matmul)(const MatmulTask& task);
  // out may be x. [rows][cols]
  void (*rms_norm)(const float* x, const float* weight, float eps, int64_t rows, int64_t cols,
                   float* out);
  void (*add)(float* x, const float* y, int64_t n);
  // out may be gate.
  void (*silu_mul)(const float* gate, const float* up, int64_t n, float* out);
  // x [tokens][heads][d], cos_sin [tokens][2 · half]
  void (*rope)(float* x, const float* cos_sin, int64_t tokens, int64_t heads, int64_t d,
               int64_t half);
  void (*attend)(const AttendTask& task);
  // What attend is measured against: all scores of the items in memory, then their softmax, then
  // the sum of values; no online maximum, no parts. `scores` [items][stride] floats, stride ≥ end −
  // begin rounded up to blocks of 16; `begin` is a multiple of 16.
  void (*attend_materialised)(const AttendTask& task, float* scores, int64_t stride);
  // Adds the later part's states to `total`'s, both [items].
  void (*merge)(float* total, const float* part, int64_t items, int64_t head_dim);
  // out[d] of one item.
  void (*finish)(const float* state, int64_t head_dim, float* out);

  // For measuring the machine: independent chains of fp32 FMA; a sum over memory.
  float (*burn)(int64_t iterations);
  uint32_t (*read)(const std::byte* data, int64_t bytes);
};

struct CpuTable {
  const char* name;
  const LaneKernels* lanes;
  int64_t rows_for_tiles;  // RoundedForm::kTiles from so many rows on; 0: never
  BlockMatmul blocks;
  const BlockMatmul* bytes;  // RoundedForm::kBytes; null where that would be no faster
  const PairMatmul* pairs = nullptr;
  // The fastest of the instruction set, to be measured; null where it has none.
  const DotProducts* int8_dots = nullptr;
  const DotProducts* bf16_dots = nullptr;
};

extern const DotProducts kInt8DotProducts;   // vpdpbusd
extern const DotProducts kBf16DotProducts;   // vdpbf16ps
extern const DotProducts kInt8TileProducts;  // AMX
extern const DotProducts kBf16TileProducts;

extern const BlockMatmul kAvx2Bytes;
extern const BlockMatmul kAvxVnniBytes;
extern const BlockMatmul kAvx512VnniBytes;

extern const PairMatmul kAvx512Bf16Pairs;

extern const LaneKernels kScalarLanes;
extern const LaneKernels kAvx2Lanes;
extern const LaneKernels kAvx512Lanes;

extern const CpuTable kScalarTable;
extern const CpuTable kAvx2Table;
extern const CpuTable kAvxVnniTable;
extern const CpuTable kAvx512Table;
extern const CpuTable kAvx512VnniTable;
extern const CpuTable kAmxTable;

}  // namespace orrery::kernels::cpu
