#include "model/rope.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "base/mapped_file.h"
#include "base/test_data.h"
#include "kernels/npy_for_tests.h"

namespace orrery::model {
namespace {

ModelConfig config_with(int64_t head_dim, int64_t max_positions, const Json& rope) {
  const Json json = {{"model_type", "llama"},    {"hidden_size", 2 * head_dim},
                     {"intermediate_size", 8},   {"num_hidden_layers", 1},
                     {"num_attention_heads", 2}, {"head_dim", head_dim},
                     {"vocab_size", 8},          {"max_position_embeddings", max_positions},
                     {"rope_parameters", rope}};
  auto config = parse_model_config(json, "test");
  EXPECT_TRUE(config.ok()) << config.status().message();
  return config.ok() ? *config : ModelConfig{};
}

std::vector<float> angles_of(const Rope& rope, const std::vector<int32_t>& positions) {
  std::vector<float> out(positions.size() * static_cast<size_t>(rope.dim()));
  rope.angles(positions,
              {DType::kF32, {static_cast<int64_t>(positions.size()), rope.dim()}, out.data()});
  return out;
}

// vLLM's cos_sin_cache for the same parameters: a row of cosines, then sines, for each position.
// Its dynamic scaling takes the base for max_position · factor tokens; ours the one for
// max_model_len.
class RopeGolden : public testing::TestWithParam<std::string> {};

TEST_P(RopeGolden, EqualsTheTableOfVllm) {
  SKIP_WITHOUT_DATA();
  const std::string dir = test_data_dir() + "/op_goldens/" + GetParam() + "/";
  const auto file = MappedFile::open(dir + "manifest.json");
  ASSERT_TRUE(file.ok());
  const Json args = (*parse_json(file->text(), dir))["args"];
  const Json rope = args["rope_parameters"];
  const int64_t dim = rope["rope_dim"];
  ModelConfig config = config_with(dim, args["max_position"], rope);
  config.max_model_len =
      static_cast<int64_t>(args["max_position"].get<double>() * rope["factor"].get<double>());
  const kernels::Npy golden = kernels::read_npy(dir + "cos_sin_cache.npy", args["dtype"]);
  std::vector<int32_t> positions(static_cast<size_t>(golden.shape[0]));
  for (size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<int32_t>(i);
  const std::vector<float> got = angles_of(Rope(config), positions);
  ASSERT_EQ(got.size(), golden.values.size());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], golden.values[i], 2e-5) << i;
}

// Left out: tables made with parameters of vLLM's own (attn_factor, extrapolation_factor,
// max_trained_positions), mrope, longrope.
INSTANTIATE_TEST_SUITE_P(All, RopeGolden,
                         testing::Values("long_rope_yarn_neox_f32_truncate",
                                         "long_rope_llama3_neox_f32_equal_factors",
                                         "long_rope_dynamic_factor1_neox_f32"),
                         [](const auto& test) { return test.param; });

TEST(Rope, PlainFrequenciesArePowersOfTheta) {
  const Rope rope(config_with(8, 64, {{"rope_type", "default"}, {"rope_theta", 10000.0}}));
  ASSERT_EQ(rope.dim(), 8);
  for (size_t i = 0; i < 4; ++i)
    EXPECT_FLOAT_EQ(rope.inv_freq()[i], std::pow(10000.0F, -static_cast<float>(i) / 4));
}

TEST(Rope, FrequencyFactorsDivide) {
  const Json factors = {{"rope_type", "frequency_factors"},
                        {"rope_theta", 10000.0},
                        {"factors", {1.0, 2.0, 4.0, 8.0}}};
  const Rope plain(config_with(8, 64, {{"rope_theta", 10000.0}})),
      divided(config_with(8, 64, factors));
  for (size_t i = 0; i < 4; ++i)
    EXPECT_FLOAT_EQ(divided.inv_freq()[i], plain.inv_freq()[i] / static_cast<float>(1 << i));
}

// A base that grew with the sequence would make answers depend on how the prompt was cut.
TEST(Rope, DynamicScalingIsFixedByMaxModelLen) {
  const Json dynamic = {{"rope_type", "dynamic"}, {"rope_theta", 10000.0}, {"factor", 2.0}};
  ModelConfig config = config_with(8, 64, dynamic);
  const Rope plain(config_with(8, 64, {{"rope_theta", 10000.0}}));
  config.max_model_len = 32;
  EXPECT_EQ(Rope(config).inv_freq()[1], plain.inv_freq()[1]);
  config.max_model_len = 128;
  EXPECT_LT(Rope(config).inv_freq()[1], plain.inv_freq()[1]);
}

}  // namespace
}  // namespace orrery::model
