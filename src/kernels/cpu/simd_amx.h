// simd_avx512vnni.h with the tiles of AMX, and tables of 16-bit numbers to look codes up in
// (ops/matmul_tiles.inc). Private to one table file: anonymous namespace.
#pragma once

#include "kernels/cpu/simd_avx512vnni.h"
#include "kernels/cpu/tiles_amx.h"

namespace orrery::kernels::cpu {
namespace {

// Of each 16-bit number the entry at its low five bits, or six.
ORRERY_INLINE I16 look_up_32(const uint16_t* table, I16 at) {
  return {_mm512_permutexvar_epi16(at.v, load_ints(table).v)};
}
ORRERY_INLINE I16 look_up_64(const uint16_t* table, I16 at) {
  return {_mm512_permutex2var_epi16(load_ints(table).v, at.v, load_ints(table + 32).v)};
}

// Byte by byte.
ORRERY_INLINE I16 subtract_bytes(I16 a, I16 b) { return {_mm512_sub_epi8(a.v, b.v)}; }

}  // namespace
}  // namespace orrery::kernels::cpu
