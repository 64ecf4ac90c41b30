#include "engine/simulation.h"

#include <algorithm>
#include <map>

#include "engine/simulation_model.h"
#include "engine/simulation_random.h"

namespace orrery::engine {
namespace {

constexpr int32_t kMaxModelLen = 160;
constexpr int64_t kMaxSteps = 50'000;

// Collides all the time: only the comparison of contents keeps requests apart.
BlockHash hash_of_4_bits(const BlockHash& parent, std::span<const int32_t> tokens,
                         const PrefixSpace& space) {
  return {xxh3_128(parent, tokens, space).low & 15, 0};
}

SchedulerOptions random_options(SimulationRandom& random, Fault fault) {
  SchedulerOptions options;
  options.max_model_len = kMaxModelLen;
  options.max_num_seqs = random.between(1, 10);
  options.max_num_batched_tokens = options.max_num_seqs + random.between(0, 60);
  options.policy = static_cast<PolicyKind>(random.between(0, 2));
  options.tenant_weights = {{1, 3}};
  options.prefix_lookahead = random.between(1, 6);
  options.max_times_passed = random.between(1, 4);
  options.static_batches = random.percent(10);
  options.kv.num_blocks = random.between(10, 40);
  options.kv.fault = fault;
  options.kv.hash = random.percent(30) ? hash_of_4_bits : (random.percent(10) ? sha256 : xxh3_128);
  if (random.percent(10)) options.kv.sliding_window = random.between(2, 40);
  if (random.percent(15)) options.kv.enable_prefix_caching = false;
  if (random.percent(8)) {
    options.kv.reservation = KvReservation::kContiguous;
    options.kv.enable_prefix_caching = false;
    options.kv.sliding_window = 0;
    options.kv.num_blocks = std::max(options.kv.num_blocks, blocks_for(kMaxModelLen));
  }
  return options;
}

class History {
 public:
  History(uint64_t seed, Fault fault)
      : random_(seed),
        options_(random_options(random_, fault)),
        model_(options_.kv.num_blocks, options_.kv.sliding_window),
        num_to_come_(random_.between(8, 40)) {}

  Result<SimulationStats> run() {
    trace::NoTrace no_trace;
    ASSIGN_OR_RETURN(scheduler_, Scheduler::create(options_, no_trace));
    make_families();
    while (num_to_come_ > 0 || scheduler_->has_unfinished()) {
      RETURN_IF_ERROR(one_round().with_context(fmt::format("step {}", stats_.num_steps)));
      if (stats_.num_steps > kMaxSteps) return Status(StatusCode::kInternal, "it never ends");
    }
    RETURN_IF_ERROR(check_invariants(*scheduler_));
    if (!live_.empty()) return Status(StatusCode::kInternal, "a request was lost");
    if (scheduler_->kv().usage().used != 0) return Status(StatusCode::kInternal, "blocks leaked");
    stats_.num_preemptions = scheduler_->num_preemptions();
    return stats_;
  }

 private:
  // Prompts are a beginning of a family's tokens and a few of their own.
  void make_families() {
    families_.resize(static_cast<size_t>(random_.between(1, 3)));
    for (std::vector<int32_t>& family : families_) {
      for (int32_t i = 0; i < 96; ++i) family.push_back(random_token());
    }
  }
  int32_t random_token() { return random_.between(1, SimulationModel::kVocabulary - 1); }

  Status one_round() {
    while (num_to_come_ > 0 && random_.percent(45)) RETURN_IF_ERROR(arrive());
    if (random_.percent(2)) RETURN_IF_ERROR(abort_someone());
    if (random_.percent(8)) RETURN_IF_ERROR(fork_someone());
    RETURN_IF_ERROR(step());
    RETURN_IF_ERROR(check_invariants(*scheduler_));
    model_.poison(scheduler_->kv());
    return {};
  }

  Status arrive() {
    --num_to_come_;
    ++stats_.num_requests;
    NewRequest request;
    request.id = next_id_++;
    const std::vector<int32_t>& family = families_[static_cast<size_t>(
        random_.between(0, static_cast<int32_t>(families_.size()) - 1))];
    const int32_t num_shared =
        random_.percent(50) ? 16 * random_.between(0, 6) : random_.between(0, 96);
    request.prompt_token_ids.assign(family.begin(), family.begin() + num_shared);
    const int32_t num_own = random_.percent(40) ? 0 : random_.between(1, 30);
    for (int32_t i = 0; i < num_own; ++i) request.prompt_token_ids.push_back(random_token());
    request.max_tokens = random_.between(1, 100);
    request.priority = random_.between(-2, 2);
    request.tenant = static_cast<uint32_t>(random_.between(1, 3));
    request.space = {random_.percent(15) ? 1U : 0U, random_.percent(10) ? 1U : 0U};

    const auto num_tokens = static_cast<int32_t>(request.prompt_token_ids.size());
    const bool fits =
        num_tokens > 0 && num_tokens + request.max_tokens <= kMaxModelLen &&
        blocks_for(num_tokens + request.max_tokens - 1) <= scheduler_->kv().usage().total;
    const uint32_t id = request.id;
    const Status status = scheduler_->add_request(std::move(request));
    if (status.ok() != fits) return {StatusCode::kInternal, "the door: " + status.message()};
    if (fits) {
      live_[id] = num_tokens;
    } else {
      ++stats_.num_refused;
    }
    return {};
  }

