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
      trace_(trace) {
  samplers_.emplace_back(model.config().vocab_size);
}

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
