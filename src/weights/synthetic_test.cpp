#include "weights/synthetic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tensor/blocks.h"
#include "weights/open_checkpoint.h"

namespace orrery::weights {
namespace {

using ::testing::HasSubstr;

struct Moments {
  double mean, spread;
};
// Of the first rows of a matrix.
Moments moments_of(const TensorInfo& tensor) {
  const int64_t cols = tensor.shape[-1];
  const int64_t rows = std::min<int64_t>(tensor.shape.elements() / cols, 64);
  std::vector<float> values(static_cast<size_t>(rows * cols));
  dequantise(tensor.dtype, tensor.data, values);
  double sum = 0, squares = 0;
  for (float v : values) {
    EXPECT_TRUE(std::isfinite(v));
    sum += v;
    squares += static_cast<double>(v) * v;
  }
  const auto n = static_cast<double>(values.size());
  return {sum / n, std::sqrt(squares / n)};
}

TEST(Synthetic, WeightsOfEveryFormatHaveTheSpreadOfTrainedOnes) {
  for (const std::string& format : synthetic_formats()) {
    SCOPED_TRACE(format);
    const auto checkpoint = open_synthetic("synthetic:llama-15m:" + format);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    EXPECT_EQ(checkpoint->tensors().size(), 1 + 6 * 9 + 1U);
    for (const char* name : {"model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight",
                             "model.layers.5.mlp.down_proj.weight"}) {
      const TensorInfo* tensor = checkpoint->find(name);
      ASSERT_NE(tensor, nullptr);
      const Moments moments = moments_of(*tensor);
      EXPECT_NEAR(moments.spread, 0.02, 0.005) << name;
      EXPECT_NEAR(moments.mean, 0, 0.0025) << name;
    }
    const TensorInfo* norm = checkpoint->find("model.norm.weight");
    ASSERT_NE(norm, nullptr);
    std::vector<float> ones(static_cast<size_t>(norm->shape[0]));
    dequantise(norm->dtype, norm->data, ones);
    EXPECT_THAT(ones, ::testing::Each(1.0F));
  }
}

TEST(Synthetic, GivesTheSameNumbersEachTime) {
  const auto a = open_synthetic("llama-15m:q4_0"), b = open_synthetic("llama-15m:q4_0");
  ASSERT_TRUE(a.ok() && b.ok());
  for (const TensorInfo& tensor : a->tensors()) {
    const TensorInfo* other = b->find(tensor.name);
    ASSERT_EQ(std::memcmp(tensor.data, other->data, static_cast<size_t>(tensor.bytes)), 0)
        << tensor.name;
  }
  const TensorInfo* k = a->find("model.layers.0.self_attn.k_proj.weight");
  const TensorInfo* v = a->find("model.layers.0.self_attn.v_proj.weight");
  EXPECT_NE(std::memcmp(k->data, v->data, static_cast<size_t>(k->bytes)), 0);
}

TEST(Synthetic, MixesFormatsAsLlamaCppDoes) {
  // llama-3.2-1b as Q4_K_M: 16 layers, tied.
  const auto dtype = [](const char* tensor, int64_t layer, int64_t cols = 2048) {
    return *synthetic_dtype("q4_k_m", tensor, layer, 16, true, cols);
  };
  EXPECT_EQ(dtype("model.embed_tokens", 0), DType::kQ6_K);
  EXPECT_EQ(dtype("self_attn.q_proj", 0), DType::kQ4_K);
  std::vector<int64_t> more;
  for (int64_t layer = 0; layer < 16; ++layer) {
    if (dtype("self_attn.v_proj", layer) == DType::kQ6_K) more.push_back(layer);
    EXPECT_EQ(dtype("self_attn.v_proj", layer), dtype("mlp.down_proj", layer));
  }
  EXPECT_THAT(more, ::testing::ElementsAre(0, 1, 4, 7, 10, 13, 14, 15));
  EXPECT_EQ(*synthetic_dtype("q4_k_m", "lm_head", 0, 32, false, 4096), DType::kQ6_K);
  EXPECT_EQ(*synthetic_dtype("q4_k_m", "model.embed_tokens", 0, 32, false, 4096), DType::kQ4_K);
  EXPECT_EQ(*synthetic_dtype("q5_k_m", "mlp.up_proj", 0, 32, false, 4096), DType::kQ5_K);
  // qwen2.5-0.5b: rows of 896 are no multiple of 256.
  EXPECT_EQ(dtype("self_attn.q_proj", 0, 896), DType::kQ5_0);
  EXPECT_EQ(dtype("model.embed_tokens", 0, 896), DType::kQ8_0);
}

TEST(Synthetic, ConfigurationsAreThoseOfHuggingFace) {
  const auto checkpoint = open_checkpoint("synthetic:llama-15m");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  EXPECT_EQ(checkpoint->format(), Checkpoint::Format::kSynthetic);
  EXPECT_EQ(checkpoint->name(), "synthetic:llama-15m:bf16");
  EXPECT_EQ(checkpoint->files(), nullptr);
  const Json& config = checkpoint->config();
  EXPECT_EQ(config["model_type"], "llama");
  EXPECT_EQ(config["architectures"], Json::array({"LlamaForCausalLM"}));
  EXPECT_EQ(config["hidden_size"], 288);
  EXPECT_EQ(config["head_dim"], 48);
  EXPECT_TRUE(checkpoint->require("model.layers.5.mlp.down_proj.weight", {288, 768}).ok());
  EXPECT_TRUE(checkpoint->require("model.embed_tokens.weight", {32000, 288}).ok());
  EXPECT_EQ(checkpoint->find("lm_head.weight"), nullptr);
}

TEST(Synthetic, UnknownNamesAndFormatsListTheKnown) {
  Status status = open_synthetic("synthetic:gpt-9").status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("llama-3.2-1b"));
  for (const char* format : {"q9_9", "i32", ""}) {
    status = open_synthetic(fmt::format("synthetic:llama-15m:{}", format)).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr("q4_k_m"));
  }
  EXPECT_EQ(synthetic_names().size(), 9U);
  EXPECT_EQ(synthetic_formats().size(), 15U);
}

}  // namespace
}  // namespace orrery::weights
