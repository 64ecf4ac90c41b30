#include "kernels/cpu/limits.h"

#include <gtest/gtest.h>

#include "kernels/cpu/isa.h"

namespace orrery::kernels::cpu {
namespace {

TEST(Limits, AreWhatAMachineCanHave) {
  const auto table = choose_table("");
  ASSERT_TRUE(table.ok());
  const auto limits = measure_limits(**table, 1, 8 << 20);
  ASSERT_TRUE(limits.ok()) << limits.status().message();
  EXPECT_GT(limits->read_bytes_per_s, 1e8);
  EXPECT_LT(limits->read_bytes_per_s, 1e13);
  EXPECT_GT(limits->fp32_flops_per_s, 1e7);
  EXPECT_LT(limits->fp32_flops_per_s, 1e12);  // 64 FLOPs a cycle at 15 GHz
  EXPECT_EQ(limits->int8_ops_per_s > 0, int8_dot_products() != nullptr);
  EXPECT_EQ(limits->bf16_flops_per_s > 0, bf16_dot_products() != nullptr);
  EXPECT_LT(limits->int8_ops_per_s, 4e13);
  EXPECT_LT(limits->bf16_flops_per_s, 4e13);
}

TEST(Limits, NeedAThreadAndABuffer) {
  EXPECT_EQ(measure_limits(kScalarTable, 0).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(measure_limits(kScalarTable, 4, 100).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace orrery::kernels::cpu
