#include "engine/engine.h"

#include <algorithm>
#include <cstring>

#include "base/random.h"

namespace orrery::engine {

using trace::EventKind;

namespace {

// Blocks may be freed behind the window only if no layer looks further back.
int32_t smallest_common_window(const model::ModelConfig& config) {
  int64_t widest = 0;
  for (const int64_t window : config.windows) {
    if (window == 0) return 0;
    widest = std::max(widest, window);
  }
  return static_cast<int32_t>(std::min<int64_t>(widest, INT32_MAX));
}

bool contains(const std::vector<int32_t>& ids, int32_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

uint64_t sequence_seed(uint64_t seed, int32_t index) {
  if (index == 0) return seed;
  // Another key than that of any draw, which has zeros where the tag stands.
  constexpr uint32_t kTag = 0x6E5E9;
  const auto bits = philox4x32({static_cast<uint32_t>(index), 0, 0, kTag},
                               {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return uint64_t{bits[1]} << 32 | bits[0];
}

Engine::Engine(const model::Model& model, kernels::Kernels& kernels, KvMemory kv,
               SchedulerOptions asked, std::unique_ptr<Scheduler> scheduler,
               trace::TraceWriter& trace)
    : model_(model),
      kv_(std::move(kv)),
      asked_(std::move(asked)),
      scheduler_(std::move(scheduler)),
      context_(kernels),
      sampler_(model.config().vocab_size),
      trace_(trace) {}

Result<std::unique_ptr<Engine>> Engine::create(const model::Model& model, kernels::Kernels& kernels,
                                               EngineOptions options, trace::TraceWriter& trace) {
  options.scheduler.kv.sliding_window = smallest_common_window(model.config());
  const int64_t num_blocks = options.scheduler.kv.num_blocks;
  ASSIGN_OR_RETURN(auto scheduler, Scheduler::create(options.scheduler, trace));
  ASSIGN_OR_RETURN(KvMemory kv, KvMemory::allocate(model.config(), options.kv_dtype, num_blocks));
  return std::unique_ptr<Engine>(new Engine(
      model, kernels, std::move(kv), std::move(options.scheduler), std::move(scheduler), trace));
}

Status Engine::set_techniques(const Techniques& techniques) {
  if (scheduler_->has_unfinished()) return unavailable("techniques: requests are unfinished");
  ASSIGN_OR_RETURN(SchedulerOptions options, with_techniques(asked_, techniques));
  ASSIGN_OR_RETURN(auto scheduler, Scheduler::create(std::move(options), trace_.writer()));
  scheduler->continue_from(*scheduler_);
  scheduler_ = std::move(scheduler);
  trace_(EventKind::kTechniques, 0,
         {bits_of(techniques), scheduler_->options().max_num_batched_tokens});
  return {};
}

Status Engine::add_request(GenerationRequest request, TokenSink sink) {
  const int64_t vocab_size = model_.config().vocab_size;
  RETURN_IF_ERROR(sampler::validate(request.sampling, vocab_size));
  for (const int32_t id : request.request.prompt_token_ids) {
    if (id < 0 || id >= vocab_size) {
      return invalid_argument("prompt: expected token ids from 0 to {}, got {}", vocab_size - 1,
                              id);
    }
  }
  if (request.n < 1) return invalid_argument("n: expected at least 1, got {}", request.n);
  const uint32_t id = request.request.id;
  if (request.sampling.prompt_logprobs) {
    request.request.skip_reading_prefix_cache = true;
    // Rows of logits for each prompt token: no more at once than 64 MiB.
    request.request.max_chunk_tokens =
        static_cast<int32_t>(std::max<int64_t>(16, (int64_t{16} << 20) / vocab_size));
  }
  RETURN_IF_ERROR(scheduler_->add_request(request.request));
  if (trace_.wanted()) trace_arrival(request);
  request.request.prompt_token_ids = {};  // the scheduler has them
  const bool forks = request.n > 1;
  generations_.emplace(id, Generation{std::move(request), std::move(sink), 0, forks});
  return {};
}

bool Engine::abort(uint32_t sequence, FinishReason reason) {
  if (!scheduler_->abort(sequence, reason)) return false;
  const auto it = generations_.find(sequence);
  const Generation generation = std::move(it->second);
  generations_.erase(it);
  const int32_t num_ended = generation.forks ? generation.asked.n : 1;
  for (int32_t i = 0; i < num_ended; ++i) {
    TokenEvent event;
    event.request = sequence + static_cast<uint32_t>(i);
    event.index = generation.index + i;
    event.step = num_steps_;
    event.finish_reason = reason;
    generation.sink(std::move(event));
  }
  return true;
}

void Engine::abort_all() {
  while (!generations_.empty()) abort(generations_.begin()->first);
}

bool Engine::step() {
  if (!scheduler_->has_unfinished()) return false;
  timer_.start();
  const StepPlan& plan = scheduler_->schedule();
  trace_.set_step(plan.step);
  timer_.lap(&StepTimes::schedule_us);
  copy_blocks(plan.copies);
  events_.clear();
  children_.clear();
  outputs_.clear();
  if (!plan.scheduled.empty()) {
    gather(plan);
    timer_.lap(&StepTimes::rest_us);
    const auto scope = context_.scope();
    const Tensor logits = model_.forward(context_, batch_);
    timer_.lap(&StepTimes::model_us);
    sample(plan, logits);
    timer_.lap(&StepTimes::sample_us);
  }
  scheduler_->update(outputs_);
  for (const Child& child : children_) fork_child(child);
  emit();
  ++num_steps_;
  num_computed_tokens_ += plan.num_scheduled_tokens;
  timer_.lap(&StepTimes::rest_us);
  if (trace_.wanted()) trace_times();
  return true;
}

void Engine::copy_blocks(std::span<const BlockCopy> copies) {
  for (const BlockCopy& copy : copies) {
    for (kernels::KvCache& layer : kv_.layers()) {
      const auto bytes = static_cast<size_t>(layer.block_bytes());
      for (std::byte* half : {layer.keys, layer.values}) {
        std::memcpy(half + static_cast<size_t>(copy.to) * bytes,
                    half + static_cast<size_t>(copy.from) * bytes, bytes);
      }
    }
  }
}

void Engine::gather(const StepPlan& plan) {
  constexpr int64_t kBlock = kernels::KvCache::kBlockSize;
  batch_.clear();
  batch_.kv = kv_.layers();
  batch_.max_blocks_per_seq = 0;
  for (const ScheduledRequest& scheduled : plan.scheduled) {
    const auto blocks = static_cast<int64_t>(scheduled.request->kv.block_table.size());
    batch_.max_blocks_per_seq = std::max(batch_.max_blocks_per_seq, blocks);
  }
  for (const ScheduledRequest& scheduled : plan.scheduled) {
    const Request& request = *scheduled.request;
    const std::vector<int32_t>& table = request.kv.block_table;
    const int32_t end = request.num_computed_tokens + scheduled.num_scheduled_tokens;
    for (int32_t position = request.num_computed_tokens; position < end; ++position) {
      batch_.token_ids.push_back(request.token_ids[static_cast<size_t>(position)]);
      batch_.positions.push_back(position);
      batch_.slot_mapping.push_back(table[static_cast<size_t>(position / kBlock)] * kBlock +
                                    position % kBlock);
    }
    gather_rows(scheduled, generations_.at(request.id));
    batch_.query_start_loc.push_back(static_cast<int32_t>(batch_.token_ids.size()));
    batch_.seq_lens.push_back(end);
    batch_.block_tables.insert(batch_.block_tables.end(), table.begin(), table.end());
    batch_.block_tables.resize(batch_.seq_lens.size() *
                               static_cast<size_t>(batch_.max_blocks_per_seq));
  }
}

// The rows whose logits are wanted, of the request gathered last: that of its last token if it
// samples, and of each prompt token whose successor's log-probability is still to be told.
void Engine::gather_rows(const ScheduledRequest& scheduled, const Generation& generation) {
  const auto end = static_cast<int32_t>(batch_.token_ids.size());
  if (generation.asked.sampling.prompt_logprobs) {
    const Request& request = *scheduled.request;
    const int32_t begin = end - scheduled.num_scheduled_tokens;
    int32_t position = std::max(request.num_computed_tokens, generation.num_prompt_rows);
    const int32_t last = std::min(request.num_computed_tokens + scheduled.num_scheduled_tokens,
                                  request.num_prompt_tokens - 1);
    for (; position < last; ++position)
      batch_.logits_rows.push_back(begin + position - request.num_computed_tokens);
  }
  if (scheduled.samples) batch_.logits_rows.push_back(end - 1);
}

// Rows are in the order in which gather() has asked for them.
void Engine::sample(const StepPlan& plan, const Tensor& logits) {
  const auto vocab = static_cast<size_t>(model_.config().vocab_size);
  size_t row = 0;
  for (size_t r = 0; r < plan.scheduled.size(); ++r) {
    const ScheduledRequest& scheduled = plan.scheduled[r];
    Generation& generation = generations_.at(scheduled.request->id);
    const int32_t end = batch_.query_start_loc[r + 1];
    for (; row < batch_.logits_rows.size() && batch_.logits_rows[row] < end; ++row) {
      const std::span<float> values = logits.f32().subspan(row * vocab, vocab);
      if (scheduled.samples && batch_.logits_rows[row] == end - 1) {
        sample_request(*scheduled.request, generation, values);
      } else {
        take_prompt_row(*scheduled.request, generation, values);
      }
    }
  }
}

void Engine::take_prompt_row(const Request& request, Generation& generation,
                             std::span<const float> row) {
  const auto next = static_cast<size_t>(++generation.num_prompt_rows);
  auto logprobs = sampler_.logprobs(row, {&request.token_ids[next], 1},
                                    *generation.asked.sampling.prompt_logprobs);
  if (logprobs.ok()) {
    generation.prompt_logprobs.push_back(std::move(logprobs).value());
  } else if (generation.prompt_error.ok()) {
    generation.prompt_error = logprobs.status().with_context("prompt_logprobs");
  }
}

void Engine::sample_request(const Request& request, Generation& generation, std::span<float> row) {
  if (generation.forks) row_.assign(row.begin(), row.end());
  sampler::SampleTrace* trace = generation.asked.trace;
  if (trace == nullptr && in_focus(request.id)) trace = &sample_trace_;
  TokenEvent event = draw(request, generation, 0, row, trace);
  outputs_.push_back({event.request, event.token.id, event.finish_reason});
  if (trace_.wanted() && event.error.ok())
    trace_sample(event, request.num_tokens(), generation.asked, sampler_.num_candidates(), trace);
  event.prompt_logprobs = std::exchange(generation.prompt_logprobs, {});
  events_.push_back(std::move(event));
  for (int32_t i = 1; generation.forks && i < generation.asked.n; ++i) {
    std::copy(row_.begin(), row_.end(), row.begin());
    Child child = {events_.size(), request.id, 0, {}};
    const bool traced = in_focus(request.id + static_cast<uint32_t>(i));
    events_.push_back(draw(request, generation, i, row, traced ? &child.trace : nullptr));
    child.num_candidates = sampler_.num_candidates();
    children_.push_back(std::move(child));
  }
}

// The next token of the request, or the first of the sequence that stands `further` behind it.
TokenEvent Engine::draw(const Request& request, const Generation& generation, int32_t further,
                        std::span<float> row, sampler::SampleTrace* trace) {
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
                   ? sampler_.sample(row, asked.sampling, input, trace)
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

void Engine::emit() {
  for (TokenEvent& event : events_) {
    const auto it = generations_.find(event.request);
    if (event.error.ok()) ++num_generated_tokens_;
    if (event.finish_reason == FinishReason::kNone) {
      it->second.sink(std::move(event));
    } else {
      const TokenSink sink = std::move(it->second.sink);
      generations_.erase(it);
      sink(std::move(event));
    }
  }
}

}  // namespace orrery::engine
