// A GGUF model's metadata in the keys of Hugging Face's config.json.
#pragma once

#include <span>
#include <string_view>

#include "base/json.h"
#include "base/status.h"
#include "weights/gguf.h"

namespace orrery::weights {

// `parts`: the files of the model, the first with the metadata. An architecture other than llama,
// qwen2 and qwen3 gives only model_type and architectures, which the model registry will refuse by
// name. Files without tensors (vocabularies) give what they have. Errors: kMalformed for a missing
// key or one of the wrong type; kUnsupported (mixture of experts).
Result<Json> hf_config_from_gguf(std::span<const Gguf> parts, std::string_view where);

// Whether tensor names and the rows of q_proj and k_proj follow llama.cpp's rules for the Llama
// family, which we know how to read.
bool is_known_gguf_architecture(std::string_view architecture);

// Llama 3's frequency factors (one divisor for each of the d/2 rotary frequencies) as the
// parameters that they were computed from: rope_scaling of type "llama3" if some give the same
// factors, else of type "frequency_factors" with the list `factors`; null if all are 1.
Json rope_scaling_from_factors(std::span<const float> factors, double rope_theta);

}  // namespace orrery::weights
