#include "weights/synthetic.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

#include "base/thread_pool.h"
#include "kernels/packed_layout.h"
#include "tensor/blocks.h"
#include "tensor/float16.h"
#include "weights/memory_limits.h"

namespace orrery::weights {
namespace {

enum class Family { kLlama, kMistral, kQwen2, kQwen3 };

struct Model {
  std::string_view name;
  Family family;
  int64_t hidden, ffn, layers, heads, kv_heads, head_dim, vocab, context;
  bool tied;
  double rope_theta, eps;
  double llama3_factor;  // 0: no rope scaling
};

constexpr std::array<Model, 9> kModels = {{
    {"llama-3.2-1b", Family::kLlama, 2048, 8192, 16, 32, 8, 64, 128256, 131072, true, 5e5, 1e-5,
     32},
    {"llama-3.2-3b", Family::kLlama, 3072, 8192, 28, 24, 8, 128, 128256, 131072, true, 5e5, 1e-5,
     32},
    {"llama-3.1-8b", Family::kLlama, 4096, 14336, 32, 32, 8, 128, 128256, 131072, false, 5e5, 1e-5,
     8},
    {"tinyllama-1.1b", Family::kLlama, 2048, 5632, 22, 32, 4, 64, 32000, 2048, false, 1e4, 1e-5, 0},
    {"llama-15m", Family::kLlama, 288, 768, 6, 6, 6, 48, 32000, 256, true, 1e4, 1e-5, 0},
    {"mistral-7b", Family::kMistral, 4096, 14336, 32, 32, 8, 128, 32000, 32768, false, 1e4, 1e-5,
     0},
    {"qwen2.5-0.5b", Family::kQwen2, 896, 4864, 24, 14, 2, 64, 151936, 32768, true, 1e6, 1e-6, 0},
    {"qwen3-0.6b", Family::kQwen3, 1024, 3072, 28, 16, 8, 128, 151936, 40960, true, 1e6, 1e-6, 0},
    {"qwen3-1.7b", Family::kQwen3, 2048, 6144, 28, 16, 8, 128, 151936, 40960, true, 1e6, 1e-6, 0},
}};

Json make_config(const Model& model) {
  Json config = {{"hidden_size", model.hidden},
                 {"intermediate_size", model.ffn},
                 {"num_hidden_layers", model.layers},
                 {"num_attention_heads", model.heads},
                 {"num_key_value_heads", model.kv_heads},
                 {"head_dim", model.head_dim},
                 {"vocab_size", model.vocab},
                 {"max_position_embeddings", model.context},
                 {"rms_norm_eps", model.eps},
                 {"rope_theta", model.rope_theta},
                 {"rope_scaling", nullptr},
                 {"tie_word_embeddings", model.tied},
                 {"hidden_act", "silu"},
                 {"bos_token_id", 1},
                 {"eos_token_id", 2}};
  constexpr std::array<std::pair<const char*, const char*>, 4> kNames = {{
      {"llama", "LlamaForCausalLM"},
      {"mistral", "MistralForCausalLM"},
      {"qwen2", "Qwen2ForCausalLM"},
      {"qwen3", "Qwen3ForCausalLM"},
  }};
  const auto& [type, architecture] = kNames[static_cast<size_t>(model.family)];
  config["model_type"] = type;
  config["architectures"] = Json::array({architecture});
  if (model.family == Family::kMistral) config["sliding_window"] = 4096;
  if (model.llama3_factor > 0) {
    config["rope_scaling"] = {{"rope_type", "llama3"},
                              {"factor", model.llama3_factor},
                              {"low_freq_factor", 1.0},
                              {"high_freq_factor", 4.0},
                              {"original_max_position_embeddings", 8192}};
  }
  return config;
}

// --- formats ---

constexpr std::array<std::string_view, 2> kMixtures = {"q4_k_m", "q5_k_m"};

DType fallback(DType dtype, int64_t cols) {
  if (cols % info(dtype).block_elements == 0) return dtype;
  switch (dtype) {
    case DType::kQ4_K:
      return DType::kQ5_0;
    case DType::kQ5_K:
      return DType::kQ5_1;
    case DType::kQ6_K:
      return DType::kQ8_0;
    case DType::kQ2_K:
    case DType::kQ3_K:
      return DType::kQ4_0;
    default:
      return DType::kF16;
  }
}

// llama.cpp spends more bits on the first and last eighth of the layers and on every third between.
bool use_more_bits(int64_t layer, int64_t layers) {
  return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
}

DType mixture_dtype(DType base, std::string_view tensor, int64_t layer, int64_t layers, bool tied) {
  const bool output = tensor == "lm_head" || (tied && tensor == "model.embed_tokens");
  const bool sensitive = tensor == "self_attn.v_proj" || tensor == "mlp.down_proj";
  return output || (sensitive && use_more_bits(layer, layers)) ? DType::kQ6_K : base;
}

// --- tensors ---

// A cheap hash of a counter (the finaliser of SplitMix64, Steele et al., OOPSLA 2014): 8 bytes in
// about four cycles.
uint64_t hash(uint64_t x) {
  x = (x + 0x9E3779B97F4A7C15) * 0xBF58476D1CE4E5B9;
  x = (x ^ x >> 27) * 0x94D049BB133111EB;
  return x ^ x >> 31;
}

// Random bits made into numbers of plain formats: random sign and fraction, and the lowest bit of
// an exponent that makes the magnitude 2^-7 .. 2^-5, of which the root mean square is 0.019.
struct PlainPattern {
  uint64_t keep, set;  // for each 8 bytes
};
PlainPattern plain_pattern(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return {0x80FFFFFF80FFFFFF, 0x3C0000003C000000};
    case DType::kF16:
      return {0x87FF87FF87FF87FF, 0x2000200020002000};
    case DType::kBF16:
      return {0x80FF80FF80FF80FF, 0x3C003C003C003C00};
    default:
      return {~uint64_t{0}, 0};
  }
}

// The fp16 fields of a block format, and values that give random quants zero mean and a spread of
// about 0.02.
struct ScaleField {
  int64_t offset;
  float value;
};
std::vector<ScaleField> scale_fields(DType dtype) {
  switch (dtype) {
    case DType::kQ8_0:
      return {{offsetof(BlockQ8_0, d), 2.7e-4F}};
    case DType::kQ4_0:
      return {{offsetof(BlockQ4_0, d), 4.3e-3F}};
    case DType::kQ4_1:
      return {{offsetof(BlockQ4_1, d), 4.3e-3F}, {offsetof(BlockQ4_1, m), -7.5F * 4.3e-3F}};
    case DType::kQ5_0:
      return {{offsetof(BlockQ5_0, d), 2.2e-3F}};
    case DType::kQ5_1:
      return {{offsetof(BlockQ5_1, d), 2.2e-3F}, {offsetof(BlockQ5_1, m), -15.5F * 2.2e-3F}};
    case DType::kQ2_K:  // x = d·sc·q − dmin·mn with sc, mn in 0 .. 15, q in 0 .. 3
      return {{offsetof(BlockQ2_K, d), 1.2e-3F}, {offsetof(BlockQ2_K, dmin), 1.5F * 1.2e-3F}};
    case DType::kQ3_K:  // sc in −32 .. 31, q in −4 .. 3
      return {{offsetof(BlockQ3_K, d), 4.6e-4F}};
    case DType::kQ4_K:  // sc, mn in 0 .. 63, q in 0 .. 15
      return {{offsetof(BlockQ4_K, d), 7.8e-5F}, {offsetof(BlockQ4_K, dmin), 7.5F * 7.8e-5F}};
    case DType::kQ5_K:
      return {{offsetof(BlockQ5_K, d), 3.9e-5F}, {offsetof(BlockQ5_K, dmin), 15.5F * 3.9e-5F}};
    case DType::kQ6_K:  // sc in −128 .. 127, q in −32 .. 31
      return {{offsetof(BlockQ6_K, d), 1.5e-5F}};
    default:
      return {};
  }
}

struct Plan {
  TensorInfo tensor;
  int64_t offset = 0;
  bool ones = false;  // norm weights
};

// Lists a model's tensors in the order in which a forward pass reads them.
class Planner {
 public:
  Planner(const Model& model, std::string_view format) : model_(model), format_(format) {}

