// Element formats of tensors: plain numbers and the block formats of GGUF.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace orrery {

enum class DType : uint8_t {
  kF32,
  kF16,
  kBF16,
  kQ8_0,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kI32,
  kI8,      // of the KV cache, each token's numbers with a scale (kernels.h: KvCache)
  kF8E4M3,  // float8.h
};

// Rows of a block format are whole blocks of `block_elements` numbers in `block_bytes` bytes; plain
// formats have blocks of one.
struct DTypeInfo {
  std::string_view name;  // "bf16", "q4_k", ...
  int64_t block_elements;
  int64_t block_bytes;
};

const DTypeInfo& info(DType dtype);
inline std::string_view name(DType dtype) { return info(dtype).name; }
inline bool is_quantised(DType dtype) { return info(dtype).block_elements > 1; }
std::optional<DType> dtype_from_name(std::string_view name);

// Bytes of `elements` numbers in a row; `elements` must be a multiple of the block.
inline int64_t row_bytes(DType dtype, int64_t elements) {
  return elements / info(dtype).block_elements * info(dtype).block_bytes;
}

}  // namespace orrery
