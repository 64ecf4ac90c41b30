#include "engine/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "engine/kv_memory.h"
#include "engine/runner.h"
#include "kernels/packed.h"
#include "model/registry.h"
#include "weights/synthetic.h"

namespace orrery::engine {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kMiB = int64_t{1} << 20, kGiB = int64_t{1} << 30;

weights::MemoryLimits limits_of(int64_t bytes) {
  weights::MemoryLimits limits;
  limits.system_bytes = bytes;
  return limits;
}

// Computes nothing: for what a forward pass allocates.
class NoKernels : public kernels::Kernels {
 public:
  std::string_view name() const override { return "none"; }
  kernels::Activations activations() const override { return kernels::Activations::kTwoBytes; }
  Result<kernels::PackedMatrix> pack(const kernels::WeightRows& rows) const override {
    return kernels::allocate_panels(rows);
  }
  void embed(std::span<const int32_t>, const kernels::PackedMatrix&, Tensor) override {}
  void project(const kernels::Input&, std::span<const kernels::Projection>) override {}
  void rms_norm(const Tensor&, std::span<const float>, float, Tensor) override {}
  void add(Tensor, const Tensor&) override {}
  void silu_mul(Tensor, const Tensor&) override {}
  void rope(Tensor, const Tensor&) override {}
  void store_kv(const Tensor&, const Tensor&, std::span<const int64_t>,
                kernels::KvCache&) override {}
  void paged_attention(const Tensor&, const kernels::KvCache&, const kernels::AttentionBatch&,
                       float, int64_t, Tensor) override {}
  int64_t attention_scratch_bytes() const override { return 0; }
  void gather_rows(const Tensor&, std::span<const int32_t>, Tensor) override {}
};

// 6 layers of 288 with 6 heads of 48 and a vocabulary of 32000, trained for 2048 tokens or so.
class MemoryPlanTest : public testing::Test {
 protected:
  MemoryPlanTest()
      : checkpoint_(weights::open_synthetic("llama-15m:q8_0").value()),
        config_(model::parse_model_config(checkpoint_.config(), "test").value()) {}

  MemoryPlan plan(const MemoryOptions& options, int64_t available) const {
    return plan_memory(checkpoint_, config_, options, limits_of(available));
  }
  int64_t token_bytes(DType dtype) const { return KvMemory::bytes_per_token(config_, dtype); }

  weights::Checkpoint checkpoint_;
  model::ModelConfig config_;
};

TEST_F(MemoryPlanTest, CountsWeightsAsTheyWillBePacked) {
  int64_t packed = 0;
  for (const auto& tensor : checkpoint_.tensors())
    packed += tensor.shape.rank() == 2 ? kernels::num_panels(tensor.shape[0]) *
                                             kernels::panel_bytes(tensor.dtype, tensor.shape[1])
                                       : tensor.shape.elements() * 4;
  const MemoryPlan p = plan({}, kGiB);
  EXPECT_EQ(p.weight_bytes, packed);
  int64_t groups = 0;
  for (const auto& group : p.weights) groups += group.bytes;
  EXPECT_EQ(groups, packed);
}

TEST_F(MemoryPlanTest, KvBytesFollowTheCacheDtype) {
  const int64_t numbers = 2 * config_.n_layers * config_.n_kv_heads * config_.head_dim;
  EXPECT_EQ(token_bytes(DType::kF32), numbers * 4);
  EXPECT_EQ(token_bytes(DType::kBF16), numbers * 2);
  EXPECT_EQ(token_bytes(DType::kF8E4M3), numbers);
  EXPECT_EQ(token_bytes(DType::kI8), numbers + 2 * config_.n_layers * config_.n_kv_heads * 4);
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kI8, DType::kF8E4M3}) {
    const auto memory = KvMemory::allocate(config_, dtype, 3);
    ASSERT_TRUE(memory.ok());
    EXPECT_EQ(memory->bytes(), 3 * 16 * token_bytes(dtype)) << name(dtype);
  }
}

TEST_F(MemoryPlanTest, ThePoolIsWhatWasAskedFor) {
  MemoryOptions options;
  options.max_model_len = 100;
  options.num_kv_blocks = 500;
  options.kv_cache_memory_bytes = kMiB;  // the number of blocks goes before it
  EXPECT_EQ(plan(options, kGiB).num_kv_blocks, 500);
  options.num_kv_blocks.reset();
  options.kv_cache_memory_bytes = 50 * kMiB + 1;
  const MemoryPlan p = plan(options, kGiB);
  EXPECT_EQ(p.num_kv_blocks, 50 * kMiB / (16 * token_bytes(DType::kBF16)));
  EXPECT_TRUE(p.fits);
  EXPECT_TRUE(p.status().ok());
  EXPECT_EQ(p.blocks_per_request, 7);
}

