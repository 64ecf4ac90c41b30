// The quantised block formats of GGUF, as they lie on disk (little-endian), and what their numbers
// are.
//
// Legacy formats: 32 numbers, one fp16 scale d and for the _1 forms an fp16 minimum m: x = d·q (+
// m). K formats: 256 numbers in sub-blocks whose scales (and minima) are themselves quantised: x =
// d·sc·q (− dmin·mn). Source: the GGUF specification and the block definitions of ggml (k-quants).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/dtype.h"

namespace orrery {

struct BlockQ8_0 {
  static constexpr int kElements = 32;
  uint16_t d;  // fp16
  int8_t q[32];
};
struct BlockQ4_0 {  // x = d·(q − 8); number i in the low nibble of byte i for i < 16, else in the
                    // high nibble of byte i − 16
  static constexpr int kElements = 32;
  uint16_t d;
  uint8_t q[16];
};
struct BlockQ4_1 {
  static constexpr int kElements = 32;
  uint16_t d, m;
  uint8_t q[16];
};
struct BlockQ5_0 {  // x = d·(q − 16); the fifth bit of number i is bit i of qh
  static constexpr int kElements = 32;
  uint16_t d;
  uint8_t qh[4];
  uint8_t q[16];
};
struct BlockQ5_1 {
  static constexpr int kElements = 32;
  uint16_t d, m;
  uint8_t qh[4];
  uint8_t q[16];
};
struct BlockQ2_K {  // 16 sub-blocks of 16; scales[i] = scale | minimum << 4
  static constexpr int kElements = 256;
  uint8_t scales[16];
  uint8_t q[64];
  uint16_t d, dmin;
};
struct BlockQ3_K {  // 16 sub-blocks of 16; 6-bit scales − 32; the third bit (set: +4) in hmask
  static constexpr int kElements = 256;
  uint8_t hmask[32];
  uint8_t q[64];
  uint8_t scales[12];
  uint16_t d;
};
struct BlockQ4_K {  // 8 sub-blocks of 32; 6-bit scales and minima
  static constexpr int kElements = 256;
  uint16_t d, dmin;
  uint8_t scales[12];
  uint8_t q[128];
};
struct BlockQ5_K {
  static constexpr int kElements = 256;
  uint16_t d, dmin;
  uint8_t scales[12];
  uint8_t qh[32];
  uint8_t q[128];
};
struct BlockQ6_K {  // 16 sub-blocks of 16; 8-bit scales; x = d·sc·(q − 32)
  static constexpr int kElements = 256;
  uint8_t ql[128];
  uint8_t qh[64];
  int8_t scales[16];
  uint16_t d;
};
static_assert(sizeof(BlockQ8_0) == 34 && sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 &&
              sizeof(BlockQ5_0) == 22 && sizeof(BlockQ5_1) == 24 && sizeof(BlockQ2_K) == 84 &&
              sizeof(BlockQ3_K) == 110 && sizeof(BlockQ4_K) == 144 && sizeof(BlockQ5_K) == 176 &&
              sizeof(BlockQ6_K) == 210);

// One block in one form for every format: number i is scale[i / sub] * q[i] − minimum[i / sub],
// each product and difference in fp32, with sub = sub_block_elements(dtype). Formats without minima
// have minimum 0.
struct UnpackedBlock {
  int8_t q[256];      // signed where the format subtracts an offset, else 0 .. 31
  float scale[16];    // d·sc, rounded to fp32
  float minimum[16];  // dmin·mn (K formats) or −m (_1 formats), rounded to fp32
};
int sub_block_elements(DType dtype);  // 16 or 32
void unpack_block(DType dtype, const void* block, UnpackedBlock& out);

// `elements` numbers (a multiple of the block) from any floating or block format to fp32. `src`
// need not be aligned.
void dequantise(DType dtype, const void* src, std::span<float> out);

}  // namespace orrery
