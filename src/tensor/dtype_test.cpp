#include "tensor/dtype.h"

#include <gtest/gtest.h>

namespace orrery {
namespace {

TEST(DType, NamesReadBackAsTheirDtype) {
  for (int i = 0; i <= static_cast<int>(DType::kF8E4M3); ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(dtype_from_name(name(dtype)), dtype) << i;
  }
  EXPECT_EQ(name(DType::kBF16), "bf16");
  EXPECT_EQ(name(DType::kQ4_K), "q4_k");
  EXPECT_EQ(name(DType::kI32), "i32");
  EXPECT_EQ(name(DType::kF8E4M3), "f8_e4m3");
  EXPECT_FALSE(dtype_from_name("q4_k_m").has_value());
  EXPECT_FALSE(dtype_from_name("").has_value());
}

TEST(DType, RowBytesCountWholeBlocks) {
  EXPECT_EQ(row_bytes(DType::kF32, 10), 40);
  EXPECT_EQ(row_bytes(DType::kBF16, 10), 20);
  EXPECT_EQ(row_bytes(DType::kQ8_0, 64), 68);
  EXPECT_EQ(row_bytes(DType::kQ4_K, 512), 288);
  EXPECT_EQ(row_bytes(DType::kQ6_K, 256), 210);
  EXPECT_FALSE(is_quantised(DType::kBF16));
  EXPECT_TRUE(is_quantised(DType::kQ5_1));
}

}  // namespace
}  // namespace orrery
