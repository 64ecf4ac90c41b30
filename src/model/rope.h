// Rotary position embedding: the angle of each pair of dimensions at each position. (RoFormer,
// arXiv:2104.09864)
//
// Scalings of long contexts, each after its source: linear (arXiv:2306.15595), dynamic NTK, YaRN
// (arXiv:2309.00071), llama3 (Llama 3.1). Dynamic NTK chooses its base by the length of the
// sequence. A base that changed while a sequence grows would leave older keys rotated by another
// angle and would make answers depend on how the prompt was cut; so here it is fixed by
// max_model_len: plain angles up to the trained length, else the base for max_model_len.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/config.h"
#include "tensor/tensor.h"

namespace orrery::model {

class Rope {
 public:
  Rope() = default;
  explicit Rope(const ModelConfig& config);

  int64_t dim() const { return 2 * static_cast<int64_t>(inv_freq_.size()); }
  std::span<const float> inv_freq() const { return inv_freq_; }  // [d/2] radians per position
  float attention_factor() const { return attention_factor_; }

  // out [T, d]: d/2 cosines, then d/2 sines, each times attention_factor. Angles are fp32 products,
  // as in the models' training code.
  void angles(std::span<const int32_t> positions, Tensor out) const;

 private:
  std::vector<float> inv_freq_;
  float attention_factor_ = 1;
};

}  // namespace orrery::model
