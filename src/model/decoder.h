// The skeleton that today's dense decoders share: pre-norm residual blocks of attention and a
// SwiGLU network.
//
// An architecture's file gives its Attention and names its paper; one whose skeleton differs writes
// its own. Shapes: T tokens in the step, D hidden, H query heads, K kv heads, d head dimension, F
// ffn width, V vocabulary.
#pragma once

#include <memory>
#include <vector>

#include "model/layers.h"
#include "model/model.h"

namespace orrery::model {

// down(silu(gate(x)) · up(x)), without biases unless the checkpoint has them. (arXiv:2002.05202)
struct Mlp {
  Linear gate_proj, up_proj, down_proj;

  Mlp(const ModelConfig& c, const weights::Weights& w)
      : gate_proj(w.at("gate_proj"), c.intermediate_size, c.hidden_size),
        up_proj(w.at("up_proj"), c.intermediate_size, c.hidden_size),
        down_proj(w.at("down_proj"), c.hidden_size, c.intermediate_size) {}

  void operator()(Context& ctx, const kernels::Input& x, const Tensor& y) const {
    const auto [gate, up] = project(ctx, x, gate_proj, up_proj);  // [T, F]
    down_proj.into(ctx, kernels::SwiGlu{gate, up}, y);            // [T, D]
  }
};

// What a layer's attention works with beside its input.
struct AttentionInput {
  const Tensor& cos_sin;  // [T, d] rotary angles of the step's positions
  Batch& batch;
  int64_t layer;
};

template <typename Attention>
struct DecoderLayer {
  RmsNorm input_layernorm;
  Attention self_attn;
  RmsNorm post_attention_layernorm;
  Mlp mlp;

  DecoderLayer(const ModelConfig& c, const weights::Weights& w, int64_t layer)
      : input_layernorm(w.at("input_layernorm"), c.hidden_size, c.norm_eps),
        self_attn(c, w.at("self_attn"), layer),
        post_attention_layernorm(w.at("post_attention_layernorm"), c.hidden_size, c.norm_eps),
        mlp(c, w.at("mlp")) {}

  // x += attention(norm(x)); x += mlp(norm(x)). What is added to x is added by the norm that reads
  // the sum: of the attention in this layer, of the network (y) in the next one.
  void operator()(Context& ctx, const Tensor& x, const Tensor& y, const AttentionInput& in) const {
    const auto scope = ctx.scope();
    const Tensor before = in.layer > 0 ? y : Tensor{};
    const Tensor z = self_attn(ctx, input_layernorm.of_sum(x, before), in);
    mlp(ctx, post_attention_layernorm.of_sum(x, z), y);
  }
};

template <typename Attention>
class Decoder final : public Model {
 public:
  Decoder(const ModelConfig& c, const weights::Weights& w)
      : Model(c),
        rope_(c),
        embed_tokens_(w.at("model.embed_tokens"), c.vocab_size, c.hidden_size),
        norm_(w.at("model.norm"), c.hidden_size, c.norm_eps),
        lm_head_(w.at(c.tied_embeddings ? "model.embed_tokens" : "lm_head"), c.vocab_size,
                 c.hidden_size) {
    for (int64_t i = 0; i < c.n_layers; ++i) layers_.emplace_back(c, w.at("model.layers", i), i);
  }

  Tensor forward(Context& ctx, Batch& b) const override {
    const Tensor cos_sin = ctx.rope_angles(rope_, b.positions);  // [T, d]
    const Tensor x = embed_tokens_(ctx, b.token_ids);            // [T, D]
    const Tensor y = ctx.allocate(x.shape);                      // to be added to x
    for (size_t i = 0; i < layers_.size(); ++i)
      layers_[i](ctx, x, y, {cos_sin, b, static_cast<int64_t>(i)});
    return lm_head_(ctx, norm_.of_sum(ctx.gather_rows(x, b.logits_rows),  // [rows, V]
                                      ctx.gather_rows(y, b.logits_rows)));
  }

 private:
  Rope rope_;
  Embedding embed_tokens_;
  std::vector<DecoderLayer<Attention>> layers_;
  RmsNorm norm_;
  Linear lm_head_;
};

}  // namespace orrery::model
