// The steps that change logits in place, before any probability is computed. Each stays inside the
// row whatever ids it is given: ids outside the vocabulary are skipped (a prompt may hold
// placeholders of other modalities).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sampler/sampling_params.h"
#include "sampler/token_mask.h"

namespace orrery::sampler {

// Masks what the grammar forbids. `bits` is scratch. Errors: those of the mask; kInternal if it
// throws.
Status apply_token_mask(std::span<float> logits, const TokenMask& mask,
                        std::vector<uint32_t>& bits);
// Masks all but the given ids.
void apply_allowed_token_ids(std::span<float> logits, std::span<const int32_t> allowed,
                             std::vector<uint32_t>& bits);
// Masks the last token of each word whose other tokens end the output.
void apply_bad_words(std::span<float> logits, const SamplingParams& params,
                     std::span<const int32_t> output_ids);
// Masks stop and EOS tokens while the output is shorter than min_tokens.
void apply_min_tokens(std::span<float> logits, const SamplingParams& params,
                      std::span<const int32_t> output_ids);
void apply_logit_bias(std::span<float> logits, const SamplingParams& params);
// Repetition (Keskar et al., "CTRL", 2019), then frequency, then presence. `counts` is scratch:
// [V] zeros before and after. Time is linear in the number of prompt and output ids.
void apply_penalties(std::span<float> logits, const SamplingParams& params,
                     std::span<const int32_t> prompt_ids, std::span<const int32_t> output_ids,
                     std::vector<uint32_t>& counts);

}  // namespace orrery::sampler
