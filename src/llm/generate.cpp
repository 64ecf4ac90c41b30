// Llm::generate: prefill in chunks, then one token after the other until something ends it.
#include <algorithm>
#include <chrono>

#include "llm/llm.h"
#include "llm/stop_strings.h"

namespace orrery::llm {
namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool contains(const std::vector<int32_t>& ids, int32_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

std::string_view name_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kAbort:
      return "abort";
    case FinishReason::kError:
      return "error";
  }
  return "";
}

Status Llm::check(const std::vector<int32_t>& prompt, const GenerationParams& params) const {
  const model::ModelConfig& config = model_->config();
  const auto length = static_cast<int64_t>(prompt.size());
  if (prompt.empty()) return invalid_argument("prompt: expected at least one token, got none");
  for (const int32_t id : prompt) {
    if (id < 0 || id >= config.vocab_size) {
      return invalid_argument("prompt: expected token ids from 0 to {}, got {}",
                              config.vocab_size - 1, id);
    }
  }
  if (length >= config.max_model_len) {
    return invalid_argument("prompt: expected fewer than max_model_len = {} tokens, got {}",
                            config.max_model_len, length);
  }
  if (params.max_tokens < 1)
    return invalid_argument("max_tokens: expected at least 1, got {}", params.max_tokens);
  if (params.sampling.min_tokens > params.max_tokens) {
    return invalid_argument("min_tokens: expected at most max_tokens = {}, got {}",
                            params.max_tokens, params.sampling.min_tokens);
  }
  return sampler::validate(params.sampling, config.vocab_size);
}

Result<Generation> Llm::generate(std::vector<int32_t> prompt, const GenerationParams& given,
                                 GenerationObserver& observer) {
  GenerationParams params = given;
  params.sampling.eos_token_ids = eos_token_ids_;
  RETURN_IF_ERROR(require_tokenizer());
  RETURN_IF_ERROR(check(prompt, params));
  const auto length = static_cast<int64_t>(prompt.size());
  params.max_tokens = std::min(params.max_tokens, model_->config().max_model_len - length);

  Generation out;
  out.prompt_token_ids = std::move(prompt);
  ASSIGN_OR_RETURN(engine::Runner runner, engine::Runner::create(*model_, *kernels_, kv_dtype_,
                                                                 length + params.max_tokens));
  sampler::Sampler sampler(model_->config().vocab_size);
  const double start = now_seconds();
  ASSIGN_OR_RETURN(const Tensor logits, prefill(runner, params, sampler, out, observer));
  const double prefilled = now_seconds();
  RETURN_IF_ERROR(decode(runner, logits, params, sampler, out, observer));
  out.prefill_seconds = prefilled - start;
  out.decode_seconds = now_seconds() - prefilled;
  return out;
}

Result<Tensor> Llm::prefill(engine::Runner& runner, const GenerationParams& params,
                            sampler::Sampler& sampler, Generation& out,
                            GenerationObserver& observer) const {
  const std::vector<int32_t>& prompt = out.prompt_token_ids;
  const bool every = params.sampling.prompt_logprobs.has_value();
  Tensor logits;
  for (size_t first = 0; first < prompt.size();) {
    const size_t count =
        std::min(prompt.size() - first, static_cast<size_t>(options_.max_num_batched_tokens));
    const bool last = first + count == prompt.size();
    const double start = now_seconds();
    const engine::LogitsOf wanted =
        every ? engine::LogitsOf::kEveryToken
              : (last ? engine::LogitsOf::kLastToken : engine::LogitsOf::kNone);
    ASSIGN_OR_RETURN(logits, runner.append(std::span(prompt).subspan(first, count), wanted));
    for (size_t i = 0; every && i < count && first + i + 1 < prompt.size(); ++i) {
      const auto row = logits.f32().subspan(i * static_cast<size_t>(logits.cols()),
                                            static_cast<size_t>(logits.cols()));
      const int32_t next = prompt[first + i + 1];
      ASSIGN_OR_RETURN(auto of_row,
                       sampler.logprobs(row, {&next, 1}, *params.sampling.prompt_logprobs));
      out.prompt_logprobs.push_back({of_row.tokens.front(), std::move(of_row.top_logprobs)});
    }
    observer.on_prefill_chunk(static_cast<int64_t>(first), static_cast<int64_t>(count),
                              static_cast<int64_t>(prompt.size()), now_seconds() - start);
    first += count;
  }
  // The row of the prompt's last token.
  const auto last_row = static_cast<size_t>((logits.rows() - 1) * logits.cols());
  return Tensor{DType::kF32, {1, logits.cols()}, logits.f32().data() + last_row};
}

Status Llm::decode(engine::Runner& runner, Tensor logits, const GenerationParams& params,
                   sampler::Sampler& sampler, Generation& out, GenerationObserver& observer) const {
  tokenizer::Detokenizer detokenizer(*tokenizer_, params.skip_special_tokens);
  detokenizer.prime(
      out.prompt_token_ids);  // the text goes on: a first word keeps the space before it
  StopStrings stops(params.stop, params.include_stop_str_in_output);
  const auto seed = static_cast<uint64_t>(params.sampling.seed.value_or(0));
  double start = now_seconds();
  for (;;) {
    if (observer.aborted()) {
      out.finish_reason = FinishReason::kAbort;
      break;
    }
    sampler::SampleTrace trace;
    ASSIGN_OR_RETURN(const sampler::SampledToken token,
                     sampler.sample(logits.f32(), params.sampling,
                                    {out.prompt_token_ids, out.token_ids, seed,
                                     static_cast<uint64_t>(runner.num_tokens())},
                                    observer.wants_trace() ? &trace : nullptr));
    out.token_ids.push_back(token.id);
    out.tokens.push_back(token);
    observer.on_token(token, trace, now_seconds() - start);

    const bool ended = (!params.ignore_eos && contains(eos_token_ids_, token.id)) ||
                       contains(params.sampling.stop_token_ids, token.id);
    if (!ended || params.include_stop_str_in_output) {
      ASSIGN_OR_RETURN(const std::string text, detokenizer.push(token.id));
      const std::string released = stops.push(text);
      out.text += released;
      observer.on_text(released, stops.held_back());
    }
    if (ended || stops.matched()) {
      out.finish_reason = FinishReason::kStop;
      break;
    }
    if (static_cast<int64_t>(out.token_ids.size()) == params.max_tokens) {
      out.finish_reason = FinishReason::kLength;
      break;
    }
    start = now_seconds();
    ASSIGN_OR_RETURN(logits, runner.append({&token.id, 1}, engine::LogitsOf::kLastToken));
  }
  std::string rest = stops.push(detokenizer.finish());
  rest += stops.finish();
  out.text += rest;
  observer.on_text(rest, {});
  return {};
}

}  // namespace orrery::llm
