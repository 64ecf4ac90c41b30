// The layers that every architecture is built of: a weight, and what it does to a tensor.
//
// Each takes its place in the checkpoint (weights::Weights) and the shape it must have there; a
// missing or misshapen tensor is remembered by the loader and reported when the model has been
// built (model/registry.h). Immutable afterwards, shared by threads.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "model/config.h"
#include "model/context.h"
#include "weights/weights.h"

namespace orrery::model {

enum class Bias { kIfPresent, kRequired };

// y = x·Wᵀ (+ b). W [out, in], from "weight" and "bias".
class Linear {
 public:
  Linear(const weights::Weights& w, int64_t out, int64_t in, Bias bias = Bias::kIfPresent)
      : weight_(w.matrix("weight", out, in)),
        bias_(bias == Bias::kRequired ? w.vector("bias", out) : w.optional_vector("bias", out)) {}
  Tensor operator()(Context& ctx, const kernels::Input& x) const {
    return project(ctx, x, *this)[0];
  }
  void into(Context& ctx, const kernels::Input& x, const Tensor& y) const {
    const kernels::Projection one{*weight_, bias_, y};
    ctx.kernels().project(x, {&one, 1});
  }

  // y_i = x·W_iᵀ (+ b_i) of several layers with one input.
  template <typename... Layers>
  friend std::array<Tensor, sizeof...(Layers)> project(Context& ctx, const kernels::Input& x,
                                                       const Layers&... layers) {
    const int64_t rows = kernels::rows_of(x).rows();
    const kernels::Projection projections[] = {
        {*layers.weight_, layers.bias_, ctx.allocate({rows, layers.weight_->n})}...};
    ctx.kernels().project(x, projections);
    std::array<Tensor, sizeof...(Layers)> out;
    for (size_t i = 0; i < out.size(); ++i) out[i] = projections[i].out;
    return out;
  }

 private:
  std::shared_ptr<const kernels::PackedMatrix> weight_;
  std::vector<float> bias_;
};

// Rows of a table [V, D].
class Embedding {
 public:
  Embedding(const weights::Weights& w, int64_t vocab, int64_t dim)
      : table_(w.matrix("weight", vocab, dim)) {}
  Tensor operator()(Context& ctx, std::span<const int32_t> token_ids) const {
    Tensor x = ctx.allocate({static_cast<int64_t>(token_ids.size()), table_->k});
    ctx.kernels().embed(token_ids, *table_, x);
    return x;
  }

 private:
  std::shared_ptr<const kernels::PackedMatrix> table_;
};

// x / rms(x) · weight, over the last dimension.
class RmsNorm {
 public:
  RmsNorm(const weights::Weights& w, int64_t dim, float eps)
      : weight_(w.vector("weight", dim)), eps_(eps) {}
  Tensor operator()(Context& ctx, const Tensor& x) const {
    Tensor y = ctx.allocate(x.shape);
    ctx.kernels().rms_norm(x, weight_, eps_, y);
    return y;
  }
  // The same of x += y (of x alone if y has no data), computed by the projection that reads it.
  kernels::Normed of_sum(const Tensor& x, const Tensor& y) const { return {x, y, weight_, eps_}; }

 private:
  std::vector<float> weight_;
  float eps_;
};

}  // namespace orrery::model
