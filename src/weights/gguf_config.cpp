#include "weights/gguf_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>
#include <string>

#include "weights/text.h"

namespace orrery::weights {
namespace {

// The shortest decimal that reads as this float: 1e-06 and not 9.99999997e-07, as the original
// configuration had it.
double shortest(float value) { return std::strtod(fmt::format("{}", value).c_str(), nullptr); }

// One architecture's keys, with errors that name them.
class Keys {
 public:
  Keys(const Gguf& gguf, std::string_view where, bool strict)
      : gguf_(gguf), where_(where), strict_(strict) {
    architecture_ = gguf.find_string("general.architecture").value_or("");
  }

  std::string_view architecture() const { return architecture_; }
  std::string full(std::string_view key) const { return fmt::format("{}.{}", architecture_, key); }
  bool has(std::string_view key) const { return gguf_.find(full(key)) != nullptr; }

  // Absent keys leave `out` alone, unless `required` of a file with tensors.
  Status read_integer(std::string_view key, bool required, std::optional<int64_t>& out) const {
    const GgufValue* value = gguf_.find(full(key));
    if (value == nullptr) return missing(key, required);
    constexpr uint64_t kMax = std::numeric_limits<int32_t>::max();
    std::optional<uint64_t> number = gguf_.find_u64(full(key));
    if (value->type == GgufType::kArray) number = same_in_every_layer(key);
    if (!number || *number > kMax) return wrong_type(key, "an integer from 0 to 2^31 - 1", *value);
    out = static_cast<int64_t>(*number);
    return {};
  }

  Status read_float(std::string_view key, bool required, std::optional<double>& out) const {
    const GgufValue* value = gguf_.find(full(key));
    if (value == nullptr) return missing(key, required);
    const std::optional<float> number = gguf_.find_f32(full(key));
    if (!number || !std::isfinite(*number)) return wrong_type(key, "a finite f32", *value);
    out = shortest(*number);
    return {};
  }

 private:
  Status missing(std::string_view key, bool required) const {
    if (!required || !strict_) return {};
    return malformed("{}: metadata key {} is missing", where_, full(key));
  }
  Status wrong_type(std::string_view key, std::string_view expected, const GgufValue& value) const {
    return malformed("{}: {}: expected {}, got {} of type {}", where_, full(key), expected,
                     value.type == GgufType::kArray ? "an array" : "a value",
                     name(value.type == GgufType::kArray ? value.element_type : value.type));
  }
  // Some files give one number for each layer.
  std::optional<uint64_t> same_in_every_layer(std::string_view key) const {
    const auto numbers = gguf_.find_i32_array(full(key));
    if (!numbers || numbers->empty() || numbers->front() < 0 ||
        std::any_of(numbers->begin(), numbers->end(),
                    [&](int32_t n) { return n != numbers->front(); })) {
      return std::nullopt;
    }
    return static_cast<uint64_t>(numbers->front());
  }