  Result<std::vector<Plan>> run() {
    const int64_t d = model_.head_dim, h = model_.hidden;
    RETURN_IF_ERROR(matrix("model.embed_tokens", 0, {model_.vocab, h}));
    for (int64_t i = 0; i < model_.layers; ++i) {
      prefix_ = fmt::format("model.layers.{}.", i);
      vector("input_layernorm.weight", h, true);
      RETURN_IF_ERROR(matrix("self_attn.q_proj", i, {model_.heads * d, h}));
      RETURN_IF_ERROR(matrix("self_attn.k_proj", i, {model_.kv_heads * d, h}));
      RETURN_IF_ERROR(matrix("self_attn.v_proj", i, {model_.kv_heads * d, h}));
      RETURN_IF_ERROR(matrix("self_attn.o_proj", i, {h, model_.heads * d}));
      if (model_.family == Family::kQwen2) {
        vector("self_attn.q_proj.bias", model_.heads * d, false);
        vector("self_attn.k_proj.bias", model_.kv_heads * d, false);
        vector("self_attn.v_proj.bias", model_.kv_heads * d, false);
      } else if (model_.family == Family::kQwen3) {
        vector("self_attn.q_norm.weight", d, true);
        vector("self_attn.k_norm.weight", d, true);
      }
      vector("post_attention_layernorm.weight", h, true);
      RETURN_IF_ERROR(matrix("mlp.gate_proj", i, {model_.ffn, h}));
      RETURN_IF_ERROR(matrix("mlp.up_proj", i, {model_.ffn, h}));
      RETURN_IF_ERROR(matrix("mlp.down_proj", i, {h, model_.ffn}));
    }
    prefix_.clear();
    vector("model.norm.weight", h, true);
    if (!model_.tied) RETURN_IF_ERROR(matrix("lm_head", 0, {model_.vocab, h}));
    return std::move(plans_);
  }
  int64_t total_bytes() const { return total_; }