TEST_F(MemoryPlanTest, WithoutAWishThePoolServesAllRequestsOrTakesNineTenthsOfTheRest) {
  MemoryOptions options;
  options.max_model_len = 160;
  options.max_num_seqs = 4;
  EXPECT_EQ(plan(options, kGiB).num_kv_blocks, 40);
  options.max_num_seqs = 1 << 20;
  const MemoryPlan p = plan(options, kGiB);
  EXPECT_TRUE(p.fits);
  const int64_t rest = kGiB / 10 * 9 - p.weight_bytes - p.activation_bytes;
  EXPECT_LE(p.kv_bytes, rest);
  EXPECT_GT(p.kv_bytes, rest - p.kv_bytes_per_block);
  EXPECT_EQ(p.needed_bytes, p.weight_bytes + p.activation_bytes + p.kv_bytes);
  EXPECT_EQ(p.left_bytes(), kGiB - p.needed_bytes);
}

TEST_F(MemoryPlanTest, ALengthThatNobodyAskedForIsShortenedToWhatFits) {
  MemoryOptions options;
  options.num_kv_blocks = 3;
  const MemoryPlan p = plan(options, kGiB);
  EXPECT_TRUE(p.fits) << p.verdict;
  EXPECT_EQ(p.max_model_len, 48);
  EXPECT_TRUE(p.shortened);
  options.max_model_len = 49;
  const MemoryPlan refused = plan(options, kGiB);
  EXPECT_FALSE(refused.fits);
  EXPECT_THAT(refused.verdict, HasSubstr("a request of 49 tokens takes 4 blocks"));
  EXPECT_EQ(refused.status().code(), StatusCode::kResourceExhausted);
}

TEST_F(MemoryPlanTest, WhatDoesNotFitIsRefusedWithTheNumbers) {
  const MemoryPlan p = plan({}, 5 * kMiB);
  EXPECT_FALSE(p.fits);
  EXPECT_THAT(p.status().message(), HasSubstr(weights::format_bytes(p.weight_bytes)));
  EXPECT_THAT(p.status().message(), HasSubstr("5.00 MiB available"));
  MemoryOptions options;
  options.kv_cache_memory_bytes = 2 * kGiB;
  EXPECT_THAT(plan(options, kGiB).verdict, HasSubstr("does not fit"));
}

TEST_F(MemoryPlanTest, HostileSizesSaturateAndDoNotFit) {
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  MemoryOptions options;
  options.num_kv_blocks = kHuge;
  options.max_num_batched_tokens = kHuge;
  options.max_num_seqs = kHuge;
  options.max_model_len = kHuge;
  EXPECT_FALSE(plan(options, kHuge).fits);
  options.num_kv_blocks.reset();
  EXPECT_FALSE(plan(options, kHuge).fits);
  config_.n_layers = config_.n_kv_heads = config_.head_dim = int64_t{1} << 31;
  const MemoryPlan p = plan({}, kHuge);
  EXPECT_EQ(p.kv_bytes_per_block, kHuge);
  EXPECT_FALSE(p.fits);
  EXPECT_FALSE(KvMemory::allocate(config_, DType::kBF16, 1).ok());
  EXPECT_FALSE(p.table().empty());
}

TEST_F(MemoryPlanTest, ActivationsHoldWhatAForwardPassAllocates) {
  config_.max_model_len = 4096;
  NoKernels kernels;
  const auto loaded = model::load_model(checkpoint_, config_, kernels).value();
  for (const int64_t tokens : {1, 100, 2000, 4000}) {
    auto runner = Runner::create(*loaded, kernels, DType::kBF16, 4096).value();
    const std::vector<int32_t> ids(static_cast<size_t>(tokens), 1);
    ASSERT_TRUE(runner.append(ids, LogitsOf::kLastToken).ok());
    MemoryOptions options;
    options.max_num_batched_tokens = tokens;
    options.max_num_seqs = 1;
    const int64_t planned = plan(options, kGiB).activation_bytes;
    const auto taken = static_cast<int64_t>(runner.scratch_bytes());
    EXPECT_GE(planned, taken) << tokens;
    EXPECT_LE(planned, 2 * taken + 8 * kMiB) << tokens;
  }
}

TEST_F(MemoryPlanTest, TheTableShowsEveryPart) {
  const std::string table = plan({}, kGiB).table();
  for (const char* part : {"weights", "q8_0", "activations", "KV cache", "blocks of 16 tokens",
                           "left", "1.00 GiB available", "at once of"})
    EXPECT_THAT(table, HasSubstr(part));
}

TEST(ParseBytes, TakesUnitsAndRefusesTheRest) {
  EXPECT_EQ(*parse_bytes("2GiB"), 2 * kGiB);
  EXPECT_EQ(*parse_bytes("512 MiB"), 512 * kMiB);
  EXPECT_EQ(*parse_bytes("1.5G"), kGiB + kGiB / 2);
  EXPECT_EQ(*parse_bytes("100000"), 100000);
  EXPECT_EQ(*parse_bytes("3kb"), 3072);
  for (const char* wrong : {"", "GiB", "-1GiB", "0", "1XB", "2GiBs", "nan", "inf", "1e400",
                            "99999999999T", "0x10", "1 2"})
    EXPECT_EQ(parse_bytes(wrong).status().code(), StatusCode::kInvalidArgument) << wrong;
}

}  // namespace
}  // namespace orrery::engine
