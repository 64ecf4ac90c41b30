#include "engine/engine.h"

#include <algorithm>
#include <cstring>

namespace orrery::engine {
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

Engine::Engine(const model::Model& model, kernels::Kernels& kernels, KvMemory kv,
               std::unique_ptr<Scheduler> scheduler)
    : model_(model),
      kv_(std::move(kv)),
      scheduler_(std::move(scheduler)),
      context_(kernels),
      sampler_(model.config().vocab_size) {}

Result<std::unique_ptr<Engine>> Engine::create(const model::Model& model, kernels::Kernels& kernels,
                                               EngineOptions options, trace::TraceWriter& trace) {
  options.scheduler.kv.sliding_window = smallest_common_window(model.config());
  const int64_t num_blocks = options.scheduler.kv.num_blocks;
  ASSIGN_OR_RETURN(auto scheduler, Scheduler::create(std::move(options.scheduler), trace));
  ASSIGN_OR_RETURN(KvMemory kv, KvMemory::allocate(model.config(), options.kv_dtype, num_blocks));
  return std::unique_ptr<Engine>(new Engine(model, kernels, std::move(kv), std::move(scheduler)));
}

Status Engine::add_request(GenerationRequest request, TokenSink sink) {
  RETURN_IF_ERROR(sampler::validate(request.sampling, model_.config().vocab_size));
  for (const int32_t id : request.request.prompt_token_ids) {
    if (id < 0 || id >= model_.config().vocab_size) {
      return invalid_argument("prompt: expected token ids from 0 to {}, got {}",
                              model_.config().vocab_size - 1, id);
    }
  }
  const uint32_t id = request.request.id;
  RETURN_IF_ERROR(scheduler_->add_request(request.request));
  generations_.emplace(id, Generation{std::move(request), std::move(sink)});
  return {};
}

bool Engine::abort(uint32_t request) {
  if (!scheduler_->abort(request)) return false;
  const auto it = generations_.find(request);
  TokenEvent event;
  event.request = request;
  event.finish_reason = FinishReason::kAborted;
  it->second.sink(event);
  generations_.erase(it);
  return true;
}

void Engine::abort_all() {
  while (!generations_.empty()) abort(generations_.begin()->first);
}

bool Engine::step() {
  if (!scheduler_->has_unfinished()) return false;
  const StepPlan& plan = scheduler_->schedule();
  copy_blocks(plan.copies);
  events_.clear();
  if (!plan.scheduled.empty()) {
    gather(plan);
    const auto scope = context_.scope();
    sample(plan, model_.forward(context_, batch_));
  }
  outputs_.clear();
  for (const TokenEvent& event : events_)
    outputs_.push_back({event.request, event.token.id, event.finish_reason});
  scheduler_->update(outputs_);
  emit();
  ++num_steps_;
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
    if (scheduled.samples)
      batch_.logits_rows.push_back(static_cast<int32_t>(batch_.token_ids.size()) - 1);
    batch_.query_start_loc.push_back(static_cast<int32_t>(batch_.token_ids.size()));
    batch_.seq_lens.push_back(end);
    batch_.block_tables.insert(batch_.block_tables.end(), table.begin(), table.end());
    batch_.block_tables.resize(batch_.seq_lens.size() *
                               static_cast<size_t>(batch_.max_blocks_per_seq));
  }
}

// One row of logits for each request that samples, in the plan's order.
void Engine::sample(const StepPlan& plan, const Tensor& logits) {
  const auto vocab = static_cast<size_t>(model_.config().vocab_size);
  size_t row = 0;
  for (const ScheduledRequest& scheduled : plan.scheduled) {
    if (!scheduled.samples) continue;
    events_.push_back(sample_one(*scheduled.request, logits.f32().subspan(row++ * vocab, vocab)));
  }
}

TokenEvent Engine::sample_one(const Request& request, std::span<float> row) {
  const Generation& generation = generations_.at(request.id);
  const auto ids = std::span(request.token_ids);
  const auto prompt = static_cast<size_t>(request.num_prompt_tokens);
  TokenEvent event;
  event.request = request.id;
  auto token = sampler_.sample(row, generation.asked.sampling,
                               {ids.first(prompt), ids.subspan(prompt), generation.asked.seed,
                                static_cast<uint64_t>(ids.size()), generation.asked.mask});
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

void Engine::emit() {
  for (const TokenEvent& event : events_) {
    const auto it = generations_.find(event.request);
    if (it == generations_.end()) continue;
    if (event.finish_reason == FinishReason::kNone) {
      it->second.sink(event);
    } else {
      const TokenSink sink = std::move(it->second.sink);
      generations_.erase(it);
      sink(event);
    }
  }
}

}  // namespace orrery::engine