 private:
  Status matrix(std::string_view stem, int64_t layer, Shape shape) {
    ASSIGN_OR_RETURN(const DType dtype,
                     synthetic_dtype(format_, stem, layer, model_.layers, model_.tied, shape[1]));
    matrix_dtype_ = dtype;
    add(fmt::format("{}{}.weight", prefix_, stem), dtype, shape, false);
    return {};
  }
  // Vectors have the plain format of the matrices beside them, or f32 beside quantised ones.
  void vector(std::string_view suffix, int64_t n, bool ones) {
    const DType dtype = is_quantised(matrix_dtype_) ? DType::kF32 : matrix_dtype_;
    add(fmt::format("{}{}", prefix_, suffix), dtype, {n}, ones);
  }
  void add(std::string name, DType dtype, Shape shape, bool ones) {
    Plan& plan = plans_.emplace_back();
    plan.tensor.name = plan.tensor.source_name = std::move(name);
    plan.tensor.dtype = dtype;
    plan.tensor.dtype_name = std::string(orrery::name(dtype));
    for (char& c : plan.tensor.dtype_name) c = static_cast<char>(std::toupper(c));  // as in files
    plan.tensor.shape = shape;
    plan.tensor.bytes = row_bytes(dtype, shape.elements());
    plan.tensor.file = "synthetic";
    plan.offset = total_;
    plan.ones = ones;
    total_ += (plan.tensor.bytes + 63) / 64 * 64;  // every tensor on a cache line of its own
  }

  const Model& model_;
  std::string_view format_;
  std::string prefix_;
  DType matrix_dtype_ = DType::kF32;
  std::vector<Plan> plans_;
  int64_t total_ = 0;
};

void fill_ones(const TensorInfo& tensor, std::byte* to) {
  const int64_t n = tensor.shape.elements();
  const float one = 1;
  const uint16_t half = tensor.dtype == DType::kF16 ? f32_to_f16(one) : f32_to_bf16(one);
  for (int64_t i = 0; i < n; ++i) {
    if (tensor.dtype == DType::kF32) {
      std::memcpy(to + 4 * i, &one, sizeof(one));
    } else {
      std::memcpy(to + 2 * i, &half, sizeof(half));
    }
  }
}

// Random words [begin, end) of 8 bytes of the buffer's part `to` (`bytes` long; the last word may
// be cut).
void fill_random(std::byte* to, int64_t bytes, int64_t begin, int64_t end, uint64_t seed,
                 PlainPattern pattern) {
  const int64_t whole = std::min(end, bytes / 8);
  for (int64_t i = begin; i < whole; ++i) {
    const uint64_t word = (hash(seed + static_cast<uint64_t>(i)) & pattern.keep) | pattern.set;
    std::memcpy(to + 8 * i, &word, 8);
  }
  for (int64_t i = whole; i < end; ++i) {
    const uint64_t word = (hash(seed + static_cast<uint64_t>(i)) & pattern.keep) | pattern.set;
    std::memcpy(to + 8 * i, &word, static_cast<size_t>(std::min<int64_t>(8, bytes - 8 * i)));
  }
}

void set_scales(DType dtype, std::byte* to, int64_t begin, int64_t end) {
  for (const ScaleField& field : scale_fields(dtype)) {
    const uint16_t half = f32_to_f16(field.value);
    for (int64_t b = begin; b < end; ++b) {
      std::memcpy(to + b * info(dtype).block_bytes + field.offset, &half, sizeof(half));
    }
  }
}

void fill(const Plan& plan, std::byte* buffer, uint64_t seed, ThreadPool& pool) {
  std::byte* to = buffer + plan.offset;
  const TensorInfo& tensor = plan.tensor;
  if (plan.ones) return fill_ones(tensor, to);
  constexpr int64_t kGrain = int64_t{1} << 17;  // words: 1 MiB
  const PlainPattern pattern = plain_pattern(tensor.dtype);
  pool.parallel_for((tensor.bytes + 7) / 8, kGrain, [&](int64_t begin, int64_t end) {
    fill_random(to, tensor.bytes, begin, end, seed, pattern);
  });
  if (!is_quantised(tensor.dtype)) return;
  pool.parallel_for(tensor.bytes / info(tensor.dtype).block_bytes, kGrain / 16,
                    [&](int64_t begin, int64_t end) { set_scales(tensor.dtype, to, begin, end); });
}

Status check_memory(const Model& model, int64_t bytes) {
  const Result<MemoryLimits> limits = read_memory_limits();
  if (!limits.ok() || bytes <= limits->available_bytes()) return {};
  return resource_exhausted("synthetic:{}: the weights need {}, {} are available ({})", model.name,
                            format_bytes(bytes), format_bytes(limits->available_bytes()),
                            limits->source());
}

}  // namespace