  const Request* someone() {
    if (live_.empty()) return nullptr;
    auto chosen = live_.begin();
    std::advance(chosen, random_.between(0, static_cast<int32_t>(live_.size()) - 1));
    return scheduler_->find(chosen->first);
  }

  // All that it held is back at once.
  Status abort_someone() {
    const Request* request = someone();
    if (request == nullptr) return {};
    const int32_t num_gained = scheduler_->kv().exclusive(*request).num_blocks;
    const int32_t num_before = scheduler_->kv().num_free_blocks();
    const uint32_t id = request->id;
    if (!scheduler_->abort(id)) return {StatusCode::kInternal, "abort: request is not there"};
    if (scheduler_->kv().num_free_blocks() != num_before + num_gained) {
      return {StatusCode::kInternal, "abort: blocks are still held"};
    }
    return collect(id);
  }

  // As beam search does it: the same tokens, the last one drawn differently.
  Status fork_someone() {
    const Request* parent = someone();
    if (parent == nullptr || stats_.num_forks > 20) return {};
    std::vector<int32_t> token_ids = parent->token_ids;
    if (parent->num_output_tokens() > 0 && random_.percent(70)) token_ids.back() = random_token();
    const uint32_t id = next_id_++;
    RETURN_IF_ERROR(scheduler_->fork(parent->id, id, std::move(token_ids)));
    live_[id] = scheduler_->find(id)->num_tokens();
    ++stats_.num_forks;
    return {};
  }

  Status step() {
    ++stats_.num_steps;
    const StepPlan& plan = scheduler_->schedule();
    if (plan.num_scheduled_tokens > options_.max_num_batched_tokens) {
      return {StatusCode::kInternal, "more tokens than the budget"};
    }
    stats_.num_copies += static_cast<int64_t>(plan.copies.size());
    ASSIGN_OR_RETURN(std::vector<StepOutput> outputs, model_.run(plan, scheduler_->kv()));
    if (random_.percent(2)) RETURN_IF_ERROR(abort_someone());
    if (random_.between(1, 400) == 1) {
      scheduler_->fail_step();
    } else {
      for (StepOutput& output : outputs) {
        if (random_.between(1, 800) == 1) output.finish = FinishReason::kError;
      }
      scheduler_->update(outputs);
    }
    for (const ScheduledRequest& scheduled : plan.scheduled) {
      RETURN_IF_ERROR(collect(scheduled.request->id));
    }
    return {};
  }

  // Takes in a request that is finished, and holds its answer against a run alone.
  Status collect(uint32_t id) {
    const Request& request = *scheduler_->find(id);
    const auto live = live_.find(id);
    if (request.status != RequestStatus::kFinished || live == live_.end()) return {};
    const int32_t num_given = live->second;
    live_.erase(live);
    const bool completed = request.finish_reason == FinishReason::kStop ||
                           request.finish_reason == FinishReason::kLength;
    stats_.num_completed += completed ? 1 : 0;
    stats_.num_aborted += request.finish_reason == FinishReason::kAborted ? 1 : 0;
    stats_.num_failed += request.finish_reason == FinishReason::kError ? 1 : 0;
    stats_.num_cached_tokens += request.num_cached_tokens;
    stats_.max_preemptions = std::max(stats_.max_preemptions, request.num_preemptions);
    const std::vector<int32_t> solo = model_.solo(request.token_ids, num_given, request.space);
    for (int32_t i = num_given; i < request.num_tokens(); ++i) {
      const int32_t got = request.token_ids[static_cast<size_t>(i)];
      const int32_t alone = solo[static_cast<size_t>(i - num_given)];
      if (got != alone) {
        return {StatusCode::kInternal,
                fmt::format("request {}: token {}: alone {}, got {}", id, i, alone, got)};
      }
    }
    return {};
  }

  SimulationRandom random_;
  SchedulerOptions options_;
  SimulationModel model_;
  std::unique_ptr<Scheduler> scheduler_;
  std::vector<std::vector<int32_t>> families_;
  std::map<uint32_t, int32_t> live_;  // request: the tokens that were given to it
  uint32_t next_id_ = 1;
  int32_t num_to_come_;
  SimulationStats stats_;
};

}  // namespace

void SimulationStats::add(const SimulationStats& other) {
  num_steps += other.num_steps;
  num_requests += other.num_requests;
  num_completed += other.num_completed;
  num_aborted += other.num_aborted;
  num_failed += other.num_failed;
  num_refused += other.num_refused;
  num_forks += other.num_forks;
  num_preemptions += other.num_preemptions;
  num_copies += other.num_copies;
  num_cached_tokens += other.num_cached_tokens;
  max_preemptions = std::max(max_preemptions, other.max_preemptions);
}

Result<SimulationStats> simulate(uint64_t seed, Fault fault) { return History(seed, fault).run(); }

}  // namespace orrery::engine
