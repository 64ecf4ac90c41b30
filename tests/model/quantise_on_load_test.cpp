// A checkpoint quantised on loading computes nearly what it did before.
#include <cmath>

#include "model/loaded_model.h"
#include "weights/weights.h"

namespace orrery {
namespace {

std::vector<float> logits_of(const std::string& path, std::optional<DType> quantise_to) {
  const auto kernels = make_kernels_for_test("reference", 1);
  const auto checkpoint = weights::Checkpoint::open(path);
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  auto config = model::parse_model_config(checkpoint->config(), path);
  EXPECT_TRUE(config.ok()) << config.status().message();
  config->max_model_len = 64;
  const auto model = model::load_model(*checkpoint, *config, *kernels, {}, quantise_to);
  EXPECT_TRUE(model.ok()) << model.status().message();
  auto runner = engine::Runner::create(**model, *kernels, DType::kF32, 16);
  EXPECT_TRUE(runner.ok());
  const std::vector<int32_t> ids = {1, 5, 9, 17, 3, 44, 2, 8};
  const auto logits = runner->append(ids, engine::LogitsOf::kEveryToken);
  EXPECT_TRUE(logits.ok());
  return {logits->f32().begin(), logits->f32().end()};
}

// Σ(a − b)² / Σa², under the root.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double miss = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    miss += (a[i] - b[i]) * (a[i] - b[i]);
    size += a[i] * a[i];
  }
  return std::sqrt(miss / size);
}

TEST(QuantiseOnLoad, MovesTheLogitsByNoMoreThanTheFormatRounds) {
  const std::string path = golden_models_dir() + "/qwen3";
  const std::vector<float> exact = logits_of(path, {});
  const double q8 = distance(exact, logits_of(path, DType::kQ8_0));
  const double q4 = distance(exact, logits_of(path, DType::kQ4_0));
  const double q4_k = distance(exact, logits_of(path, DType::kQ4_K));
  EXPECT_GT(q8, 0);
  EXPECT_LT(q8, 0.03);
  EXPECT_LT(q4, 0.4);
  EXPECT_LT(q4_k, 0.3);
  EXPECT_LT(q8, q4_k);
  EXPECT_LT(q4_k, q4);
}

TEST(QuantiseOnLoad, KeepsARowPerTokenFinerAndQuantisedFilesAsTheyAre) {
  weights::TensorInfo tensor;
  tensor.dtype = DType::kBF16;
  tensor.shape = {64, 512};
  tensor.name = "model.layers.0.mlp.up_proj.weight";
  EXPECT_EQ(weights::packed_dtype(tensor, {}), DType::kBF16);
  EXPECT_EQ(weights::packed_dtype(tensor, DType::kQ4_K), DType::kQ4_K);
  tensor.name = "lm_head.weight";
  EXPECT_EQ(weights::packed_dtype(tensor, DType::kQ4_K), DType::kQ8_0);
  tensor.name = "model.layers.0.mlp.up_proj.weight";
  tensor.shape = {64, 96};  // no whole block of 256
  EXPECT_EQ(weights::packed_dtype(tensor, DType::kQ4_K), DType::kQ8_0);
  tensor.shape = {64, 40};
  EXPECT_EQ(weights::packed_dtype(tensor, DType::kQ4_K), DType::kBF16);
  tensor.shape = {64};
  EXPECT_EQ(weights::packed_dtype(tensor, DType::kQ8_0), DType::kBF16);
  tensor.shape = {64, 512};
  tensor.dtype = DType::kQ5_0;
  EXPECT_EQ(weights::packed_dtype(tensor, DType::kQ8_0), DType::kQ5_0);
}

}  // namespace
}  // namespace orrery
