#include "weights/gguf_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "weights/gguf_names.h"
#include "weights/test_files.h"

namespace orrery::weights {
namespace {

using ::testing::HasSubstr;

Result<Json> config_of(const GgufBuilder& builder) {
  const std::string file = builder.build();
  auto gguf = Gguf::parse(as_bytes(file), "x.gguf");
  if (!gguf.ok()) return gguf.status();
  return hf_config_from_gguf({&*gguf, 1}, "x.gguf");
}

std::string refused(const GgufBuilder& builder, StatusCode code = StatusCode::kMalformed) {
  const Status status = config_of(builder).status();
  EXPECT_EQ(status.code(), code) << status.message();
  return status.message();
}

// As the converter computes them, in the steps of Hugging Face's llama3 rope.
std::vector<float> llama3_factors(int dim, double theta, double factor, double low, double high,
                                  double original) {
  std::vector<float> factors;
  for (int i = 0; i < dim; i += 2) {
    const float frequency =
        1.0F / std::pow(static_cast<float>(theta), static_cast<float>(i) / static_cast<float>(dim));
    const double wavelength = 2 * std::numbers::pi / static_cast<double>(frequency);
    if (wavelength < original / high) {
      factors.push_back(1);
    } else if (wavelength > original / low) {
      factors.push_back(static_cast<float>(factor));
    } else {
      const double smooth = (original / wavelength - low) / (high - low);
      factors.push_back(static_cast<float>(1 / ((1 - smooth) / factor + smooth)));
    }
  }
  return factors;
}

TEST(GgufConfig, TranslatesEveryKeyThatModelsRead) {
  GgufBuilder b = tiny_llama();
  b.f32("llama.rope.freq_base", 500000.0F);
  const auto config = config_of(b);
  ASSERT_TRUE(config.ok()) << config.status().message();
  const Json expected = {
      {"architectures", Json::array({"LlamaForCausalLM"})},
      {"model_type", "llama"},
      {"hidden_size", 8},
      {"intermediate_size", 16},
      {"num_hidden_layers", 1},
      {"num_attention_heads", 2},
      {"num_key_value_heads", 1},
      {"head_dim", 4},
      {"max_position_embeddings", 64},
      {"rms_norm_eps", 1e-5},
      {"rope_theta", 500000.0},
      {"rope_scaling", nullptr},
      {"vocab_size", 3},
      {"bos_token_id", 0},
      {"tie_word_embeddings", true},
      {"attention_bias", false},
      {"mlp_bias", false},
      {"hidden_act", "silu"},
      {"torch_dtype", "float32"},
  };
  EXPECT_EQ(*config, expected);
}

TEST(GgufConfig, MissingKeysAndWrongTypesAreNamed) {
  GgufBuilder b;
  b.string("general.architecture", "qwen3").f32_tensor("token_embd.weight", {8, 3});
  EXPECT_THAT(refused(b), HasSubstr("metadata key qwen3.embedding_length is missing"));
  b.string("qwen3.embedding_length", "8");
  EXPECT_THAT(refused(b), HasSubstr("qwen3.embedding_length: expected an integer from 0 to 2^31"));
  GgufBuilder eps = tiny_llama();
  eps.f32("llama.rope.freq_base", std::numeric_limits<float>::quiet_NaN());
  EXPECT_THAT(refused(eps), HasSubstr("llama.rope.freq_base: expected a finite f32"));
  GgufBuilder large;
  large.string("general.architecture", "llama");
  large.entry("llama.embedding_length", GgufType::kU64, raw(uint64_t{1} << 60));
  EXPECT_THAT(refused(large), HasSubstr("expected an integer from 0 to 2^31 - 1"));
}

TEST(GgufConfig, VocabularyFilesGiveWhatTheyHave) {
  GgufBuilder b;
  b.string("general.architecture", "llama").strings("tokenizer.ggml.tokens", {"a", "b"});
  const auto config = config_of(b);
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ((*config)["vocab_size"], 2);
  EXPECT_FALSE(config->contains("hidden_size"));
}

TEST(GgufConfig, OneNumberForEachLayerIsOneNumberIfAllAreEqual) {
  GgufBuilder b;
  b.string("general.architecture", "llama");
  b.array("llama.attention.head_count", GgufType::kI32, 3, raw(4) + raw(4) + raw(4));
  EXPECT_EQ((*config_of(b))["num_attention_heads"], 4);
  GgufBuilder different;
  different.string("general.architecture", "llama");
  different.array("llama.attention.head_count", GgufType::kI32, 2, raw(4) + raw(8));
  EXPECT_THAT(refused(different), HasSubstr("got an array of type i32"));
}

TEST(GgufConfig, FeaturesThatNoModelHasAreRefused) {
  GgufBuilder experts = tiny_llama();
  experts.u32("llama.expert_count", 8);
  EXPECT_THAT(refused(experts, StatusCode::kUnsupported), HasSubstr("mixture-of-experts"));
  GgufBuilder partial = tiny_llama();
  partial.u32("llama.rope.dimension_count", 2);
  EXPECT_THAT(refused(partial, StatusCode::kUnsupported),
              HasSubstr("rope.dimension_count: expected the head dimension 4, got 2"));
  GgufBuilder value = tiny_llama();
  value.u32("llama.attention.value_length", 8);
  EXPECT_THAT(refused(value, StatusCode::kUnsupported), HasSubstr("value_length"));
}

TEST(GgufConfig, AWindowMakesALlamaAMistral) {
  GgufBuilder b = tiny_llama();
  b.u32("llama.attention.sliding_window", 16);
  const auto config = config_of(b);
  EXPECT_EQ((*config)["model_type"], "mistral");
  EXPECT_EQ((*config)["sliding_window"], 16);
  GgufBuilder zero = tiny_llama();
  zero.u32("llama.attention.sliding_window", 0);
  EXPECT_EQ((*config_of(zero))["model_type"], "llama");
}

TEST(GgufConfig, RopeScalingOfEveryType) {
  GgufBuilder linear = tiny_llama();
  linear.string("llama.rope.scaling.type", "linear").f32("llama.rope.scaling.factor", 2);
  EXPECT_EQ((*config_of(linear))["rope_scaling"], Json({{"rope_type", "linear"}, {"factor", 2.0}}));
  GgufBuilder old = tiny_llama();
  old.f32("llama.rope.scale_linear", 4);
  EXPECT_EQ((*config_of(old))["rope_scaling"], Json({{"rope_type", "linear"}, {"factor", 4.0}}));
  GgufBuilder none = tiny_llama();
  none.string("llama.rope.scaling.type", "none").f32("llama.rope.scaling.factor", 2);
  EXPECT_TRUE((*config_of(none))["rope_scaling"].is_null());
  GgufBuilder yarn = tiny_llama();
  yarn.string("llama.rope.scaling.type", "yarn").f32("llama.rope.scaling.factor", 4);
  yarn.u32("llama.rope.scaling.original_context_length", 64);
  yarn.f32("llama.rope.scaling.yarn_beta_fast", 8);
  yarn.f32("llama.rope.scaling.yarn_attn_factor", 1.4F);
  EXPECT_EQ((*config_of(yarn))["rope_scaling"], Json({{"rope_type", "yarn"},
                                                      {"factor", 4.0},
                                                      {"original_max_position_embeddings", 64},
                                                      {"beta_fast", 8.0},
                                                      {"attention_factor", 1.4}}));
}

TEST(GgufConfig, FrequencyFactorsGiveBackLlama3Parameters) {
  struct Case {
    int dim;
    double theta, factor, original;
  };
  for (const Case& c : {Case{64, 5e5, 32, 8192}, Case{128, 5e5, 8, 8192}, Case{64, 5e5, 8, 32},
                        Case{32, 1e4, 4, 256}, Case{128, 1e6, 16, 4000}}) {
    const Json scaling = rope_scaling_from_factors(
        llama3_factors(c.dim, c.theta, c.factor, 1, 4, c.original), c.theta);
    EXPECT_EQ(scaling, Json({{"rope_type", "llama3"},
                             {"factor", c.factor},
                             {"low_freq_factor", 1.0},
                             {"high_freq_factor", 4.0},
                             {"original_max_position_embeddings", c.original}}))
        << c.dim << " " << c.original;
  }
}

TEST(GgufConfig, OtherFrequencyFactorsAreKeptAsTheyAre) {
  const std::vector<float> odd = {1, 1.5F, 3, 2};
  const Json scaling = rope_scaling_from_factors(odd, 1e4);
  EXPECT_EQ(scaling["rope_type"], "frequency_factors");
  EXPECT_EQ(scaling["factors"].get<std::vector<float>>(), odd);
  const auto other = llama3_factors(64, 5e5, 8, 1, 8, 8192);  // another high_freq_factor
  EXPECT_EQ(rope_scaling_from_factors(other, 5e5)["rope_type"], "frequency_factors");
  EXPECT_TRUE(rope_scaling_from_factors(std::vector<float>(32, 1.0F), 1e4).is_null());
  EXPECT_TRUE(rope_scaling_from_factors({}, 1e4).is_null());
}

TEST(GgufConfig, FrequencyFactorsOfTheWrongLengthAreRefused) {
  GgufBuilder b = tiny_llama();
  b.f32_tensor("rope_freqs.weight", {3});
  EXPECT_THAT(refused(b), HasSubstr("rope_freqs.weight: expected 2 numbers, got 3"));
  GgufBuilder zero = tiny_llama();
  zero.f32_tensor("rope_freqs.weight", {2});  // 0, 0.125
  EXPECT_THAT(refused(zero), HasSubstr("expected positive numbers"));
}

TEST(GgufNames, HaveHuggingFaceCounterparts) {
  EXPECT_EQ(hf_tensor_name("blk.0.attn_q.weight"), "model.layers.0.self_attn.q_proj.weight");
  EXPECT_EQ(hf_tensor_name("blk.12.attn_k.bias"), "model.layers.12.self_attn.k_proj.bias");
  EXPECT_EQ(hf_tensor_name("blk.3.attn_q_norm.weight"), "model.layers.3.self_attn.q_norm.weight");
  EXPECT_EQ(hf_tensor_name("blk.3.ffn_norm.weight"),
            "model.layers.3.post_attention_layernorm.weight");
  EXPECT_EQ(hf_tensor_name("token_embd.weight"), "model.embed_tokens.weight");
  EXPECT_EQ(hf_tensor_name("output_norm.weight"), "model.norm.weight");
  EXPECT_EQ(hf_tensor_name("output.weight"), "lm_head.weight");
  for (const char* kept :
       {"rope_freqs.weight", "blk.01.attn_q.weight", "blk..attn_q.weight", "blk.x.attn_q.weight",
        "blk.0.other.weight", "blk.0.attn_q", "blk.0", "output.scale", "attn_q.weight", "", "."}) {
    EXPECT_EQ(hf_tensor_name(kept), kept);
  }
}

}  // namespace
}  // namespace orrery::weights
