#include "tensor/dtype.h"

#include <array>

#include "base/check.h"
#include "tensor/blocks.h"

namespace orrery {
namespace {

template <typename Block>
constexpr DTypeInfo block_info(std::string_view name) {
  return {name, Block::kElements, sizeof(Block)};
}

// In the order of DType.
constexpr std::array<DTypeInfo, 16> kInfo = {{
    {"f32", 1, 4},
    {"f16", 1, 2},
    {"bf16", 1, 2},
    block_info<BlockQ8_0>("q8_0"),
    block_info<BlockQ4_0>("q4_0"),
    block_info<BlockQ4_1>("q4_1"),
    block_info<BlockQ5_0>("q5_0"),
    block_info<BlockQ5_1>("q5_1"),
    block_info<BlockQ2_K>("q2_k"),
    block_info<BlockQ3_K>("q3_k"),
    block_info<BlockQ4_K>("q4_k"),
    block_info<BlockQ5_K>("q5_k"),
    block_info<BlockQ6_K>("q6_k"),
    {"i32", 1, 4},
    {"i8", 1, 1},
    {"f8_e4m3", 1, 1},
}};

}  // namespace

const DTypeInfo& info(DType dtype) {
  const auto index = static_cast<size_t>(dtype);
  DCHECK(index < kInfo.size());
  return kInfo[index];
}

std::optional<DType> dtype_from_name(std::string_view name) {
  for (size_t i = 0; i < kInfo.size(); ++i) {
    if (kInfo[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

}  // namespace orrery
