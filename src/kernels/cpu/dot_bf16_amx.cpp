// How many bf16 dot products the processor's tiles do in a second (limits.h).
#include "kernels/cpu/table.h"
#include "kernels/cpu/tiles_amx.h"

namespace orrery::kernels::cpu {
namespace {

// Four sums, of numbers that are not all zero: those would be multiplied at a higher clock.
uint32_t burn(int64_t iterations) {
  alignas(64) uint16_t numbers[kTileBytes / 2];
  for (uint16_t i = 0; i < kTileBytes / 2; ++i) numbers[i] = 0x3F00 + i % 128;  // 0.5 .. 1
  begin_tiles();
  load_tile<4>(numbers);
  load_tile<5>(numbers);
  load_tile<6>(numbers);
  load_tile<7>(numbers);
  zero_tile<0>();
  zero_tile<1>();
  zero_tile<2>();
  zero_tile<3>();
  for (int64_t i = 0; i < iterations; ++i) {
    multiply_tiles<0, 4, 6>();
    multiply_tiles<1, 4, 7>();
    multiply_tiles<2, 5, 6>();
    multiply_tiles<3, 5, 7>();
  }
  store_tile<0>(numbers);
  end_tiles();
  return numbers[0];
}

}  // namespace

const DotProducts kBf16TileProducts = {4 * 16 * 16 * 32 * 2, burn};

}  // namespace orrery::kernels::cpu
