// What belongs to a checkpoint beside its weights: tokenizer, chat template, generation defaults;
// from a folder's files or from a GGUF file's metadata.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sampler/sampling_params.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"
#include "weights/checkpoint.h"

namespace orrery::llm {

// "demo", or whatever weights::open_checkpoint takes. Errors as there.
Result<weights::Checkpoint> open_model(const std::string& name);

// tokenizer.json, tokenizer.model or ranks of the folder, or the GGUF vocabulary. Errors: kNotFound
// if there is none.
Result<std::unique_ptr<tokenizer::Tokenizer>> load_tokenizer(const weights::Checkpoint& checkpoint);
// A tokenizer file, a folder that holds one, or a model's name.
Result<std::unique_ptr<tokenizer::Tokenizer>> load_tokenizer(const std::string& path,
                                                             std::string_view pattern = {});

// The chat template's text: chat_template.jinja, tokenizer_config.json or GGUF metadata; empty if
// none of them has one.
Result<std::string> chat_template_source(const weights::Checkpoint& checkpoint);

// From `path` if given, else the checkpoint's own; nothing if it has none.
Result<std::optional<tokenizer::ChatTemplate>> load_chat_template(
    const weights::Checkpoint& checkpoint, const tokenizer::Tokenizer& tokenizer,
    const std::string& path);

// Ids that end an answer: generation_config.json, config.json, the tokenizer's; each once.
Result<std::vector<int32_t>> load_eos_token_ids(const weights::Checkpoint& checkpoint,
                                                const tokenizer::Tokenizer* tokenizer);

// The sampling defaults of generation_config.json (temperature, top_k, top_p, min_p,
// repetition_penalty), where it has them. `source`: "auto" for the checkpoint's own, "none" or
// "vllm" for none, or a folder that holds another.
Result<sampler::SamplingParams> load_sampling_defaults(const weights::Checkpoint& checkpoint,
                                                       const std::string& source = "auto");

}  // namespace orrery::llm