  const Gguf& gguf_;
  std::string_view where_;
  bool strict_;
  std::string_view architecture_;
};

const GgufTensor* find_tensor(std::span<const Gguf> parts, std::string_view tensor) {
  for (const Gguf& part : parts) {
    if (const GgufTensor* found = part.find_tensor(tensor)) return found;
  }
  return nullptr;
}

struct Integer {
  std::string_view key;
  const char* hf_key;
  bool required;
};

Status read_sizes(const Keys& keys, Json& config) {
  constexpr std::array<Integer, 8> kIntegers = {{
      {"embedding_length", "hidden_size", true},
      {"feed_forward_length", "intermediate_size", true},
      {"block_count", "num_hidden_layers", true},
      {"attention.head_count", "num_attention_heads", true},
      {"attention.head_count_kv", "num_key_value_heads", false},
      {"attention.key_length", "head_dim", false},
      {"context_length", "max_position_embeddings", true},
      {"attention.sliding_window", "sliding_window", false},
  }};
  for (const Integer& integer : kIntegers) {
    std::optional<int64_t> number;
    RETURN_IF_ERROR(keys.read_integer(integer.key, integer.required, number));
    if (number) config[integer.hf_key] = *number;
  }
  if (config.value("sliding_window", int64_t{1}) == 0) config.erase("sliding_window");
  const int64_t heads = config.value("num_attention_heads", int64_t{0});
  if (!config.contains("num_key_value_heads") && heads > 0) config["num_key_value_heads"] = heads;
  if (!config.contains("head_dim") && heads > 0 && config.contains("hidden_size")) {
    config["head_dim"] = config["hidden_size"].get<int64_t>() / heads;
  }
  return {};
}

// Values that llama.cpp reads but that no model of ours computes with must not be ignored silently.
Status refuse_unknown_features(const Keys& keys, const Json& config, std::string_view where) {
  std::optional<int64_t> experts, rope_dims, value_length;
  RETURN_IF_ERROR(keys.read_integer("expert_count", false, experts));
  RETURN_IF_ERROR(keys.read_integer("rope.dimension_count", false, rope_dims));
  RETURN_IF_ERROR(keys.read_integer("attention.value_length", false, value_length));
  if (experts.value_or(0) > 0) {
    return unsupported("{}: {} is {}: mixture-of-experts models are not supported", where,
                       keys.full("expert_count"), *experts);
  }
  const int64_t head_dim = config.value("head_dim", int64_t{0});
  if (rope_dims && head_dim > 0 && *rope_dims != head_dim) {
    return unsupported("{}: {}: expected the head dimension {}, got {}", where,
                       keys.full("rope.dimension_count"), head_dim, *rope_dims);
  }
  if (value_length && head_dim > 0 && *value_length != head_dim) {
    return unsupported("{}: {}: expected the key length {}, got {}", where,
                       keys.full("attention.value_length"), head_dim, *value_length);
  }
  return {};
}

// attention_factor of Hugging Face is the whole factor; rope.scaling.attn_factor multiplies the
// default, 0.1 ln(factor) + 1 (arXiv:2309.00071).
Status read_yarn(const Keys& keys, double factor, Json& scaling) {
  std::optional<double> attention, multiplier, fast, slow;
  RETURN_IF_ERROR(keys.read_float("rope.scaling.yarn_attn_factor", false, attention));
  RETURN_IF_ERROR(keys.read_float("rope.scaling.attn_factor", false, multiplier));
  RETURN_IF_ERROR(keys.read_float("rope.scaling.yarn_beta_fast", false, fast));
  RETURN_IF_ERROR(keys.read_float("rope.scaling.yarn_beta_slow", false, slow));
  if (multiplier.value_or(1) != 1 && !attention) {
    attention = *multiplier * (0.1 * std::log(factor) + 1);
  }
  if (attention) scaling["attention_factor"] = *attention;
  if (fast) scaling["beta_fast"] = *fast;
  if (slow) scaling["beta_slow"] = *slow;
  return {};
}

Status read_rope_factors(std::span<const Gguf> parts, std::string_view where, const Json& config,
                         Json& scaling) {
  const GgufTensor* tensor = find_tensor(parts, "rope_freqs.weight");
  if (tensor == nullptr) return {};
  if (tensor->type_id != 0 || tensor->rank != 1) {
    return malformed("{}: rope_freqs.weight: expected a vector of F32, got type {}", where,
                     ggml_type_text(tensor->type_id));
  }
  const auto expected = static_cast<uint64_t>(config.value("head_dim", int64_t{0}) / 2);
  if (tensor->dims[0] != expected) {
    return malformed("{}: rope_freqs.weight: expected {} numbers, got {}", where, expected,
                     tensor->dims[0]);
  }
  std::vector<float> factors(tensor->dims[0]);
  std::memcpy(factors.data(), tensor->data.data(), tensor->data.size());
  if (!std::all_of(factors.begin(), factors.end(),
                   [](float f) { return std::isfinite(f) && f > 0; })) {
    return malformed("{}: rope_freqs.weight: expected positive numbers", where);
  }
  scaling = rope_scaling_from_factors(factors, config["rope_theta"].get<double>());
  return {};
}

Status read_rope(const Keys& keys, std::span<const Gguf> parts, std::string_view where,
                 Json& config) {
  std::optional<double> theta, factor;
  std::optional<int64_t> original;
  RETURN_IF_ERROR(keys.read_float("rope.freq_base", false, theta));
  RETURN_IF_ERROR(keys.read_float("rope.scaling.factor", false, factor));
  if (!factor) RETURN_IF_ERROR(keys.read_float("rope.scale_linear", false, factor));
  RETURN_IF_ERROR(keys.read_integer("rope.scaling.original_context_length", false, original));
  config["rope_theta"] = theta.value_or(10000.0);

  Json scaling;
  RETURN_IF_ERROR(read_rope_factors(parts, where, config, scaling));
  // llama.cpp's default is linear, with a factor of 1 if none is given.
  const auto type = parts[0].find_string(keys.full("rope.scaling.type")).value_or("linear");
  if (type != "none" && (type != "linear" || factor.value_or(1) != 1)) {
    if (!scaling.is_null()) {
      return unsupported("{}: rope_freqs.weight together with rope scaling of type {}", where,
                         printable(type));
    }
    scaling = {{"rope_type", printable(type)}, {"factor", factor.value_or(1)}};
    if (original) scaling["original_max_position_embeddings"] = *original;
    if (type == "yarn") RETURN_IF_ERROR(read_yarn(keys, factor.value_or(1), scaling));
  }
  config["rope_scaling"] = scaling;
  return {};
}

void read_tokens(const Gguf& gguf, std::span<const Gguf> parts, const Keys& keys, Json& config) {
  const GgufTensor* embeddings = find_tensor(parts, "token_embd.weight");
  const GgufValue* tokens = gguf.find("tokenizer.ggml.tokens");
  if (embeddings != nullptr) {
    config["vocab_size"] = embeddings->dims[1];
  } else if (const auto size = gguf.find_u64(keys.full("vocab_size"))) {
    config["vocab_size"] = *size;
  } else if (tokens != nullptr && tokens->type == GgufType::kArray) {
    config["vocab_size"] = tokens->count;
  }
  if (const auto bos = gguf.find_u64("tokenizer.ggml.bos_token_id")) config["bos_token_id"] = *bos;
  if (const auto eos = gguf.find_u64("tokenizer.ggml.eos_token_id")) config["eos_token_id"] = *eos;
}

// The plain format of the matrices, if they have one.
void read_dtype(std::span<const Gguf> parts, Json& config) {
  const GgufTensor* tensor = find_tensor(parts, "blk.0.ffn_down.weight");
  if (tensor == nullptr || tensor->type == nullptr) return;
  if (tensor->type->dtype == DType::kF32) config["torch_dtype"] = "float32";
  if (tensor->type->dtype == DType::kF16) config["torch_dtype"] = "float16";
  if (tensor->type->dtype == DType::kBF16) config["torch_dtype"] = "bfloat16";
}

// The llama architecture covers Mistral too; a window tells them apart, and without one they
// compute the same.
void name_model(std::string_view architecture, Json& config) {
  if (architecture == "qwen2") {
    config["model_type"] = "qwen2";
    config["architectures"] = Json::array({"Qwen2ForCausalLM"});
  } else if (architecture == "qwen3") {
    config["model_type"] = "qwen3";
    config["architectures"] = Json::array({"Qwen3ForCausalLM"});
  } else if (config.contains("sliding_window")) {
    config["model_type"] = "mistral";
    config["architectures"] = Json::array({"MistralForCausalLM"});
  } else {
    config["model_type"] = "llama";
    config["architectures"] = Json::array({"LlamaForCausalLM"});
  }
}

std::vector<double> llama3_factors(size_t n, double theta, double factor, double original) {
  constexpr double kLow = 1, kHigh = 4;
  std::vector<double> factors;
  for (size_t i = 0; i < n; ++i) {
    const double wavelength =
        2 * std::numbers::pi * std::pow(theta, static_cast<double>(i) / static_cast<double>(n));
    const double smooth = std::clamp((original / wavelength - kLow) / (kHigh - kLow), 0.0, 1.0);
    factors.push_back(1 / ((1 - smooth) / factor + smooth));
  }
  return factors;
}

bool nearly_equal(std::span<const float> a, const std::vector<double>& b) {
  // Half a unit in the last place of the stored floats, and the converter's own fp32 frequencies.
  constexpr double kTolerance = 2e-6;
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](double x, double y) { return std::abs(x - y) <= kTolerance * std::abs(y); });
}

}  // namespace

