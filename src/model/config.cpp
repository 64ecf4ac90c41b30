#include "model/config.h"

#include <cmath>

#include "model/registry.h"

namespace orrery::model {
namespace {

// Reads typed keys of one object and remembers the first error, so that the reading below stays a
// list.
class Reader {
 public:
  Reader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {}

  bool has(const char* key) const { return json_.contains(key) && !json_[key].is_null(); }

  int64_t integer(const char* key, std::optional<int64_t> fallback, int64_t low, int64_t high) {
    if (!has(key)) return missing(key, fallback);
    const Json& value = json_[key];
    // Some files write 1e6 or 32768.0 for an integer.
    const double number = value.is_number() ? value.get<double>() : std::nan("");
    if (!(number >= static_cast<double>(low) && number <= static_cast<double>(high)) ||
        number != std::floor(number)) {
      fail(malformed("{}: {}: expected an integer from {} to {}, got {}", where_, key, low, high,
                     dump_json(value)));
      return low;
    }
    return static_cast<int64_t>(number);
  }

  double number(const char* key, std::optional<double> fallback, double low, double high) {
    if (!has(key)) return missing(key, fallback);
    const Json& value = json_[key];
    const double number = value.is_number() ? value.get<double>() : std::nan("");
    if (!(number >= low && number <= high)) {
      fail(malformed("{}: {}: expected a number from {} to {}, got {}", where_, key, low, high,
                     dump_json(value)));
      return low;
    }
    return number;
  }

  std::optional<double> optional_number(const char* key, double low, double high) {
    return has(key) ? std::optional(number(key, low, low, high)) : std::nullopt;
  }

  // A list of numbers, empty if the key is absent.
  std::vector<float> numbers(const char* key, double low, double high) {
    std::vector<float> values;
    if (!has(key)) return values;
    for (const Json& value : json_[key]) {
      const double number = value.is_number() ? value.get<double>() : std::nan("");
      if (!(number >= low && number <= high)) {
        fail(malformed("{}: {}: expected numbers from {} to {}, got {}", where_, key, low, high,
                       dump_json(value)));
        return values;
      }
      values.push_back(static_cast<float>(number));
    }
    return values;
  }

  bool boolean(const char* key, bool fallback) {
    if (!has(key)) return fallback;
    if (!json_[key].is_boolean()) {
      fail(malformed("{}: {}: expected true or false, got {}", where_, key, dump_json(json_[key])));
      return fallback;
    }
    return json_[key].get<bool>();
  }

  std::string text(const char* key, const char* fallback) {
    if (!has(key)) return fallback;
    if (!json_[key].is_string()) {
      fail(malformed("{}: {}: expected a string, got {}", where_, key, dump_json(json_[key])));
      return fallback;
    }
    return json_[key].get<std::string>();
  }

  void fail(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }
  const Status& status() const { return status_; }

 private:
  template <typename T>
  T missing(const char* key, const std::optional<T>& fallback) {
    if (!fallback) fail(malformed("{}: {}: expected a number, found no such key", where_, key));
    return fallback.value_or(T{1});
  }

