// From a checkpoint to a model: the list of architectures.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/model.h"
#include "weights/checkpoint.h"
#include "weights/pack_cache.h"
#include "weights/weights.h"

namespace orrery::model {

// model_type values that load_model knows.
std::vector<std::string_view> known_architectures();
// Errors: kUnsupported, with the list of those we know.
Status check_architecture(std::string_view model_type);

// Builds the model: every weight is found, checked for its shape and packed for `kernels`. `config`
// comes from parse_model_config, with max_model_len set. `progress` (may be empty) is called with
// the fraction loaded. `quantise_to`: see weights::packed_dtype. `cache` (may be nullptr) keeps
// the packed weights for the next time. Errors: kUnsupported
// (architecture, dtype), kNotFound (a tensor), kMalformed (a shape), kResourceExhausted.
Result<std::unique_ptr<Model>> load_model(const weights::Checkpoint& checkpoint,
                                          const ModelConfig& config,
                                          const kernels::Kernels& kernels,
                                          const std::function<void(double)>& progress = {},
                                          std::optional<DType> quantise_to = {},
                                          weights::PackCache* cache = nullptr);

// One per file in this folder.
std::unique_ptr<Model> make_llama(const ModelConfig& config, const weights::Weights& weights);
std::unique_ptr<Model> make_mistral(const ModelConfig& config, const weights::Weights& weights);
std::unique_ptr<Model> make_qwen2(const ModelConfig& config, const weights::Weights& weights);
std::unique_ptr<Model> make_qwen3(const ModelConfig& config, const weights::Weights& weights);

}  // namespace orrery::model
