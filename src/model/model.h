// Model: a decoder-only transformer that turns a Batch into logits.
#pragma once

#include "model/batch.h"
#include "model/config.h"
#include "model/context.h"

namespace orrery::model {

class Model {
 public:
  explicit Model(const ModelConfig& config) : config_(config) {}
  virtual ~Model() = default;
  const ModelConfig& config() const { return config_; }

  // One pass over the batch's T tokens; stores their keys and values in batch.kv. Returns logits
  // [batch.logits_rows.size(), V], which live until the caller's ctx scope ends. Const: many
  // contexts may share a model.
  virtual Tensor forward(Context& ctx, Batch& batch) const = 0;

 private:
  ModelConfig config_;
};

}  // namespace orrery::model
