// Llm::generate: one request through an engine of its own, watched step by step.
#include <algorithm>
#include <chrono>

#include "llm/identity.h"
#include "llm/llm.h"
#include "llm/text_stream.h"
#include "trace/recorder.h"

namespace orrery::llm {
namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// What becomes of one request's tokens.
class Watched {
 public:
  Watched(const tokenizer::Tokenizer& tokenizer, std::vector<int32_t> prompt,
          const GenerationParams& params, GenerationObserver& observer, trace::TraceWriter& trace)
      : observer_(observer), trace_(trace), text_(tokenizer, prompt, params) {
    out_.prompt_token_ids = std::move(prompt);
  }

  // A step computed `count` tokens from position `first` on; `event` came of it, if its token was
  // drawn.
  Status after_step(int64_t first, int64_t count, const std::optional<engine::TokenEvent>& event,
                    const sampler::SampleTrace& sample_trace, double seconds) {
    const auto prompt = static_cast<int64_t>(out_.prompt_token_ids.size());
    (first < prompt ? out_.prefill_seconds : out_.decode_seconds) += seconds;
    if (first < prompt) observer_.on_prefill_chunk(first, count, prompt, seconds);
    return event ? on_token(*event, sample_trace, seconds) : Status();
  }

  bool stopped() const { return text_.stopped(); }

  Generation finish(uint64_t step) {
    const std::string rest = text_.finish();
    out_.text += rest;
    if (text_.stopped()) out_.finish_reason = FinishReason::kStop;
    text_.write_trace(trace_, step, 1, rest);
    observer_.on_text(rest, {});
    return std::move(out_);
  }
  void set_aborted() { out_.finish_reason = FinishReason::kAbort; }

 private:
  Status on_token(const engine::TokenEvent& event, const sampler::SampleTrace& sample_trace,
                  double seconds) {
    RETURN_IF_ERROR(event.error);
    for (const sampler::RowLogprobs& row : event.prompt_logprobs)
      out_.prompt_logprobs.push_back({row.tokens.front(), row.top_logprobs});
    out_.token_ids.push_back(event.token.id);
    out_.tokens.push_back(event.token);
    observer_.on_token(event.token, sample_trace, seconds);
    const bool ends = event.finish_reason == engine::FinishReason::kStop;
    ASSIGN_OR_RETURN(const std::string released, text_.push(event.token.id, ends));
    out_.text += released;
    out_.finish_reason = ends || text_.stopped() ? FinishReason::kStop : FinishReason::kLength;
    text_.write_trace(trace_, event.step, event.request, released);
    observer_.on_text(released, text_.held_back());
    return {};
  }

  GenerationObserver& observer_;
  trace::TraceWriter& trace_;
  TextStream text_;
  Generation out_;
};

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

Status Llm::check(const std::vector<int32_t>& prompt, const GenerationParams& params,
                  int64_t max_model_len) const {
  const model::ModelConfig& config = model_->config();
  const auto length = static_cast<int64_t>(prompt.size());
  if (prompt.empty()) return invalid_argument("prompt: expected at least one token, got none");
  for (const int32_t id : prompt) {
    if (id < 0 || id >= config.vocab_size) {
      return invalid_argument("prompt: expected token ids from 0 to {}, got {}",
                              config.vocab_size - 1, id);
    }
  }
  if (length >= max_model_len) {
    return invalid_argument("prompt: expected fewer than max_model_len = {} tokens, got {}",
                            max_model_len, length);
  }
  if (params.max_tokens < 1)
    return invalid_argument("max_tokens: expected at least 1, got {}", params.max_tokens);
  if (params.sampling.min_tokens > params.max_tokens) {
    return invalid_argument("min_tokens: expected at most max_tokens = {}, got {}",
                            params.max_tokens, params.sampling.min_tokens);
  }
  return sampler::validate(params.sampling, config.vocab_size);
}

Result<Generation> Llm::generate(std::vector<int32_t> prompt, const GenerationParams& params,
                                 GenerationObserver& observer, const std::string& record_to) {
  RETURN_IF_ERROR(require_tokenizer());
  RETURN_IF_ERROR(check(prompt, params, model_->config().max_model_len));
  const auto num_tokens = static_cast<int32_t>(std::min(
      static_cast<int64_t>(prompt.size()) + params.max_tokens, model_->config().max_model_len));
  engine::EngineOptions options;
  options.kv_dtype = kv_dtype_;
  options.scheduler.max_num_seqs = 1;
  options.scheduler.max_num_batched_tokens = static_cast<int32_t>(options_.max_num_batched_tokens);
  options.scheduler.max_model_len = num_tokens;
  options.scheduler.kv.num_blocks = engine::blocks_for(num_tokens);
  options.scheduler.kv.enable_prefix_caching = false;
  // The log of a second of tiny steps, should the disk be slow.
  trace::EventRing ring(record_to.empty() ? 1 : 1 << 17);
  ASSIGN_OR_RETURN(const auto engine, engine::Engine::create(*model_, *kernels_, options, ring));
  if (record_to.empty()) return generate_on(*engine, ring, std::move(prompt), params, observer);

  ASSIGN_OR_RETURN(const auto recorder,
                   trace::Recorder::start(ring, record_to, dump_json(describe(*this, options))));
  engine->set_focus(engine::kEverySequence);
  auto generation = generate_on(*engine, ring, std::move(prompt), params, observer);
  RETURN_IF_ERROR(recorder->stop());
  return generation;
}

Result<Generation> Llm::generate_on(engine::Engine& engine, trace::TraceWriter& trace,
                                    std::vector<int32_t> prompt, const GenerationParams& params,
                                    GenerationObserver& observer) {
  const int64_t max_model_len = engine.scheduler().options().max_model_len;
  sampler::SampleTrace sample_trace;
  engine::GenerationRequest request;
  request.request.id = 1;
  request.request.prompt_token_ids = prompt;
  request.request.max_tokens = static_cast<int32_t>(
      std::min(params.max_tokens, max_model_len - static_cast<int64_t>(prompt.size())));
  request.sampling = params.sampling;
  request.sampling.eos_token_ids = eos_token_ids_;
  request.seed = static_cast<uint64_t>(params.sampling.seed.value_or(0));
  request.ignore_eos = params.ignore_eos;
  request.trace = observer.wants_trace() ? &sample_trace : nullptr;

  Watched watched(*tokenizer_, std::move(prompt), params, observer, trace);
  std::optional<engine::TokenEvent> event;
  RETURN_IF_ERROR(engine.add_request(std::move(request),
                                     [&event](engine::TokenEvent&& e) { event = std::move(e); }));
  int64_t num_computed = 0;
  while (engine.scheduler().has_unfinished()) {
    if (observer.aborted()) {
      engine.abort(1);
      watched.set_aborted();
      break;
    }
    event.reset();
    const double start = now_seconds();
    engine.step();
    const int64_t count = engine.num_computed_tokens() - num_computed;
    RETURN_IF_ERROR(watched.after_step(std::exchange(num_computed, num_computed + count), count,
                                       event, sample_trace, now_seconds() - start));
    if (watched.stopped()) engine.abort(1, engine::FinishReason::kStop);
  }
  return watched.finish(engine.num_steps());
}

}  // namespace orrery::llm
