#include "weights/gguf_names.h"

#include <algorithm>
#include <array>
#include <utility>

namespace orrery::weights {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

constexpr std::array<Pair, 3> kOutside = {{
    {"token_embd", "model.embed_tokens"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
}};

constexpr std::array<Pair, 11> kInLayer = {{
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
}};

template <typename Table>
std::string_view translate(const Table& table, std::string_view name) {
  const auto* it = std::find_if(table.begin(), table.end(),
                                [&](const Pair& pair) { return pair.first == name; });
  return it == table.end() ? std::string_view() : it->second;
}

bool is_number(std::string_view text) {
  return !text.empty() && (text.size() == 1 || text[0] != '0') &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string hf_tensor_name(std::string_view gguf_name) {
  const size_t dot = gguf_name.rfind('.');
  if (dot == gguf_name.npos) return std::string(gguf_name);
  const std::string_view stem = gguf_name.substr(0, dot), suffix = gguf_name.substr(dot);
  std::string prefix;
  std::string_view translated;
  if (stem.starts_with("blk.")) {
    const size_t end = std::min(stem.find('.', 4), stem.size());
    const std::string_view layer = stem.substr(4, end - 4);
    if (is_number(layer) && end < stem.size()) {
      prefix = "model.layers." + std::string(layer) + ".";
      translated = translate(kInLayer, stem.substr(end + 1));
    }
  } else {
    translated = translate(kOutside, stem);
  }
  if (translated.empty() || (suffix != ".weight" && suffix != ".bias")) {
    return std::string(gguf_name);
  }
  return prefix + std::string(translated) + std::string(suffix);
}

}  // namespace orrery::weights
