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
  EXPECT_EQ(limits->int8_ops_per_s > 0, (*table)->int8_dots != nullptr);
  EXPECT_EQ(limits->bf16_flops_per_s > 0, (*table)->bf16_dots != nullptr);
  EXPECT_LT(limits->int8_ops_per_s, 4e13);
  EXPECT_LT(limits->bf16_flops_per_s, 4e13);
}

// The instructions that a table does not use are no limit of it.
TEST(Limits, AreThoseOfTheTable) {
  const auto limits = measure_limits(kScalarTable, 1, 8 << 20);
  ASSERT_TRUE(limits.ok()) << limits.status().message();
  EXPECT_EQ(limits->int8_ops_per_s, 0);
  EXPECT_EQ(limits->bf16_flops_per_s, 0);
}

TEST(Limits, NeedAThreadAndABuffer) {
  EXPECT_EQ(measure_limits(kScalarTable, 0).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(measure_limits(kScalarTable, 4, 100).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace orrery::kernels::cpu
