#include "engine/scheduler.h"

#include <algorithm>

namespace orrery::engine {

using trace::EventKind;
using trace::Reason;

namespace {

bool left_alone(const Request& request) {
  return request.num_preemptions >= Scheduler::kMaxPreemptions;
}

bool by_key(const Request* a, const Request* b) { return a->key < b->key; }

}  // namespace

Scheduler::Scheduler(SchedulerOptions options, trace::TraceWriter& writer)
    : options_(std::move(options)),
      trace_(writer),
      kv_(options_.kv, trace_),
      policy_(make_policy(options_.policy, options_.tenant_weights)) {
  const auto max_num_seqs = static_cast<size_t>(options_.max_num_seqs);
  running_.reserve(max_num_seqs);
  plan_.scheduled.reserve(max_num_seqs);
  plan_.copies.reserve(2 * max_num_seqs);
  plan_.decisions.reserve(4 * max_num_seqs);
}

// ---- One step.

const StepPlan& Scheduler::schedule() {
  begin_step();
  schedule_running(/*decodes=*/true);
  schedule_running(/*decodes=*/false);
  admit_waiting();
  finish_plan();
  return plan_;
}

void Scheduler::begin_step() {
  CHECK(!in_flight_) << "schedule() before update()";
  in_flight_ = true;
  for (const Request* request : finished_) requests_.erase(request->id);
  finished_.clear();
  plan_.scheduled.clear();
  plan_.decisions.clear();
  plan_.num_scheduled_tokens = 0;
  trace_.set_step(++plan_.step);
  num_tokens_left_ = options_.max_num_batched_tokens;
  batch_running_ = !running_.empty();
}

// Victims stand behind the request that needs their blocks, so that the loop never skips anyone.
void Scheduler::schedule_running(bool decodes) {
  for (size_t i = 0; i < running_.size() && num_tokens_left_ > 0; ++i) {
    Request& request = *running_[i];
    if (request.num_scheduled_tokens > 0 || (request.num_new_tokens() == 1) != decodes) continue;
    const int32_t num_tokens =
        std::min({request.num_new_tokens(), num_tokens_left_, request.max_chunk_tokens});
    if (make_room(request, num_tokens)) schedule_tokens(request, num_tokens);
  }
}

void Scheduler::schedule_tokens(Request& request, int32_t num_tokens) {
  request.num_scheduled_tokens = num_tokens;
  num_tokens_left_ -= num_tokens;
  plan_.num_scheduled_tokens += num_tokens;
  const int32_t num_left = request.num_new_tokens() - num_tokens;
  plan_.scheduled.push_back({&request, num_tokens, num_left == 0});
  trace_(EventKind::kChunk, request.id, {request.num_computed_tokens, num_tokens, num_left});
}

void Scheduler::finish_plan() {
  plan_.copies.assign(kv_.copies().begin(), kv_.copies().end());
  kv_.clear_copies();
  plan_.num_running = static_cast<int32_t>(running_.size());
  plan_.num_waiting = static_cast<int32_t>(waiting_.size());
  trace_(EventKind::kStepPlanned, 0,
         {plan_.num_scheduled_tokens, static_cast<int32_t>(plan_.scheduled.size()),
          plan_.num_running, plan_.num_waiting});
}

void Scheduler::update(std::span<const StepOutput> outputs) {
  CHECK(in_flight_) << "update() before schedule()";
  in_flight_ = false;
  size_t num_used = 0;
  for (const ScheduledRequest& scheduled : plan_.scheduled) {
    const StepOutput* output = scheduled.samples ? &outputs[num_used++] : nullptr;
    Request& request = *find_mutable(scheduled.request->id);
    CHECK(output == nullptr || output->request == request.id)
        << "expected the output of request " << request.id << ", got " << output->request;
    if (request.status == RequestStatus::kFinished) continue;
    advance(request, scheduled.num_scheduled_tokens, output);
  }
  CHECK(num_used == outputs.size())
      << "expected " << num_used << " outputs, got " << outputs.size();
}

void Scheduler::advance(Request& request, int32_t num_tokens, const StepOutput* output) {
  if (output != nullptr && output->finish == FinishReason::kError) {
    finish(request, FinishReason::kError);  // nobody shall find what it computed
    return;
  }
  const int32_t num_before = request.num_computed_tokens;
  request.num_scheduled_tokens = 0;
  request.num_computed_tokens += num_tokens;
  kv_.on_computed(request, num_before);
  if (output == nullptr) return;
  request.token_ids.push_back(output->token);
  if (output->finish != FinishReason::kNone) {
    finish(request, output->finish);
  } else if (request.num_output_tokens() == request.max_tokens) {
    finish(request, FinishReason::kLength);
  } else if (options_.recompute_each_step) {
    request.num_computed_tokens = 0;
  }
}

void Scheduler::fail_step() {
  CHECK(in_flight_) << "fail_step() before schedule()";
  in_flight_ = false;
  for (const ScheduledRequest& scheduled : plan_.scheduled) {
    Request& request = *find_mutable(scheduled.request->id);
    if (request.status != RequestStatus::kFinished) finish(request, FinishReason::kError);
  }
}

// ---- Preemption.

bool Scheduler::make_room(Request& request, int32_t num_tokens) {
  const int32_t num_tokens_after = request.num_computed_tokens + num_tokens;
  while (!kv_.allocate(request, num_tokens_after)) {
    Reason why;
    Request* victim = find_victim(request, why);
    if (victim == nullptr) {
      decide({plan_.step,
              request.id,
              EventKind::kStalled,
              Reason::kBlocks,
              0,
              {kv_.blocks_to_allocate(request, num_tokens_after), kv_.num_free_blocks()}});
      return false;
    }
    preempt(*victim, request, why);
  }
  return true;
}

// Behind the needy request, not yet in this step's plan, and not left alone.
Request* Scheduler::find_victim(const Request& needy, Reason& why) const {
  Request* cheapest = nullptr;
  Request* sharer = nullptr;
  int32_t fewest_tokens = 0;
  for (Request* request : running_) {
    if (request->key <= needy.key || request->num_scheduled_tokens > 0 || left_alone(*request)) {
      continue;
    }
    const KvCacheManager::Exclusive exclusive = kv_.exclusive(*request);
    if (exclusive.num_blocks == 0) {
      sharer = request;
    } else if (cheapest == nullptr || exclusive.num_tokens <= fewest_tokens) {
      cheapest = request;
      fewest_tokens = exclusive.num_tokens;
    }
  }
  why = cheapest != nullptr ? Reason::kCheapest : Reason::kOnlyShares;
  return cheapest != nullptr ? cheapest : sharer;
}

void Scheduler::preempt(Request& victim, const Request& needy, Reason why) {
  const KvCacheManager::Exclusive lost = kv_.exclusive(victim);
  ++victim.num_preemptions;
  ++counts_.preemptions;
  decide(
      {plan_.step,
       victim.id,
       EventKind::kPreempted,
       why,
       0,
       {lost.num_tokens, lost.num_blocks, static_cast<int32_t>(needy.id), victim.num_preemptions}});
  kv_.free(victim);
  running_.erase(std::find(running_.begin(), running_.end(), &victim));
  victim.status = RequestStatus::kWaiting;
  waiting_.insert(victim);
}

void Scheduler::decide(const trace::Event& event) {
  plan_.decisions.push_back(event);
  if (trace_.wanted()) trace_.write(event);
}

// ---- Coming and going.

Result<SchedulerOptions> Scheduler::resolve(SchedulerOptions options) {
  const auto at_least_one = [](const char* name, int64_t value) {
    return value >= 1 ? Status() : invalid_argument("{}: expected at least 1, got {}", name, value);
  };
  RETURN_IF_ERROR(at_least_one("max_num_seqs", options.max_num_seqs));
  RETURN_IF_ERROR(at_least_one("max_model_len", options.max_model_len));
  RETURN_IF_ERROR(at_least_one("num_blocks", options.kv.num_blocks));
  RETURN_IF_ERROR(at_least_one("prefix_lookahead", options.prefix_lookahead));
  for (const TenantWeight& w : options.tenant_weights) {
    RETURN_IF_ERROR(at_least_one("tenant weight", w.weight));
  }
  if (options.max_num_batched_tokens < options.max_num_seqs) {
    return invalid_argument(
        "max_num_batched_tokens: expected at least max_num_seqs ({}), got {}: each running request "
        "needs one token a step",
        options.max_num_seqs, options.max_num_batched_tokens);
  }
  if (options.recompute_each_step &&
      (options.kv.enable_prefix_caching || options.kv.sliding_window > 0)) {
    return invalid_argument("recompute each step: expected no prefix caching and no window");
  }
  if (!options.chunked_prefill) {
    const int64_t longest = int64_t{options.max_model_len} + options.max_num_seqs;
    options.max_num_batched_tokens = static_cast<int32_t>(
        std::clamp<int64_t>(longest, options.max_num_batched_tokens, INT32_MAX));
  }
  options.kv.max_model_len = options.max_model_len;
  if (options.kv.reservation == KvReservation::kContiguous) {
    if (options.kv.enable_prefix_caching || options.kv.sliding_window > 0) {
      return invalid_argument("contiguous reservation: expected no prefix caching and no window");
    }
    if (blocks_for(options.max_model_len) > options.kv.num_blocks) {
      return resource_exhausted(
          "contiguous reservation: expected {} blocks for max_model_len, got {}",
          blocks_for(options.max_model_len), options.kv.num_blocks);
    }
  }
  return options;
}

Result<std::unique_ptr<Scheduler>> Scheduler::create(SchedulerOptions options,
                                                     trace::TraceWriter& writer) {
  ASSIGN_OR_RETURN(SchedulerOptions resolved, resolve(std::move(options)));
  return std::unique_ptr<Scheduler>(new Scheduler(std::move(resolved), writer));
}

void Scheduler::continue_from(const Scheduler& before) {
  CHECK(!has_unfinished() && !before.has_unfinished() && !before.in_flight_);
  plan_.step = before.plan_.step;
  trace_.set_step(plan_.step);
  counts_ = before.counts_;
}

Status Scheduler::check_at_the_door(const NewRequest& request) const {
  const auto num_prompt_tokens = static_cast<int64_t>(request.prompt_token_ids.size());
  if (request.id == 0 || requests_.count(request.id) != 0) {
    return invalid_argument("request: id {} is zero or in use", request.id);
  }
  if (num_prompt_tokens < 1 || request.max_tokens < 1) {
    return invalid_argument(
        "request {}: expected at least 1 prompt token and max_tokens, got {} and {}", request.id,
        num_prompt_tokens, request.max_tokens);
  }
  if (num_prompt_tokens + request.max_tokens > options_.max_model_len) {
    return invalid_argument("request {}: prompt and max_tokens: expected at most {}, got {} + {}",
                            request.id, options_.max_model_len, num_prompt_tokens,
                            request.max_tokens);
  }
  const auto max_kv_tokens = static_cast<int32_t>(num_prompt_tokens + request.max_tokens - 1);
  if (kv_.blocks_to_hold(max_kv_tokens) > kv_.usage().total) {
    return resource_exhausted("request {}: needs {} KV blocks for {} tokens, there are {}",
                              request.id, kv_.blocks_to_hold(max_kv_tokens), max_kv_tokens,
                              kv_.usage().total);
  }
  return {};
}

Status Scheduler::add_request(NewRequest request) {
  const Status status = check_at_the_door(request);
  if (!status.ok()) {
    const auto needed = static_cast<int32_t>(request.prompt_token_ids.size()) + request.max_tokens;
    const bool exhausted = status.code() == StatusCode::kResourceExhausted;
    trace_(EventKind::kRefused, request.id,
           {exhausted ? kv_.blocks_to_hold(needed - 1) : needed,
            exhausted ? kv_.usage().total : options_.max_model_len},
           exhausted ? Reason::kNeverFits
                     : (needed > options_.max_model_len ? Reason::kTooLong : Reason::kInvalid));
    return status;
  }
  Request& entered = enter(std::move(request));
  entered.key = {policy_->on_arrival(entered), ++num_arrivals_};
  kv_.prepare(entered);
  waiting_.insert(entered);
  return {};
}

Request& Scheduler::enter(NewRequest request) {
  const uint32_t id = request.id;
  trace_(EventKind::kArrived, id,
         {static_cast<int32_t>(request.prompt_token_ids.size()), request.max_tokens,
          static_cast<int32_t>(request.tenant), request.priority});
  waiting_.reserve(requests_.size() + 1);
  if (finished_.capacity() <= requests_.size()) finished_.reserve(2 * requests_.size() + 2);
  return *requests_.emplace(id, std::make_unique<Request>(std::move(request))).first->second;
}

Status Scheduler::fork(uint32_t parent_id, uint32_t child_id, std::vector<int32_t> token_ids) {
  CHECK(!in_flight_) << "fork() before update()";
  const Request* parent = find(parent_id);
  if (parent == nullptr) return not_found("fork: request {}", parent_id);
  const std::span<const int32_t> prompt(parent->token_ids.data(),
                                        static_cast<size_t>(parent->num_prompt_tokens));
  const auto num_outputs = static_cast<int64_t>(token_ids.size()) - parent->num_prompt_tokens;
  if (num_outputs < 0 || num_outputs >= parent->max_tokens ||
      !std::equal(prompt.begin(), prompt.end(), token_ids.begin())) {
    return invalid_argument("fork of request {}: expected its prompt and less than {} more tokens",
                            parent_id, parent->max_tokens);
  }
  if (child_id == 0 || requests_.count(child_id) != 0) {
    return invalid_argument("fork: id {} is zero or in use", child_id);
  }
  Request& child = enter({child_id,
                          {prompt.begin(), prompt.end()},
                          parent->max_tokens,
                          parent->priority,
                          parent->tenant,
                          parent->space});
  child.token_ids = std::move(token_ids);
  policy_->on_arrival(child);
  child.key = {parent->key.rank, ++num_arrivals_};
  kv_.prepare(child);
  const auto differ = std::mismatch(parent->token_ids.begin(), parent->token_ids.end(),
                                    child.token_ids.begin(), child.token_ids.end());
  const auto num_equal = static_cast<int32_t>(differ.first - parent->token_ids.begin());
  const int32_t num_shared =
      std::min({num_equal, parent->num_computed_tokens, child.num_tokens() - 1});
  if (num_shared > 0 && running_.size() < static_cast<size_t>(options_.max_num_seqs) &&
      kv_.fork(*parent, child, num_shared)) {
    run(child);
  } else {
    waiting_.insert(child);
  }
  return {};
}

bool Scheduler::abort(uint32_t id, FinishReason reason) {
  Request* request = find_mutable(id);
  if (request == nullptr || request->status == RequestStatus::kFinished) return false;
  finish(*request, reason, /*from_outside=*/true);
  return true;
}

void Scheduler::run(Request& request) {
  request.status = RequestStatus::kRunning;
  running_.insert(std::upper_bound(running_.begin(), running_.end(), &request, by_key), &request);
}

void Scheduler::finish(Request& request, FinishReason reason, bool from_outside) {
  if (request.status == RequestStatus::kRunning) {
    running_.erase(std::find(running_.begin(), running_.end(), &request));
    kv_.free(request);
  } else {
    waiting_.erase(request);
  }
  request.status = RequestStatus::kFinished;
  request.finish_reason = reason;
  request.num_scheduled_tokens = 0;
  policy_->on_finished(request);
  finished_.push_back(&request);
  trace_(EventKind::kFinished, request.id,
         {request.num_output_tokens(), request.num_prompt_tokens, request.num_preemptions,
          request.num_cached_tokens},
         trace_reason(reason), from_outside ? 1 : 0);
}

const Request* Scheduler::find(uint32_t id) const {
  const auto found = requests_.find(id);
  return found == requests_.end() ? nullptr : found->second.get();
}
Request* Scheduler::find_mutable(uint32_t id) { return const_cast<Request*>(find(id)); }

int64_t Scheduler::num_unfilled_slots() const {
  int64_t num_slots = 0;
  for (const Request* request : running_) {
    num_slots += static_cast<int64_t>(request->kv.block_table.size()) * kBlockSize -
                 request->num_computed_tokens;
  }
  return num_slots;
}

}  // namespace orrery::engine
