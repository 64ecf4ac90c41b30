// How many 8-bit dot products the processor's tiles do in a second (limits.h).
#include "kernels/cpu/table.h"
#include "kernels/cpu/tiles_amx.h"

namespace orrery::kernels::cpu {
namespace {

// Four sums, of numbers that are not all zero: those would be multiplied at a higher clock.
uint32_t burn(int64_t iterations) {
  alignas(64) uint8_t bytes[kTileBytes];
  for (int64_t i = 0; i < kTileBytes; ++i) bytes[i] = static_cast<uint8_t>(i * 0x9E3779B1U >> 13);
  begin_tiles();
  load_tile<4>(bytes);
  load_tile<5>(bytes);
  load_tile<6>(bytes);
  load_tile<7>(bytes);
  zero_tile<0>();
  zero_tile<1>();
  zero_tile<2>();
  zero_tile<3>();
  for (int64_t i = 0; i < iterations; ++i) {
    multiply_byte_tiles<0, 4, 6>();
    multiply_byte_tiles<1, 4, 7>();
    multiply_byte_tiles<2, 5, 6>();
    multiply_byte_tiles<3, 5, 7>();
  }
  store_tile<0>(bytes);
  end_tiles();
  return bytes[0];
}

}  // namespace

const DotProducts kInt8TileProducts = {4 * 16 * 16 * 64 * 2, burn};

}  // namespace orrery::kernels::cpu
