// ModelConfig: what a decoder-only transformer's config.json says, checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace orrery::model {

// How positions beyond the trained length are squeezed into rotary angles. Names as in Hugging
// Face's `rope_type`.
struct RopeConfig {
  enum class Type { kDefault, kLinear, kDynamic, kYarn, kLlama3, kFrequencyFactors };
  Type type = Type::kDefault;
  double theta = 10000;
  double factor = 1;
  int64_t original_max_position_embeddings = 0;      // the trained length
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;              // yarn
  std::optional<double> attention_factor;            // yarn: scales cosines and sines
  std::optional<double> mscale, mscale_all_dim;      // yarn
  std::vector<float> factors;  // frequency_factors: [d/2] divisors of the frequencies
  bool truncate = true;        // yarn: the ramp's ends are whole dimensions
};

struct ModelConfig {
  std::string model_type;  // "llama", "mistral", "qwen2", "qwen3"
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t n_layers = 0;
  int64_t n_heads = 0;
  int64_t n_kv_heads = 0;
  int64_t head_dim = 0;
  int64_t vocab_size = 0;
  int64_t max_position_embeddings = 0;
  float norm_eps = 1e-6F;
  bool tied_embeddings = false;
  RopeConfig rope;
  std::vector<int64_t> windows;  // [n_layers] sliding window in tokens; 0: the whole context
  std::string torch_dtype;       // "bfloat16", "float16", "float32" or empty

  int64_t max_model_len =
      0;  // what this run may reach; set by the caller (0: max_position_embeddings)
};

// Reads the keys of Hugging Face's config.json, old (`rope_scaling`) and new (`rope_parameters`).
// `where` names the file in messages. Errors: kMalformed for missing keys and wrong types,
// kUnsupported for activations, rope types and layer types we do not have.
Result<ModelConfig> parse_model_config(const Json& json, std::string_view where);

}  // namespace orrery::model
