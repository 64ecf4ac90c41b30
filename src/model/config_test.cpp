#include "model/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orrery::model {
namespace {

Json llama() {
  return {{"model_type", "llama"},    {"hidden_size", 64},
          {"intermediate_size", 128}, {"num_hidden_layers", 4},
          {"num_attention_heads", 4}, {"num_key_value_heads", 2},
          {"vocab_size", 100},        {"max_position_embeddings", 512},
          {"rms_norm_eps", 1e-5}};
}

Status error_of(const Json& json) { return parse_model_config(json, "config.json").status(); }

TEST(Config, ReadsTheKeysOfHuggingFace) {
  const auto c = parse_model_config(llama(), "config.json");
  ASSERT_TRUE(c.ok()) << c.status().message();
  EXPECT_EQ(c->head_dim, 16);
  EXPECT_EQ(c->n_kv_heads, 2);
  EXPECT_EQ(c->max_model_len, 512);
  EXPECT_EQ(c->rope.type, RopeConfig::Type::kDefault);
  EXPECT_THAT(c->windows, testing::ElementsAre(0, 0, 0, 0));
}

TEST(Config, OldAndNewSpellingsOfRopeScalingAgree) {
  Json old_style = llama(), new_style = llama();
  old_style["rope_theta"] = 500000.0;
  old_style["rope_scaling"] = {{"type", "linear"}, {"factor", 4.0}};
  new_style["rope_parameters"] = {
      {"rope_type", "linear"}, {"factor", 4.0}, {"rope_theta", 500000.0}};
  const auto a = parse_model_config(old_style, "a"), b = parse_model_config(new_style, "b");
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->rope.theta, b->rope.theta);
  EXPECT_EQ(a->rope.factor, b->rope.factor);
  EXPECT_EQ(a->rope.type, RopeConfig::Type::kLinear);
  EXPECT_EQ(b->rope.type, RopeConfig::Type::kLinear);
}

TEST(Config, WindowsFollowEachFamilysRules) {
  Json json = llama();
  json["sliding_window"] = 16;
  EXPECT_THAT(parse_model_config(json, "x")->windows, testing::Each(0));  // Llama has none
  json["model_type"] = "mistral";
  EXPECT_THAT(parse_model_config(json, "x")->windows, testing::Each(16));
  json["model_type"] = "qwen2";
  EXPECT_THAT(parse_model_config(json, "x")->windows,
              testing::Each(0));  // use_sliding_window is off
  json["use_sliding_window"] = true;
  json["max_window_layers"] = 3;
  EXPECT_THAT(parse_model_config(json, "x")->windows, testing::ElementsAre(0, 0, 0, 16));
  json["layer_types"] = {"sliding_attention", "full_attention", "full_attention",
                         "sliding_attention"};
  EXPECT_THAT(parse_model_config(json, "x")->windows, testing::ElementsAre(16, 0, 0, 16));
}

TEST(Config, AnUnknownArchitectureIsNamedBeforeItsKeysAreMissed) {
  const Status status = error_of({{"model_type", "falcon"}});
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_THAT(status.message(),
              testing::AllOf(testing::HasSubstr("falcon"), testing::HasSubstr("qwen3")));
}

TEST(Config, WrongValuesAreRefusedByName) {
  const std::vector<std::pair<std::string, Json>> wrong = {
      {"hidden_size", nullptr},
      {"hidden_size", 0},
      {"hidden_size", -1},
      {"hidden_size", 1e30},
      {"hidden_size", "64"},
      {"hidden_size", 64.5},
      {"num_hidden_layers", 0},
      {"num_hidden_layers", 1 << 30},
      {"num_key_value_heads", 3},
      {"head_dim", 15},
      {"vocab_size", 0},
      {"rms_norm_eps", "x"},
      {"hidden_act", "gelu"},
      {"rope_theta", -1},
      {"rope_scaling", {{"type", "magic"}}},
      {"rope_scaling", {{"type", "linear"}}},
      {"tie_word_embeddings", "yes"},
      {"partial_rotary_factor", 0.5},
  };
  for (const auto& [key, value] : wrong) {
    Json json = llama();
    json[key] = value;
    const Status status = error_of(json);
    EXPECT_FALSE(status.ok()) << key << " = " << value.dump();
  }
  EXPECT_FALSE(error_of(Json::array()).ok());
  EXPECT_FALSE(error_of({{"model_type", "llama"}}).ok());
}

}  // namespace
}  // namespace orrery::model
