// Engine: from rows of logits to tokens, and the sequences that begin with them.
#include <algorithm>
#include <atomic>

#include "engine/engine.h"

namespace orrery::engine {

using trace::EventKind;

namespace {

bool contains(const std::vector<int32_t>& ids, int32_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

// Rows are in the order in which gather() has asked for them.
void Engine::sample(const StepPlan& plan, const Tensor& logits) {
  const auto vocab = static_cast<size_t>(model_.config().vocab_size);
  size_t row = 0;
  draws_.clear();
  for (size_t r = 0; r < plan.scheduled.size(); ++r) {
    const ScheduledRequest& scheduled = plan.scheduled[r];
    const Request& request = *scheduled.request;
    Generation& generation = generations_.at(request.id);
    const int32_t end = batch_.query_start_loc[r + 1];
    for (; row < batch_.logits_rows.size() && batch_.logits_rows[row] < end; ++row) {
      const std::span<float> values = logits.f32().subspan(row * vocab, vocab);
      if (scheduled.samples && batch_.logits_rows[row] == end - 1) {
        draws_.push_back({&request, &generation, values, in_focus(request.id)});
      } else {
        take_prompt_row(request, generation, values);
      }
    }
  }
  draw_beside_each_other();
  for (size_t i = 0; i < draws_.size(); ++i) take_draw(i);
}

// Where what happens to the row's candidates is to be told; null: nowhere.
sampler::SampleTrace* Engine::trace_of(size_t draw) {
  sampler::SampleTrace* asked = draws_[draw].generation->asked.trace;
  return asked == nullptr && draws_[draw].in_focus ? &sample_traces_[draw] : asked;
}

// A draw depends on its row, its request and its seed alone, so threads share them as they come.
// Requests that fork draw more than once from a row: afterwards, one after the other.
void Engine::draw_beside_each_other() {
  if (std::any_of(draws_.begin(), draws_.end(), [](const Draw& d) { return d.in_focus; }))
    sample_traces_.resize(std::max(sample_traces_.size(), draws_.size()));
  const auto lanes = std::min<int64_t>(context_.kernels().num_threads(), std::ssize(draws_));
  while (std::ssize(samplers_) < lanes) samplers_.emplace_back(model_.config().vocab_size);
  std::atomic<size_t> next{0};
  context_.kernels().run_on_threads(lanes, [this, &next](int64_t begin, int64_t end) {
    for (int64_t lane = begin; lane < end; ++lane) {
      sampler::Sampler& sampler = samplers_[static_cast<size_t>(lane)];
      for (size_t i = next++; i < draws_.size(); i = next++) {
        Draw& d = draws_[i];
        if (d.generation->forks) continue;
        d.event = draw(sampler, *d.request, *d.generation, 0, d.row, trace_of(i));
        d.num_candidates = sampler.num_candidates();
      }
    }
  });
}

void Engine::take_prompt_row(const Request& request, Generation& generation,
                             std::span<const float> row) {
  const auto next = static_cast<size_t>(++generation.num_prompt_rows);
  auto logprobs = samplers_[0].logprobs(row, {&request.token_ids[next], 1},
                                        *generation.asked.sampling.prompt_logprobs);
  if (logprobs.ok()) {
    generation.prompt_logprobs.push_back(std::move(logprobs).value());
  } else if (generation.prompt_error.ok()) {
    generation.prompt_error = logprobs.status().with_context("prompt_logprobs");
  }
}

void Engine::take_draw(size_t number) {
  Draw& drawn = draws_[number];
  const Request& request = *drawn.request;
  Generation& generation = *drawn.generation;
  sampler::SampleTrace* trace = trace_of(number);
  if (generation.forks) {
    row_.assign(drawn.row.begin(), drawn.row.end());
    drawn.event = draw(samplers_[0], request, generation, 0, drawn.row, trace);
    drawn.num_candidates = samplers_[0].num_candidates();
  }
  TokenEvent& event = drawn.event;
  outputs_.push_back({event.request, event.token.id, event.finish_reason});
  if (trace_.wanted() && event.error.ok())
    trace_sample(event, request.num_tokens(), generation.asked, drawn.num_candidates, trace);
  event.prompt_logprobs = std::exchange(generation.prompt_logprobs, {});
  events_.push_back(std::move(event));
  for (int32_t i = 1; generation.forks && i < generation.asked.n; ++i) {
    std::copy(row_.begin(), row_.end(), drawn.row.begin());
    Child child = {events_.size(), request.id, 0, {}};
    const bool traced = in_focus(request.id + static_cast<uint32_t>(i));
    events_.push_back(
        draw(samplers_[0], request, generation, i, drawn.row, traced ? &child.trace : nullptr));
    child.num_candidates = samplers_[0].num_candidates();
    children_.push_back(std::move(child));
  }
}

// The next token of the request, or the first of the sequence that stands `further` behind it.
TokenEvent Engine::draw(sampler::Sampler& sampler, const Request& request,
                        const Generation& generation, int32_t further, std::span<float> row,
                        sampler::SampleTrace* trace) const {
  const GenerationRequest& asked = generation.asked;
  const auto ids = std::span(request.token_ids);
  const auto prompt = static_cast<size_t>(request.num_prompt_tokens);
  TokenEvent event;
  event.request = request.id + static_cast<uint32_t>(further);
  event.index = generation.index + further;
  event.step = trace_.step();
  event.num_cached_tokens = request.num_cached_tokens;
  const sampler::SampleInput input = {ids.first(prompt), ids.subspan(prompt),
                                      sequence_seed(asked.seed, further),
                                      static_cast<uint64_t>(ids.size()), asked.mask};
  auto token = generation.prompt_error.ok()
                   ? sampler.sample(row, asked.sampling, input, trace)
                   : Result<sampler::SampledToken>(generation.prompt_error);
  if (!token.ok()) {  // this request's own fault: the others go on
    event.finish_reason = FinishReason::kError;
    event.error = token.status();
    return event;
  }
  event.token = std::move(token).value();
  event.finish_reason = finish_after(request, generation, event.token.id);
  return event;
}

FinishReason Engine::finish_after(const Request& request, const Generation& generation,
                                  int32_t token) const {
  const sampler::SamplingParams& params = generation.asked.sampling;
  const bool eos = !generation.asked.ignore_eos && contains(params.eos_token_ids, token);
  if (eos || contains(params.stop_token_ids, token)) return FinishReason::kStop;
  return request.num_output_tokens() + 1 == request.max_tokens ? FinishReason::kLength
                                                               : FinishReason::kNone;
}

// ---- Sequences that share a prefill.

// A sequence that ends with its first token never enters the scheduler; to readers of the log it
// looks like any other.
void Engine::fork_child(const Child& child) {
  TokenEvent& event = events_[child.event];
  Generation& parent = generations_.at(child.parent);
  parent.forks = false;
  const Request& request = *scheduler_->find(child.parent);
  if (event.finish_reason == FinishReason::kNone) {
    const auto prompt = request.token_ids.begin();
    std::vector<int32_t> ids(prompt, prompt + request.num_prompt_tokens);
    ids.push_back(event.token.id);
    event.error = scheduler_->fork(child.parent, event.request, std::move(ids));
    if (!event.error.ok()) event.finish_reason = FinishReason::kError;
  } else {
    trace_(EventKind::kArrived, event.request,
           {request.num_prompt_tokens, request.max_tokens, static_cast<int32_t>(request.tenant),
            request.priority});
    trace_(EventKind::kForked, event.request, {static_cast<int32_t>(child.parent)});
  }
  Generation generation = {parent.asked, parent.sink, event.index};
  generation.asked.seed = sequence_seed(parent.asked.seed, event.index);
  if (trace_.wanted() && event.error.ok()) {
    trace_sample(event, request.num_prompt_tokens, generation.asked, child.num_candidates,
                 child.trace.tokens.empty() ? nullptr : &child.trace);
  }
  if (event.finish_reason != FinishReason::kNone) {
    trace_(EventKind::kFinished, event.request,
           {event.error.ok() ? 1 : 0, request.num_prompt_tokens, 0, event.num_cached_tokens},
           trace_reason(event.finish_reason));
  }
  generations_.emplace(event.request, std::move(generation));
}

}  // namespace orrery::engine
