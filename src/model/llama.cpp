// Llama 2 and 3 decoders (arXiv:2307.09288, arXiv:2407.21783): rotary positions, grouped-query
// attention over the whole context. Llama 3.1 stretches its rotary frequencies (model/rope.h).
// Projections have biases where the checkpoint has them.
#include "model/decoder.h"
#include "model/registry.h"

namespace orrery::model {
namespace {

struct Attention {
  int64_t n_heads, n_kv_heads, head_dim;
  Linear q_proj, k_proj, v_proj, o_proj;

  Attention(const ModelConfig& c, const weights::Weights& w, int64_t /*layer*/)
      : n_heads(c.n_heads),
        n_kv_heads(c.n_kv_heads),
        head_dim(c.head_dim),
        q_proj(w.at("q_proj"), n_heads * head_dim, c.hidden_size),
        k_proj(w.at("k_proj"), n_kv_heads * head_dim, c.hidden_size),
        v_proj(w.at("v_proj"), n_kv_heads * head_dim, c.hidden_size),
        o_proj(w.at("o_proj"), c.hidden_size, n_heads * head_dim) {}

  Tensor operator()(Context& ctx, const kernels::Input& x, const AttentionInput& in) const {
    auto [q, k, v] = project(ctx, x, q_proj, k_proj, v_proj);
    q = q.heads(n_heads, head_dim);     // [T, H, d]
    k = k.heads(n_kv_heads, head_dim);  // [T, K, d]
    v = v.heads(n_kv_heads, head_dim);  // [T, K, d]
    ctx.rope_and_store_kv(q, k, v, in.cos_sin, in.batch, in.layer);
    return o_proj(ctx, ctx.paged_attention(q, in.batch, in.layer, 0));  // [T, D]
  }
};

}  // namespace

std::unique_ptr<Model> make_llama(const ModelConfig& config, const weights::Weights& weights) {
  return std::make_unique<Decoder<Attention>>(config, weights);
}

}  // namespace orrery::model
