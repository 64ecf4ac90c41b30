// Llm: a checkpoint made ready: tokenizer, chat template, model. Text in, text out.
//
// Loading happens once; generate() runs one request at a time on the caller's thread, a Service
// (llm/service.h) many at once.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/engine.h"
#include "engine/memory_plan.h"
#include "kernels/kernels.h"
#include "llm/generation.h"
#include "model/registry.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"
#include "weights/checkpoint.h"
#include "weights/memory_limits.h"
#include "weights/pack_cache.h"

namespace orrery::llm {

struct LlmOptions {
  std::string model = "demo";
  std::string tokenizer;                // path, instead of the checkpoint's own
  std::string chat_template;            // path, instead of the checkpoint's own
  std::string kv_cache_dtype = "auto";  // auto, float32, bfloat16: auto is bfloat16 unless the
                                        // checkpoint or `dtype` is finer
  std::string dtype = "auto";           // auto, float32, bfloat16
  // auto (as in the file), q8_0, q4_0 or q4_k: bf16, f16 and fp32 matrices are quantised on
  // loading.
  std::string quantization = "auto";
  std::string load_format = "auto";        // auto, safetensors or gguf: what the checkpoint must be
  std::string generation_config = "auto";  // whose sampling defaults hold: auto (the checkpoint's),
                                           // none (vllm is the same), or a folder
  std::optional<int64_t> max_model_len;
  int64_t max_num_batched_tokens = 512;  // tokens of a prefill chunk
  // What must fit beside the weights (its dtypes are set from the above); absent: one KV block.
  std::optional<engine::MemoryOptions> memory;
  weights::PackCacheOptions pack_cache;  // none unless a folder is given
};

class Llm {
 public:
  // Opens and checks everything, then packs the weights. Nothing large is allocated before the
  // memory verdict. Errors: whatever is wrong with files or options; kResourceExhausted with the
  // numbers if it cannot fit.
  static Result<std::unique_ptr<Llm>> load(const LlmOptions& options,
                                           std::unique_ptr<kernels::Kernels> kernels,
                                           const std::function<void(double)>& progress = {});

  // nullptr for a synthetic model without --tokenizer.
  const tokenizer::Tokenizer* tokenizer() const { return tokenizer_.get(); }
  const tokenizer::ChatTemplate* chat_template() const {
    return chat_template_ ? &*chat_template_ : nullptr;
  }
  const model::Model& model() const { return *model_; }
  kernels::Kernels& kernels() { return *kernels_; }
  const kernels::Kernels& kernels() const { return *kernels_; }
  const weights::Checkpoint& checkpoint() const { return *checkpoint_; }
  DType kv_dtype() const { return kv_dtype_; }
  const std::vector<int32_t>& eos_token_ids() const { return eos_token_ids_; }
  // What generation_config.json recommends.
  const sampler::SamplingParams& sampling_defaults() const { return sampling_defaults_; }
  const LlmOptions& options() const { return options_; }
  // Of the memory that there was before the weights were loaded; dtypes are set to this model's.
  engine::MemoryPlan plan_memory(engine::MemoryOptions options) const;
  double load_seconds() const { return load_seconds_; }

  // The prompt's ids; special tokens spelled in `text` count (it comes from the person at the
  // terminal).
  Result<std::vector<int32_t>> tokenize(std::string_view text) const;
  // Renders messages through the chat template; only what the template itself writes can become a
  // special token.
  Result<std::vector<int32_t>> tokenize_chat(const OrderedJson& messages) const;

  // Parameters, ids, lengths: kInvalidArgument.
  Status check(const std::vector<int32_t>& prompt, const GenerationParams& params,
               int64_t max_model_len) const;

  // Without a seed, 0. With `record_to`, the step-event log of the run goes into that file, from
  // which `orrery replay` runs it again. Errors concern this request alone: those of check(), no
  // tokenizer, a failing sampler; those of trace::Recorder.
  Result<Generation> generate(std::vector<int32_t> prompt, const GenerationParams& params,
                              GenerationObserver& observer, const std::string& record_to = {});

 private:
  Llm() = default;
  Status require_tokenizer() const;
  engine::MemoryPlan plan(const model::ModelConfig& config, engine::MemoryOptions options) const;
  Result<Generation> generate_on(engine::Engine& engine, trace::TraceWriter& trace,
                                 std::vector<int32_t> prompt, const GenerationParams& params,
                                 GenerationObserver& observer);

  LlmOptions options_;
  std::unique_ptr<kernels::Kernels> kernels_;
  std::optional<weights::Checkpoint> checkpoint_;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer_;
  std::optional<tokenizer::ChatTemplate> chat_template_;
  std::unique_ptr<model::Model> model_;
  DType kv_dtype_ = DType::kBF16;
  std::optional<DType> quantise_to_;
  weights::MemoryLimits memory_limits_;  // before the weights were loaded
  std::vector<int32_t> eos_token_ids_;
  sampler::SamplingParams sampling_defaults_;
  double load_seconds_ = 0;
};

}  // namespace orrery::llm
