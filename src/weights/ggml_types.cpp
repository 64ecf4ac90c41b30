#include "weights/ggml_types.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace orrery::weights {
namespace {

constexpr auto kNone = std::nullopt;
constexpr std::array<GgmlType, 37> kTypes = {{
    {0, "F32", 1, 4, DType::kF32},
    {1, "F16", 1, 2, DType::kF16},
    {2, "Q4_0", 32, 18, DType::kQ4_0},
    {3, "Q4_1", 32, 20, DType::kQ4_1},
    {6, "Q5_0", 32, 22, DType::kQ5_0},
    {7, "Q5_1", 32, 24, DType::kQ5_1},
    {8, "Q8_0", 32, 34, DType::kQ8_0},
    {9, "Q8_1", 32, 40, kNone},
    {10, "Q2_K", 256, 84, DType::kQ2_K},
    {11, "Q3_K", 256, 110, DType::kQ3_K},
    {12, "Q4_K", 256, 144, DType::kQ4_K},
    {13, "Q5_K", 256, 176, DType::kQ5_K},
    {14, "Q6_K", 256, 210, DType::kQ6_K},
    {15, "Q8_K", 256, 292, kNone},
    {16, "IQ2_XXS", 256, 66, kNone},
    {17, "IQ2_XS", 256, 74, kNone},
    {18, "IQ3_XXS", 256, 98, kNone},
    {19, "IQ1_S", 256, 50, kNone},
    {20, "IQ4_NL", 32, 18, kNone},
    {21, "IQ3_S", 256, 110, kNone},
    {22, "IQ2_S", 256, 82, kNone},
    {23, "IQ4_XS", 256, 136, kNone},
    {24, "I8", 1, 1, kNone},
    {25, "I16", 1, 2, kNone},
    {26, "I32", 1, 4, kNone},
    {27, "I64", 1, 8, kNone},
    {28, "F64", 1, 8, kNone},
    {29, "IQ1_M", 256, 56, kNone},
    {30, "BF16", 1, 2, DType::kBF16},
    {34, "TQ1_0", 256, 54, kNone},
    {35, "TQ2_0", 256, 66, kNone},
    {31, "Q4_0_4_4", 32, 18, kNone},
    {32, "Q4_0_4_8", 32, 18, kNone},
    {33, "Q4_0_8_8", 32, 18, kNone},
    {39, "MXFP4", 32, 17, kNone},
    {40, "NVFP4", 64, 36, kNone},
    {41, "Q1_0", 128, 18, kNone},
}};

}  // namespace

const GgmlType* find_ggml_type(uint32_t id) {
  const auto* it = std::find_if(kTypes.begin(), kTypes.end(),
                                [id](const GgmlType& type) { return type.id == id; });
  return it == kTypes.end() ? nullptr : it;
}

std::string ggml_type_text(uint32_t id) {
  const GgmlType* type = find_ggml_type(id);
  return fmt::format("{} ({})", id, type == nullptr ? "unknown" : type->name);
}

}  // namespace orrery::weights
