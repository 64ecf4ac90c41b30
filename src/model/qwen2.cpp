// Qwen2 and Qwen2.5 dense decoders (arXiv:2407.10671, arXiv:2412.15115): grouped-query attention
// with biases on the query, key and value projections; some checkpoints restrict their upper layers
// to a sliding window.
#include "model/decoder.h"
#include "model/registry.h"

namespace orrery::model {
namespace {

struct Attention {
  int64_t n_heads, n_kv_heads, head_dim, window;
  Linear q_proj, k_proj, v_proj, o_proj;

  Attention(const ModelConfig& c, const weights::Weights& w, int64_t layer)
      : n_heads(c.n_heads),
        n_kv_heads(c.n_kv_heads),
        head_dim(c.head_dim),
        window(c.windows[static_cast<size_t>(layer)]),
        q_proj(w.at("q_proj"), n_heads * head_dim, c.hidden_size, Bias::kRequired),
        k_proj(w.at("k_proj"), n_kv_heads * head_dim, c.hidden_size, Bias::kRequired),
        v_proj(w.at("v_proj"), n_kv_heads * head_dim, c.hidden_size, Bias::kRequired),
        o_proj(w.at("o_proj"), c.hidden_size, n_heads * head_dim) {}

  Tensor operator()(Context& ctx, const kernels::Input& x, const AttentionInput& in) const {
    auto [q, k, v] = project(ctx, x, q_proj, k_proj, v_proj);
    q = q.heads(n_heads, head_dim);     // [T, H, d]
    k = k.heads(n_kv_heads, head_dim);  // [T, K, d]
    v = v.heads(n_kv_heads, head_dim);  // [T, K, d]
    ctx.rope_and_store_kv(q, k, v, in.cos_sin, in.batch, in.layer);
    return o_proj(ctx, ctx.paged_attention(q, in.batch, in.layer, window));  // [T, D]
  }
};

}  // namespace

std::unique_ptr<Model> make_qwen2(const ModelConfig& config, const weights::Weights& weights) {
  return std::make_unique<Decoder<Attention>>(config, weights);
}

}  // namespace orrery::model
