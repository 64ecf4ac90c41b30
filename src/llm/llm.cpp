#include "llm/llm.h"

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "engine/memory_plan.h"
#include "llm/model_files.h"
#include "tensor/quantise.h"
#include "weights/memory_limits.h"

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

Result<std::optional<DType>> quantisation_of(const LlmOptions& options) {
  if (options.quantization == "auto" || options.quantization == "none")
    return std::optional<DType>();
  const auto dtype = dtype_from_name(options.quantization);
  if (!dtype || !can_quantise_to(*dtype)) {
    return invalid_argument("quantization: expected auto, q8_0, q4_0 or q4_k, got \"{}\"",
                            options.quantization);
  }
  return dtype;
}

Status check_format(const weights::Checkpoint& checkpoint, const std::string& wanted) {
  using Format = weights::Checkpoint::Format;
  const bool fits = wanted == "auto" ||
                    (wanted == "safetensors" && checkpoint.format() == Format::kSafetensors) ||
                    (wanted == "gguf" && checkpoint.format() == Format::kGguf);
  if (fits) return {};
  return invalid_argument("{}: load_format: expected a {} checkpoint, got another",
                          checkpoint.name(), wanted);
}

// A block; the length of the context is checked when a request asks.
engine::MemoryOptions least_memory() {
  engine::MemoryOptions least;
  least.max_model_len = engine::kBlockSize;
  least.max_num_batched_tokens = least.max_num_seqs = 1;
  least.num_kv_blocks = 1;
  return least;
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
  ASSIGN_OR_RETURN(llm->quantise_to_, quantisation_of(options));
  RETURN_IF_ERROR(check_format(checkpoint, options.load_format));
  ASSIGN_OR_RETURN(llm->memory_limits_, weights::read_memory_limits());
  RETURN_IF_ERROR(llm->plan(config, options.memory.value_or(least_memory()))
                      .status()
                      .with_context(checkpoint.name()));
  // Before the tokenizer, which takes as long to load as packed weights to come into memory.
  const auto cache =
      weights::PackCache::open(checkpoint, *llm->kernels_, llm->quantise_to_, options.pack_cache);

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
  ASSIGN_OR_RETURN(llm->sampling_defaults_,
                   load_sampling_defaults(checkpoint, options.generation_config));
  ASSIGN_OR_RETURN(llm->model_, model::load_model(checkpoint, config, *llm->kernels_, progress,
                                                  llm->quantise_to_, cache.get()));
  llm->load_seconds_ =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return llm;
}

engine::MemoryPlan Llm::plan(const model::ModelConfig& config,
                             engine::MemoryOptions options) const {
  options.kv_dtype = kv_dtype_;
  options.quantise_to = quantise_to_;
  return engine::plan_memory(*checkpoint_, config, options, memory_limits_);
}

engine::MemoryPlan Llm::plan_memory(engine::MemoryOptions options) const {
  return plan(model_->config(), options);
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
