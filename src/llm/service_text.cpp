// Service: the text thread, from tokens to deltas.
#include <algorithm>
#include <limits>
#include <numeric>

#include "llm/identity.h"
#include "llm/service_impl.h"

namespace orrery::llm {
namespace {

FinishReason text_reason(engine::FinishReason reason) {
  switch (reason) {
    case engine::FinishReason::kStop:
      return FinishReason::kStop;
    case engine::FinishReason::kLength:
      return FinishReason::kLength;
    case engine::FinishReason::kError:
      return FinishReason::kError;
    case engine::FinishReason::kNone:
    case engine::FinishReason::kAborted:
      break;
  }
  return FinishReason::kAbort;
}

bool contains(const std::vector<int32_t>& ids, int32_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

template <typename T>
void append(std::vector<T>& to, std::vector<T>& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

uint64_t number_of_salt(std::string_view salt) {
  return salt.empty() ? 0 : hash64(salt) | 1;  // not 0, which is no salt
}

void Service::Impl::deliver(const std::shared_ptr<Job>& job, engine::TokenEvent&& event) {
  const std::lock_guard lock(mutex_);
  queue_.push_back({job, std::move(event)});
}

void Service::Impl::wake_text_thread() {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.empty()) return;
  }
  wake_.notify_one();
}

void Service::Impl::run() {
  std::vector<Item> items;  // the two vectors change places and keep their capacity
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      handling_ = false;
      if (jobs_.empty()) idle_.notify_all();
      wake_.wait(lock, [this] { return stop_ || !queue_.empty(); });
      if (queue_.empty()) return;
      std::swap(items, queue_);
      handling_ = true;
    }
    for (Item& item : items) handle(*item.job, std::move(item.event));
    items.clear();
  }
}

void Service::Impl::handle(Job& job, engine::TokenEvent&& event) {
  Sequence& sequence = job.sequences[static_cast<size_t>(event.index)];
  if (sequence.ended) return;  // tokens that came after its stop string
  Delta delta;
  delta.request = job.id;
  delta.index = event.index;
  delta.num_cached_tokens = event.num_cached_tokens;
  if (!sequence.begun && llm_.tokenizer() != nullptr) {
    sequence.text = std::make_unique<TextStream>(*llm_.tokenizer(), job.request.prompt_token_ids,
                                                 job.request.params);
  }
  sequence.begun = true;
  for (sampler::RowLogprobs& row : event.prompt_logprobs)
    delta.prompt_logprobs.push_back({row.tokens.front(), std::move(row.top_logprobs)});
  if (event.finish_reason != engine::FinishReason::kAborted && event.error.ok())
    event.error = add_token(job, sequence, event, delta);
  if (!event.error.ok()) event.finish_reason = engine::FinishReason::kError;
  if (event.finish_reason != engine::FinishReason::kNone || sequence.ended)
    end(job, sequence, event, delta);
  if (sequence.text != nullptr)
    sequence.text->write_trace(trace_, event.step, job.id + static_cast<uint32_t>(event.index),
                               delta.text);
  send(job, sequence, std::move(delta));
}

// Errors end the sequence.
Status Service::Impl::add_token(Job& job, Sequence& sequence, engine::TokenEvent& event,
                                Delta& delta) {
  const int32_t token = event.token.id;
  sequence.sum_logprobs += static_cast<double>(event.token.logprob);
  delta.tokens.push_back(std::move(event.token));
  event.token.id = token;
  if (sequence.text == nullptr) return {};
  ASSIGN_OR_RETURN(delta.text,
                   sequence.text->push(token, event.finish_reason == engine::FinishReason::kStop));
  if (!sequence.text->stopped()) return {};
  sequence.ended = true;
  if (event.finish_reason == engine::FinishReason::kNone)
    engine_->abort(job.id + static_cast<uint32_t>(event.index), engine::FinishReason::kStop);
  return {};
}

void Service::Impl::end(Job& job, Sequence& sequence, const engine::TokenEvent& event,
                        Delta& delta) {
  sequence.ended = true;
  if (sequence.text != nullptr && sequence.text->stopped()) {
    delta.finish_reason = FinishReason::kStop;
    delta.stop_reason = sequence.text->stop_string();
    return;
  }
  if (event.error.ok() && sequence.text != nullptr) delta.text += sequence.text->finish();
  // The rest may complete a stop string.
  if (sequence.text != nullptr && sequence.text->stopped()) {
    delta.finish_reason = FinishReason::kStop;
    delta.stop_reason = sequence.text->stop_string();
    return;
  }
  delta.finish_reason = text_reason(event.finish_reason);
  delta.error = event.error;
  const sampler::SamplingParams& params = job.request.params.sampling;
  if (delta.finish_reason == FinishReason::kStop && contains(params.stop_token_ids, event.token.id))
    delta.stop_reason = event.token.id;
}

void Service::Impl::send(Job& job, Sequence& sequence, Delta&& delta) {
  if (sequence.ended) --job.num_unfinished;
  const bool last = job.num_unfinished == 0;
  if (!job.picks()) {
    delta.last = last;
    if (last) forget(job);
    job.sink(std::move(delta));
  } else {
    Delta& whole = sequence.whole;
    append(whole.tokens, delta.tokens);
    append(whole.prompt_logprobs, delta.prompt_logprobs);
    whole.text += delta.text;
    whole.num_cached_tokens = std::max(whole.num_cached_tokens, delta.num_cached_tokens);
    whole.finish_reason = delta.finish_reason;
    whole.stop_reason = std::move(delta.stop_reason);
    whole.error = std::move(delta.error);
    if (last) send_best(job);
  }
  if (last) job.sink = {};
}

// By mean log-probability per token, OpenAI's measure; failed ones last; then by index.
void Service::Impl::send_best(Job& job) {
  const auto score = [&](int32_t i) {
    const Sequence& s = job.sequences[static_cast<size_t>(i)];
    if (!s.whole.error.ok() || s.whole.tokens.empty())
      return -std::numeric_limits<double>::infinity();
    return s.sum_logprobs / static_cast<double>(s.whole.tokens.size());
  };
  std::vector<int32_t> order(static_cast<size_t>(job.num_sequences));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return score(a) > score(b); });
  // They came with sequence 0, and go out with the best.
  std::swap(job.sequences[0].whole.prompt_logprobs,
            job.sequences[static_cast<size_t>(order[0])].whole.prompt_logprobs);
  forget(job);
  for (int32_t i = 0; i < job.request.n; ++i) {
    Delta& whole = job.sequences[static_cast<size_t>(order[static_cast<size_t>(i)])].whole;
    whole.request = job.id;
    whole.index = i;
    whole.last = i + 1 == job.request.n;
    if (!job.request.params.sampling.logprobs) {  // they were computed for the ranking alone
      for (sampler::SampledToken& token : whole.tokens) token = {token.id};
    }
    job.sink(std::move(whole));
  }
}

// Before its last delta goes out: who has got it finds the request gone.
void Service::Impl::forget(const Job& job) {
  bool idle = false;
  {
    const std::lock_guard lock(mutex_);
    jobs_.erase(job.id);
    num_sequences_ -= job.num_sequences;
    idle = jobs_.empty();
  }
  if (idle) idle_.notify_all();
}

}  // namespace orrery::llm
