#include "llm/llm.h"

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "llm/model_files.h"
#include "weights/memory_plan.h"

namespace orrery::llm {
namespace {

// bf16 keys and values unless the checkpoint's own numbers are finer than that: then the cache must
// not be what limits them.
DType kv_dtype_of(const LlmOptions& options, const model::ModelConfig& config) {
  if (const auto dtype = engine::kv_dtype_from_name(options.kv_cache_dtype)) return *dtype;
  if (options.dtype == "float32") return DType::kF32;
  if (options.dtype == "bfloat16") return DType::kBF16;
  return config.torch_dtype == "float32" ? DType::kF32 : DType::kBF16;
}

// Requests with ids that the model lacks are refused; here the person who loads it is told.
void compare_vocabularies(const tokenizer::Tokenizer& tokenizer, const model::ModelConfig& config,
                          const std::string& name) {
  if (tokenizer.vocab_size() <= config.vocab_size) return;
  log::warn("{}: the tokenizer has {} ids, the model {}: the ids above cannot be used", name,
            tokenizer.vocab_size(), config.vocab_size);
}

Status check_memory(const weights::Checkpoint& checkpoint, const model::ModelConfig& config,
                    DType kv_dtype) {
  const weights::KvShape kv{config.n_layers, config.n_kv_heads, config.head_dim, kv_dtype};
  ASSIGN_OR_RETURN(const weights::MemoryLimits limits, weights::read_memory_limits());
  // The weights must fit; the length of the context is checked when a request asks for it.
  const weights::MemoryPlan plan = weights::plan_memory(checkpoint, kv, 1, limits);
  if (!plan.fits) return resource_exhausted("{}: {}", checkpoint.name(), plan.verdict);
  return {};
}

}  // namespace

Result<std::unique_ptr<Llm>> Llm::load(const LlmOptions& options,
                                       std::unique_ptr<kernels::Kernels> kernels,
                                       const std::function<void(double)>& progress) {
  const auto start = std::chrono::steady_clock::now();
  std::unique_ptr<Llm> llm(new Llm());
  llm->options_ = options;
  llm->kernels_ = std::move(kernels);
  ASSIGN_OR_RETURN(llm->checkpoint_, open_model(options.model));
  const weights::Checkpoint& checkpoint = *llm->checkpoint_;
  ASSIGN_OR_RETURN(model::ModelConfig config,
                   model::parse_model_config(checkpoint.config(), checkpoint.name()));
  config.max_model_len = options.max_model_len.value_or(config.max_position_embeddings);
  llm->kv_dtype_ = kv_dtype_of(options, config);
  RETURN_IF_ERROR(check_memory(checkpoint, config, llm->kv_dtype_));

  if (!options.tokenizer.empty()) {
    ASSIGN_OR_RETURN(llm->tokenizer_, load_tokenizer(options.tokenizer));
  } else if (checkpoint.format() != weights::Checkpoint::Format::kSynthetic) {
    ASSIGN_OR_RETURN(llm->tokenizer_, load_tokenizer(checkpoint));
  }
  if (llm->tokenizer_ != nullptr) {
    compare_vocabularies(*llm->tokenizer_, config, checkpoint.name());
    ASSIGN_OR_RETURN(llm->chat_template_,
                     load_chat_template(checkpoint, *llm->tokenizer_, options.chat_template));
  }
  ASSIGN_OR_RETURN(llm->eos_token_ids_, load_eos_token_ids(checkpoint, llm->tokenizer_.get()));
  std::erase_if(llm->eos_token_ids_, [&](int32_t id) { return id >= config.vocab_size; });
  ASSIGN_OR_RETURN(llm->sampling_defaults_, load_sampling_defaults(checkpoint));
  ASSIGN_OR_RETURN(llm->model_, model::load_model(checkpoint, config, *llm->kernels_, progress));
  llm->load_seconds_ =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return llm;
}

Status Llm::require_tokenizer() const {
  if (tokenizer_ != nullptr) return {};
  return invalid_argument("{}: this model has no tokenizer; give one with --tokenizer",
                          options_.model);
}

Result<std::vector<int32_t>> Llm::tokenize(std::string_view text) const {
  RETURN_IF_ERROR(require_tokenizer());
  return tokenizer_->encode(text);
}

Result<std::vector<int32_t>> Llm::tokenize_chat(const OrderedJson& messages) const {
  RETURN_IF_ERROR(require_tokenizer());
  if (!chat_template_) {
    return invalid_argument(
        "{}: expected a chat template, found none; give one with --chat-template", options_.model);
  }
  tokenizer::ChatRequest request;
  request.messages = messages;
  ASSIGN_OR_RETURN(const jinja::Rendered prompt, chat_template_->render(request));
  std::vector<tokenizer::Segment> segments;
  for (const jinja::Segment& segment : prompt.segments())
    segments.push_back({segment.text, segment.trusted});
  // The template writes the begin-of-sequence token itself.
  return tokenizer_->encode_segments(segments,
                                     {.add_special_tokens = false, .parse_special_tokens = true});
}

}  // namespace orrery::llm
