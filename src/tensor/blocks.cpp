#include "tensor/blocks.h"

#include <cstring>

#include "base/check.h"
#include "tensor/float16.h"

namespace orrery {
namespace {

int nibble(const uint8_t* q, int i) { return i < 16 ? q[i] & 15 : q[i - 16] >> 4; }
int fifth_bit(const uint8_t* qh, int i) { return (qh[i / 8] >> (i % 8) & 1) << 4; }

void unpack(const BlockQ8_0& b, UnpackedBlock& out) {
  out.scale[0] = f16_to_f32(b.d);
  out.minimum[0] = 0;
  std::memcpy(out.q, b.q, 32);
}

void unpack(const BlockQ4_0& b, UnpackedBlock& out) {
  out.scale[0] = f16_to_f32(b.d);
  out.minimum[0] = 0;
  for (int i = 0; i < 32; ++i) out.q[i] = static_cast<int8_t>(nibble(b.q, i) - 8);
}

void unpack(const BlockQ4_1& b, UnpackedBlock& out) {
  out.scale[0] = f16_to_f32(b.d);
  out.minimum[0] = -f16_to_f32(b.m);
  for (int i = 0; i < 32; ++i) out.q[i] = static_cast<int8_t>(nibble(b.q, i));
}

void unpack(const BlockQ5_0& b, UnpackedBlock& out) {
  out.scale[0] = f16_to_f32(b.d);
  out.minimum[0] = 0;
  for (int i = 0; i < 32; ++i)
    out.q[i] = static_cast<int8_t>((nibble(b.q, i) | fifth_bit(b.qh, i)) - 16);
}

void unpack(const BlockQ5_1& b, UnpackedBlock& out) {
  out.scale[0] = f16_to_f32(b.d);
  out.minimum[0] = -f16_to_f32(b.m);
  for (int i = 0; i < 32; ++i) out.q[i] = static_cast<int8_t>(nibble(b.q, i) | fifth_bit(b.qh, i));
}

// Number i of a Q2_K or Q3_K block: half h = i / 128 in bytes 32h .. 32h + 31, two bits per quarter
// of the half.
int two_bits(const uint8_t* q, int i) { return q[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3; }

void unpack(const BlockQ2_K& b, UnpackedBlock& out) {
  const float d = f16_to_f32(b.d), dmin = f16_to_f32(b.dmin);
  for (int s = 0; s < 16; ++s) {
    out.scale[s] = d * static_cast<float>(b.scales[s] & 15);
    out.minimum[s] = dmin * static_cast<float>(b.scales[s] >> 4);
  }
  for (int i = 0; i < 256; ++i) out.q[i] = static_cast<int8_t>(two_bits(b.q, i));
}

void unpack(const BlockQ3_K& b, UnpackedBlock& out) {
  const float d = f16_to_f32(b.d);
  for (int s = 0; s < 16; ++s) {
    const int low = s < 8 ? b.scales[s] & 15 : b.scales[s - 8] >> 4;
    const int high = b.scales[8 + s % 4] >> (s / 4 * 2) & 3;
    out.scale[s] = d * static_cast<float>((low | high << 4) - 32);
    out.minimum[s] = 0;
  }
  for (int i = 0; i < 256; ++i) {
    const int high = b.hmask[i % 32] >> (i / 32) & 1;
    out.q[i] = static_cast<int8_t>(two_bits(b.q, i) - (high != 0 ? 0 : 4));
  }
}

// Scale and minimum of sub-block s of Q4_K and Q5_K: eight 6-bit pairs in 12 bytes.
void scale_and_minimum(const uint8_t* scales, int s, int& scale, int& minimum) {
  if (s < 4) {
    scale = scales[s] & 63;
    minimum = scales[s + 4] & 63;
  } else {
    scale = (scales[s + 4] & 15) | (scales[s - 4] >> 6) << 4;
    minimum = scales[s + 4] >> 4 | (scales[s] >> 6) << 4;
  }
}

template <typename Block>
void unpack_k_scales(const Block& b, UnpackedBlock& out) {
  const float d = f16_to_f32(b.d), dmin = f16_to_f32(b.dmin);
  for (int s = 0; s < 8; ++s) {
    int scale = 0, minimum = 0;
    scale_and_minimum(b.scales, s, scale, minimum);
    out.scale[s] = d * static_cast<float>(scale);
    out.minimum[s] = dmin * static_cast<float>(minimum);
  }
}

// Number i of a Q4_K or Q5_K block: quarter j = i / 64 in bytes 32j .. 32j + 31, its first half in
// the low nibbles.
int quarter_nibble(const uint8_t* q, int i) {
  return q[i / 64 * 32 + i % 32] >> (i % 64 / 32 * 4) & 15;
}

void unpack(const BlockQ4_K& b, UnpackedBlock& out) {
  unpack_k_scales(b, out);
  for (int i = 0; i < 256; ++i) out.q[i] = static_cast<int8_t>(quarter_nibble(b.q, i));
}

void unpack(const BlockQ5_K& b, UnpackedBlock& out) {
  unpack_k_scales(b, out);
  for (int i = 0; i < 256; ++i) {
    out.q[i] = static_cast<int8_t>(quarter_nibble(b.q, i) | (b.qh[i % 32] >> (i / 32) & 1) << 4);
  }
}

void unpack(const BlockQ6_K& b, UnpackedBlock& out) {
  const float d = f16_to_f32(b.d);
  for (int s = 0; s < 16; ++s) {
    out.scale[s] = d * static_cast<float>(b.scales[s]);
    out.minimum[s] = 0;
  }
  for (int i = 0; i < 256;
       ++i) {  // halves of 128: low nibbles of 64 bytes, then high; two more bits in 32 bytes
    const int half = i / 128, r = i % 128;
    const int low = b.ql[half * 64 + r % 64] >> (r / 64 * 4) & 15;
    const int high = b.qh[half * 32 + r % 32] >> (r / 32 * 2) & 3;
    out.q[i] = static_cast<int8_t>((low | high << 4) - 32);
  }
}

template <typename Block>
void unpack_bytes(const void* src, UnpackedBlock& out) {
  Block block;
  std::memcpy(&block, src, sizeof(block));
  unpack(block, out);
}

uint16_t load_u16(const std::byte* src) {
  uint16_t value = 0;
  std::memcpy(&value, src, sizeof(value));
  return value;
}

}  // namespace

int sub_block_elements(DType dtype) {
  return dtype == DType::kQ2_K || dtype == DType::kQ3_K || dtype == DType::kQ6_K ? 16 : 32;
}

void unpack_block(DType dtype, const void* block, UnpackedBlock& out) {
  switch (dtype) {
    case DType::kQ8_0:
      return unpack_bytes<BlockQ8_0>(block, out);
    case DType::kQ4_0:
      return unpack_bytes<BlockQ4_0>(block, out);
    case DType::kQ4_1:
      return unpack_bytes<BlockQ4_1>(block, out);
    case DType::kQ5_0:
      return unpack_bytes<BlockQ5_0>(block, out);
    case DType::kQ5_1:
      return unpack_bytes<BlockQ5_1>(block, out);
    case DType::kQ2_K:
      return unpack_bytes<BlockQ2_K>(block, out);
    case DType::kQ3_K:
      return unpack_bytes<BlockQ3_K>(block, out);
    case DType::kQ4_K:
      return unpack_bytes<BlockQ4_K>(block, out);
    case DType::kQ5_K:
      return unpack_bytes<BlockQ5_K>(block, out);
    case DType::kQ6_K:
      return unpack_bytes<BlockQ6_K>(block, out);
    default:
      CHECK(false) << name(dtype) << " has no blocks";
  }
}

void dequantise(DType dtype, const void* src, std::span<float> out) {
  const auto* bytes = static_cast<const std::byte*>(src);
  const int64_t n = static_cast<int64_t>(out.size());
  if (dtype == DType::kF32) {
    std::memcpy(out.data(), src, out.size_bytes());
  } else if (dtype == DType::kF16) {
    for (int64_t i = 0; i < n; ++i)
      out[static_cast<size_t>(i)] = f16_to_f32(load_u16(bytes + 2 * i));
  } else if (dtype == DType::kBF16) {
    for (int64_t i = 0; i < n; ++i)
      out[static_cast<size_t>(i)] = bf16_to_f32(load_u16(bytes + 2 * i));
  } else {
    const auto [_, block_elements, block_bytes] = info(dtype);
    const int sub = sub_block_elements(dtype);
    CHECK(n % block_elements == 0);
    UnpackedBlock block;
    for (int64_t b = 0; b < n / block_elements; ++b) {
      unpack_block(dtype, bytes + b * block_bytes, block);
      float* y = out.data() + b * block_elements;
      for (int64_t i = 0; i < block_elements; ++i) {
        y[i] = block.scale[i / sub] * static_cast<float>(block.q[i]) - block.minimum[i / sub];
      }
    }
  }
}

}  // namespace orrery
