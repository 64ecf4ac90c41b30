// The tile registers of AMX as functions: eight of up to 16 rows of up to 64 bytes, named by their
// numbers. Between a begin_… and end_tiles() only, on one thread. In memory rows follow each other.
// In assembly, because g++ 12's intrinsics do not say which memory they read.
//
// With ORRERY_EMULATE_AVX512 (the tests) the tiles are arrays.
#pragma once

#include "kernels/cpu/table.h"

#ifdef ORRERY_EMULATE_AVX512
#include "kernels/cpu/emulated_tiles_for_tests.h"
#else

namespace orrery::kernels::cpu {
namespace {

constexpr int64_t kTileBytes = 1024;

struct alignas(64) TileShapes {
  uint8_t palette = 1, start_row = 0, zeros[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
// All of 16 rows of 64 bytes.
ORRERY_INLINE void begin_tiles() {
  static constexpr TileShapes kShapes{};
  asm volatile("ldtilecfg %0" : : "m"(kShapes));
}
// Products of kInputs bytes: 4 and 5 of 16 rows of as many, 6 and 7 of 64 bytes for every four.
template <int kInputs>
ORRERY_INLINE void begin_byte_tiles() {
  static constexpr TileShapes kShapes{.row_bytes = {64, 64, 64, 64, kInputs, kInputs, 64, 64},
                                      .rows = {16, 16, 16, 16, 16, 16, kInputs / 4, kInputs / 4}};
  asm volatile("ldtilecfg %0" : : "m"(kShapes));
}
ORRERY_INLINE void end_tiles() { asm volatile("tilerelease"); }

// kRowBytes: of the tile's rows.
template <int kTile, int64_t kRowBytes = 64>
ORRERY_INLINE void load_tile(const void* p) {
  asm volatile("tileloadd (%1,%2,1), %%tmm%c0"
               :
               : "i"(kTile), "r"(p), "r"(kRowBytes),
                 "m"(*static_cast<const uint8_t(*)[kTileBytes]>(p)));
}
template <int kTile>
ORRERY_INLINE void store_tile(void* p) {
  asm volatile("tilestored %%tmm%c1, (%2,%3,1)"
               : "=m"(*static_cast<uint8_t(*)[kTileBytes]>(p))
               : "i"(kTile), "r"(p), "r"(int64_t{64}));
}
template <int kTile>
ORRERY_INLINE void zero_tile() {
  asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
}
// sum[m][n] += Σ_k a[m][2k] · b[k][2n] + a[m][2k + 1] · b[k][2n + 1], a and b bf16, sum fp32.
template <int kSum, int kA, int kB>
ORRERY_INLINE void multiply_tiles() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
}
// The same of four 8-bit numbers each, signed, sum int32.
template <int kSum, int kA, int kB>
ORRERY_INLINE void multiply_byte_tiles() {
  asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
}

}  // namespace
}  // namespace orrery::kernels::cpu
#endif