bool is_known_gguf_architecture(std::string_view architecture) {
  return architecture == "llama" || architecture == "qwen2" || architecture == "qwen3";
}

Json rope_scaling_from_factors(std::span<const float> factors, double rope_theta) {
  if (factors.empty()) return nullptr;
  const double factor = shortest(*std::max_element(factors.begin(), factors.end()));
  if (std::all_of(factors.begin(), factors.end(), [](float f) { return f == 1; })) return nullptr;
  // Every known model has low_freq_factor 1 and high_freq_factor 4. A factor between the ends then
  // tells the original length; without one, any power of two that fits gives the same rotations.
  std::vector<double> lengths;
  for (size_t i = 0; i < factors.size(); ++i) {
    if (factors[i] > 1 && factors[i] < static_cast<float>(factor)) {
      const double smooth = (1.0 / factors[i] - 1 / factor) / (1 - 1 / factor);
      const double wavelength =
          2 * std::numbers::pi *
          std::pow(rope_theta, static_cast<double>(i) / static_cast<double>(factors.size()));
      lengths.push_back(std::round((1 + 3 * smooth) * wavelength));
    }
  }
  if (lengths.empty()) {
    for (int power = 4; power <= 24; ++power) lengths.push_back(1 << power);
  }
  for (double length : lengths) {
    if (nearly_equal(factors, llama3_factors(factors.size(), rope_theta, factor, length))) {
      return {{"rope_type", "llama3"},
              {"factor", factor},
              {"low_freq_factor", 1.0},
              {"high_freq_factor", 4.0},
              {"original_max_position_embeddings", static_cast<int64_t>(length)}};
    }
  }
  return {{"rope_type", "frequency_factors"},
          {"factors", std::vector<float>(factors.begin(), factors.end())}};
}

