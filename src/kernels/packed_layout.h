// How each weight format lies in a panel (packed.h), as constants. Includes nothing with code,
// since instruction-set files use it.
#pragma once

#include "tensor/dtype.h"

namespace orrery::kernels {

// Plain formats have bits = 0 and only `group`.
struct PackedLayout {
  int group;          // inputs packed together: 1 (f32), 2 (f16, bf16), 32 or 256
  int sub_block;      // inputs that share a scale
  int bits;           // of a code
  bool minimum;       // codes are unsigned, the number is scale * q - minimum
  bool super_blocks;  // the scales are themselves quantised

  constexpr int offset() const { return minimum ? 0 : 1 << (bits - 1); }  // q = code - offset
  constexpr int group_header_bytes() const { return bits == 0 ? 0 : minimum ? 128 : 64; }
  constexpr int sub_header_bytes() const {  // q2_k shares a byte
    return !super_blocks ? 0 : minimum && bits > 2 ? 64 : 32;
  }
  constexpr int sub_bytes() const { return sub_header_bytes() + sub_block * bits * 4; }
  constexpr int group_bytes() const {  // block formats
    return group_header_bytes() + group / sub_block * sub_bytes();
  }
};

// All zero for what is no weight format.
constexpr PackedLayout packed_layout(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return {1, 1, 0, false, false};
    case DType::kF16:
    case DType::kBF16:
      return {2, 2, 0, false, false};
    case DType::kQ8_0:
      return {32, 32, 8, false, false};
    case DType::kQ4_0:
      return {32, 32, 4, false, false};
    case DType::kQ4_1:
      return {32, 32, 4, true, false};
    case DType::kQ5_0:
      return {32, 32, 5, false, false};
    case DType::kQ5_1:
      return {32, 32, 5, true, false};
    case DType::kQ2_K:
      return {256, 16, 2, true, true};
    case DType::kQ3_K:
      return {256, 16, 3, false, true};
    case DType::kQ4_K:
      return {256, 32, 4, true, true};
    case DType::kQ5_K:
      return {256, 32, 5, true, true};
    case DType::kQ6_K:
      return {256, 16, 6, false, true};
    default:
      return {0, 0, 0, false, false};
  }
}

}  // namespace orrery::kernels
