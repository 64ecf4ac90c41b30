// tiles_amx.h in plain loops, in the order of Intel's description: sums of even and of odd inputs,
// then both to the tile.
#pragma once

#include "kernels/cpu/table.h"

namespace orrery::kernels::cpu {
namespace {

constexpr int64_t kTileBytes = 1024;

struct EmulatedTile {
  uint8_t bytes[kTileBytes];  // a row every 64
};
thread_local EmulatedTile emulated_tiles[8];
thread_local int emulated_code_rows;  // of the tiles 6 and 7

ORRERY_INLINE void begin_tiles() {
  __builtin_memset(emulated_tiles, 0, sizeof(emulated_tiles));
  emulated_code_rows = 16;
}
template <int kInputs>
ORRERY_INLINE void begin_byte_tiles() {
  begin_tiles();
  emulated_code_rows = kInputs / 4;
}
// Whoever goes on with them finds NaNs.
ORRERY_INLINE void end_tiles() { __builtin_memset(emulated_tiles, 0xFF, sizeof(emulated_tiles)); }

template <int kTile, int64_t kRowBytes = 64>
ORRERY_INLINE void load_tile(const void* p) {
  const int rows = kTile >= 6 ? emulated_code_rows : 16;
  for (int row = 0; row < rows; ++row)
    __builtin_memcpy(emulated_tiles[kTile].bytes + row * 64,
                     static_cast<const uint8_t*>(p) + row * kRowBytes, kRowBytes);
}
template <int kTile>
ORRERY_INLINE void store_tile(void* p) {
  __builtin_memcpy(p, &emulated_tiles[kTile], kTileBytes);
}
template <int kTile>
ORRERY_INLINE void zero_tile() {
  __builtin_memset(&emulated_tiles[kTile], 0, kTileBytes);
}

inline float emulated_bf16(const EmulatedTile& tile, int row, int column) {
  uint16_t bits;
  __builtin_memcpy(&bits, tile.bytes + row * 64 + column * 2, sizeof(bits));
  return __builtin_bit_cast(float, static_cast<uint32_t>(bits) << 16);
}

template <int kSum, int kA, int kB>
void multiply_tiles() {
  const EmulatedTile &a = emulated_tiles[kA], &b = emulated_tiles[kB];
  for (int m = 0; m < 16; ++m) {
    for (int n = 0; n < 16; ++n) {
      float even = 0, odd = 0;
      for (int k = 0; k < 16; ++k) {
        even = __builtin_fmaf(emulated_bf16(a, m, 2 * k), emulated_bf16(b, k, 2 * n), even);
        odd = __builtin_fmaf(emulated_bf16(a, m, 2 * k + 1), emulated_bf16(b, k, 2 * n + 1), odd);
      }
      uint8_t* at = emulated_tiles[kSum].bytes + m * 64 + n * 4;
      float sum;
      __builtin_memcpy(&sum, at, sizeof(sum));
      sum += even + odd;
      __builtin_memcpy(at, &sum, sizeof(sum));
    }
  }
}

template <int kSum, int kA, int kB>
void multiply_byte_tiles() {
  const EmulatedTile &a = emulated_tiles[kA], &b = emulated_tiles[kB];
  for (int m = 0; m < 16; ++m) {
    for (int n = 0; n < 16; ++n) {
      uint8_t* at = emulated_tiles[kSum].bytes + m * 64 + n * 4;
      int32_t sum;
      __builtin_memcpy(&sum, at, sizeof(sum));
      for (int k = 0; k < 32; ++k)
        sum += static_cast<int8_t>(a.bytes[m * 64 + k]) *
               static_cast<int8_t>(b.bytes[k / 4 * 64 + n * 4 + k % 4]);
      __builtin_memcpy(at, &sum, sizeof(sum));
    }
  }
}

}  // namespace
}  // namespace orrery::kernels::cpu