std::vector<std::string> synthetic_names() {
  std::vector<std::string> names;
  for (const Model& model : kModels) names.emplace_back(model.name);
  return names;
}

std::vector<std::string> synthetic_formats() {
  std::vector<std::string> formats;
  for (int i = 0; i <= static_cast<int>(DType::kQ6_K); ++i) {
    formats.emplace_back(name(static_cast<DType>(i)));
  }
  formats.insert(formats.end(), kMixtures.begin(), kMixtures.end());
  return formats;
}

Result<DType> synthetic_dtype(std::string_view format, std::string_view tensor, int64_t layer,
                              int64_t num_layers, bool tied, int64_t cols) {
  std::optional<DType> dtype = dtype_from_name(format);
  if (std::find(kMixtures.begin(), kMixtures.end(), format) != kMixtures.end()) {
    const DType base = format == "q4_k_m" ? DType::kQ4_K : DType::kQ5_K;
    dtype = mixture_dtype(base, tensor, layer, num_layers, tied);
  }
  if (!dtype || kernels::packed_layout(*dtype).group == 0) {
    return invalid_argument("synthetic format: expected one of {}, got \"{}\"",
                            fmt::join(synthetic_formats(), ", "), format);
  }
  return fallback(*dtype, cols);
}

Result<Checkpoint> open_synthetic(std::string_view spec) {
  if (spec.starts_with(kSyntheticPrefix)) spec.remove_prefix(kSyntheticPrefix.size());
  const size_t colon = spec.find(':');
  const std::string_view wanted = spec.substr(0, colon);
  const std::string_view format = colon == spec.npos ? "bf16" : spec.substr(colon + 1);
  const auto* model = std::find_if(kModels.begin(), kModels.end(),
                                   [&](const Model& m) { return m.name == wanted; });
  if (model == kModels.end()) {
    return invalid_argument("synthetic model: expected one of {}, got \"{}\"",
                            fmt::join(synthetic_names(), ", "), wanted);
  }
  Planner planner(*model, format);
  ASSIGN_OR_RETURN(std::vector<Plan> plans, planner.run());
  RETURN_IF_ERROR(check_memory(*model, planner.total_bytes()));
  ASSIGN_OR_RETURN(Buffer buffer, Buffer::allocate(static_cast<size_t>(planner.total_bytes())));

  ThreadPool pool;
  Checkpoint::Parts parts;
  parts.format = Checkpoint::Format::kSynthetic;
  parts.name = fmt::format("{}{}:{}", kSyntheticPrefix, model->name, format);
  parts.config = make_config(*model);
  for (size_t i = 0; i < plans.size(); ++i) {
    fill(plans[i], buffer.data(), hash(i) & ~uint64_t{0xFFFFFFFF}, pool);
    plans[i].tensor.data = buffer.data() + plans[i].offset;
    parts.tensors.push_back(std::move(plans[i].tensor));
  }
  parts.buffers.push_back(std::move(buffer));
  return Checkpoint::from_parts(std::move(parts));
}

}  // namespace orrery::weights