Result<Json> hf_config_from_gguf(std::span<const Gguf> parts, std::string_view where) {
  const Gguf& gguf = parts[0];
  const bool has_tensors = std::any_of(parts.begin(), parts.end(),
                                       [](const Gguf& part) { return !part.tensors().empty(); });
  const Keys keys(gguf, where, has_tensors);
  if (keys.architecture().empty()) {
    return malformed("{}: general.architecture: expected a string", where);
  }
  Json config = Json::object();
  if (!is_known_gguf_architecture(keys.architecture())) {
    config["model_type"] = printable(keys.architecture());
    config["architectures"] = Json::array({printable(keys.architecture())});
    return config;
  }
  RETURN_IF_ERROR(read_sizes(keys, config));
  RETURN_IF_ERROR(refuse_unknown_features(keys, config, where));
  std::optional<double> eps;
  RETURN_IF_ERROR(keys.read_float("attention.layer_norm_rms_epsilon", true, eps));
  if (eps) config["rms_norm_eps"] = *eps;
  RETURN_IF_ERROR(read_rope(keys, parts, where, config));
  read_tokens(gguf, parts, keys, config);
  read_dtype(parts, config);
  name_model(keys.architecture(), config);
  config["hidden_act"] = "silu";
  config["tie_word_embeddings"] = has_tensors && find_tensor(parts, "output.weight") == nullptr;
  config["attention_bias"] = find_tensor(parts, "blk.0.attn_q.bias") != nullptr;
  config["mlp_bias"] = find_tensor(parts, "blk.0.ffn_down.bias") != nullptr;
  return config;
}

}  // namespace orrery::weights