  const Json& json_;
  std::string where_;
  Status status_;
};

constexpr int64_t kMaxDim = int64_t{1}
                            << 20;  // far above any published model, far below what overflows
constexpr int64_t kMaxPositions = int64_t{1} << 30;

Result<RopeConfig::Type> rope_type(const std::string& name, std::string_view where) {
  using Type = RopeConfig::Type;
  if (name == "default" || name.empty()) return Type::kDefault;
  if (name == "linear") return Type::kLinear;
  if (name == "dynamic") return Type::kDynamic;
  if (name == "yarn") return Type::kYarn;
  if (name == "llama3") return Type::kLlama3;
  if (name == "frequency_factors") return Type::kFrequencyFactors;
  return unsupported("{}: rope type: expected default, linear, dynamic, yarn or llama3, got \"{}\"",
                     where, name);
}

// The optional parameters of yarn and llama3, with the defaults of Hugging Face.
void parse_scaling_options(Reader& in, RopeConfig& rope) {
  rope.low_freq_factor = in.number("low_freq_factor", 1.0, 1e-6, 1e6);
  rope.high_freq_factor = in.number("high_freq_factor", 4.0, 1e-6, 1e6);
  rope.beta_fast = in.number("beta_fast", 32.0, 1e-6, 1e6);
  rope.beta_slow = in.number("beta_slow", 1.0, 1e-6, 1e6);
  rope.attention_factor = in.optional_number("attention_factor", 1e-6, 1e6);
  rope.mscale = in.optional_number("mscale", 0, 1e6);
  rope.mscale_all_dim = in.optional_number("mscale_all_dim", 0, 1e6);
  rope.truncate = in.boolean("truncate", true);
}

Status check_rope(const RopeConfig& rope, int64_t head_dim, std::string_view where) {
  if (rope.type == RopeConfig::Type::kLlama3 && rope.high_freq_factor < rope.low_freq_factor) {
    return malformed("{}: high_freq_factor: expected at least low_freq_factor {}, got {}", where,
                     rope.low_freq_factor, rope.high_freq_factor);
  }
  if (rope.type == RopeConfig::Type::kFrequencyFactors &&
      static_cast<int64_t>(rope.factors.size()) != head_dim / 2) {
    return malformed("{}: frequency factors: expected {}, got {}", where, head_dim / 2,
                     rope.factors.size());
  }
  if (rope.type == RopeConfig::Type::kDynamic && head_dim <= 2) {
    return malformed("{}: head_dim: expected above 2 for dynamic rope, got {}", where, head_dim);
  }
  return {};
}

// How far `factor` goes beyond the trained length; yarn without one stretches to max_positions.
double parse_factor(Reader& in, const RopeConfig& rope, int64_t max_positions) {
  using Type = RopeConfig::Type;
  if (rope.type == Type::kYarn && !in.has("factor")) {
    return static_cast<double>(max_positions) /
           static_cast<double>(rope.original_max_position_embeddings);
  }
  const bool needed = rope.type != Type::kDefault && rope.type != Type::kFrequencyFactors;
  return in.number("factor", needed ? std::nullopt : std::optional(1.0), 1e-3, 1e6);
}

// The scaling is described under `rope_parameters` (with rope_theta inside) or, in older files,
// under `rope_scaling`.
Result<RopeConfig> parse_rope(const Json& json, std::string_view where, const ModelConfig& c) {
  const bool is_new = json.contains("rope_parameters") && json["rope_parameters"].is_object();
  const char* key = is_new ? "rope_parameters" : "rope_scaling";
  const Json empty = Json::object();
  const Json& scaling = json.contains(key) && json[key].is_object() ? json[key] : empty;
  Reader top(json, std::string(where));
  Reader in(scaling, fmt::format("{}: {}", where, key));
  RopeConfig rope;
  ASSIGN_OR_RETURN(
      rope.type, rope_type(in.text(in.has("rope_type") ? "rope_type" : "type", "default"), where));
  rope.theta = in.number("rope_theta", top.number("rope_theta", 10000.0, 1e-3, 1e15), 1e-3, 1e15);
  const char* trained = "original_max_position_embeddings";
  rope.original_max_position_embeddings = in.integer(
      trained, top.integer(trained, c.max_position_embeddings, 1, kMaxPositions), 1, kMaxPositions);
  rope.factor = parse_factor(in, rope, c.max_position_embeddings);
  parse_scaling_options(in, rope);
  rope.factors = in.numbers("factors", 1e-6, 1e6);
  const double partial =
      in.number("partial_rotary_factor", top.number("partial_rotary_factor", 1.0, 0, 1), 0, 1);
  RETURN_IF_ERROR(top.status());
  RETURN_IF_ERROR(in.status());
  if (partial != 1.0) {
    return unsupported("{}: partial_rotary_factor: expected 1, got {}", where, partial);
  }
  RETURN_IF_ERROR(check_rope(rope, c.head_dim, where));
  return rope;
}

// Which layers see only a window: `layer_types` where the file lists them, else the rules of each
// family.
Result<std::vector<int64_t>> parse_windows(const Json& json, Reader& in, std::string_view where,
                                           const ModelConfig& c) {
  std::vector<int64_t> windows(static_cast<size_t>(c.n_layers), 0);
  const bool qwen = c.model_type.starts_with("qwen");
  const bool windowed = in.has("sliding_window") &&
                        (qwen ? in.boolean("use_sliding_window", false) : c.model_type != "llama");
  if (!windowed) return windows;
  const int64_t window = in.integer("sliding_window", 0, 0, kMaxPositions);
  const int64_t first = qwen ? in.integer("max_window_layers", c.n_layers, 0, kMaxDim) : 0;
  for (int64_t i = first; i < c.n_layers; ++i) windows[static_cast<size_t>(i)] = window;
  if (!json.contains("layer_types") || !json["layer_types"].is_array()) return windows;
  const Json& types = json["layer_types"];
  if (static_cast<int64_t>(types.size()) != c.n_layers) {
    return malformed("{}: layer_types: expected {} entries, got {}", where, c.n_layers,
                     types.size());
  }
  for (size_t i = 0; i < types.size(); ++i) {
    const std::string type = types[i].is_string() ? types[i].get<std::string>() : "";
    if (type != "full_attention" && type != "sliding_attention") {
      return unsupported(
          "{}: layer_types[{}]: expected full_attention or sliding_attention, got {}", where, i,
          dump_json(types[i]));
    }
    windows[i] = type == "sliding_attention" ? window : 0;
  }
  return windows;
}

Status check_consistency(const ModelConfig& c, std::string_view where) {
  if (c.n_heads % c.n_kv_heads != 0) {
    return malformed(
        "{}: num_attention_heads: expected a multiple of num_key_value_heads {}, got {}", where,
        c.n_kv_heads, c.n_heads);
  }
  if (c.head_dim % 2 != 0) {
    return malformed("{}: head_dim: expected an even number, got {}", where, c.head_dim);
  }
  return {};
}

}  // namespace

Result<ModelConfig> parse_model_config(const Json& json, std::string_view where) {
  if (!json.is_object()) return malformed("{}: expected a JSON object", where);
  Reader in(json, std::string(where));
  ModelConfig c;
  c.model_type = in.text("model_type", "");
  RETURN_IF_ERROR(in.status());
  RETURN_IF_ERROR(check_architecture(c.model_type).with_context(where));
  c.hidden_size = in.integer("hidden_size", std::nullopt, 1, kMaxDim);
  c.intermediate_size = in.integer("intermediate_size", std::nullopt, 1, kMaxDim);
  c.n_layers = in.integer("num_hidden_layers", std::nullopt, 1, 4096);
  c.n_heads = in.integer("num_attention_heads", std::nullopt, 1, 65536);
  c.n_kv_heads = in.integer("num_key_value_heads", c.n_heads, 1, 65536);
  c.head_dim = in.integer("head_dim", c.hidden_size / c.n_heads, 1, 4096);
  c.vocab_size = in.integer("vocab_size", std::nullopt, 1, int64_t{1} << 24);
  c.max_position_embeddings = in.integer("max_position_embeddings", 2048, 1, kMaxPositions);
  c.norm_eps = static_cast<float>(in.number("rms_norm_eps", 1e-6, 0, 1));
  c.tied_embeddings = in.boolean("tie_word_embeddings", false);
  c.torch_dtype = in.text(in.has("dtype") ? "dtype" : "torch_dtype", "");
  c.max_model_len = c.max_position_embeddings;
  const std::string activation = in.text("hidden_act", "silu");
  RETURN_IF_ERROR(in.status());
  if (activation != "silu" && activation != "swish") {
    return unsupported("{}: hidden_act: expected silu, got \"{}\"", where, activation);
  }
  RETURN_IF_ERROR(check_consistency(c, where));
  ASSIGN_OR_RETURN(c.rope, parse_rope(json, where, c));
  ASSIGN_OR_RETURN(c.windows, parse_windows(json, in, where, c));
  RETURN_IF_ERROR(in.status());
  return c;
}

}  // namespace orrery::model
