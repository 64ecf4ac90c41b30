// Scheduler: decides how many tokens each request runs in the next step.
//
// A pure state machine: no clock, no thread, no I/O, no text. Requests come in through
// add_request(), a plan goes out of schedule(), what came of it comes back through update().
//
//   * One budget of tokens a step. First every request that has one token to compute, so that a
//     long prompt never makes those who decode stutter; then chunks of prompts; then admissions.
//   * Admission reserves blocks for the whole prompt, so that requests never starve each other half
//     way, and leaves one block free for each that runs. Who waits for a prefix that another
//     is computing is passed over until it can share it. A request more of whose prompt is cached
//     may go before others, which each tolerate `max_times_passed` of that.
//   * When blocks run out, the request with the smaller key takes them from one behind it: the one
//     with the fewest tokens to recompute. After kMaxPreemptions a request comes back only when
//     everything it can come to need is free, gets it at once, and is left alone. So the first
//     request always moves on, or those left alone do, and finite arrivals always finish.
//
// Names are vLLM's. A step that admits nobody allocates no memory. One thread.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "engine/kv_cache_manager.h"
#include "engine/scheduling_policy.h"
#include "engine/step_plan.h"
#include "engine/waiting_queue.h"

namespace orrery::engine {

struct SchedulerOptions {
  int32_t max_num_batched_tokens = 2048;  // in a step; at least max_num_seqs
  int32_t max_num_seqs = 256;             // running at once
  int32_t max_model_len = 4096;           // prompt and output of one request
  PolicyKind policy = PolicyKind::kFcfs;
  std::vector<TenantWeight> tenant_weights;
  int32_t prefix_lookahead = 8;  // waiting requests among which the best cached goes first; 1: none
  int32_t max_times_passed = 16;  // admissions before which a waiting request may be passed over
  bool static_batches = false;    // admit only when nobody runs, to measure what continuous
                                  // batching is worth
  // Forget keys and values after each token, to measure what keeping them is worth; only without
  // prefix caching and sliding window.
  bool recompute_each_step = false;
  // false: a prompt is computed in one step or waits for one with room for it; the step's budget is
  // raised so that the longest fits beside a token of each request that runs.
  bool chunked_prefill = true;
  KvCacheOptions kv;  // its max_model_len is set from the one above
};

// Since the beginning.
struct SchedulerCounts {
  int64_t admitted = 0;        // requests, the first time
  int64_t prompt_tokens = 0;   // of those
  int64_t prefix_queries = 0;  // tokens of those that looked into the prefix cache
  int64_t prefix_hits = 0;     // tokens found
  int64_t preemptions = 0;
};

class Scheduler {
 public:
  static constexpr int32_t kMaxPreemptions = 3;

  // The options with what follows from them. Errors: kInvalidArgument, kResourceExhausted.
  static Result<SchedulerOptions> resolve(SchedulerOptions options);
  // The writer must outlive it. Errors: those of resolve().
  static Result<std::unique_ptr<Scheduler>> create(SchedulerOptions options,
                                                   trace::TraceWriter& writer);
  // Before the first request: takes up the step and the counts of one that has nothing unfinished
  // and whose place it takes.
  void continue_from(const Scheduler& before);

  // Errors: kInvalidArgument (no tokens, an id used before, longer than max_model_len);
  // kResourceExhausted (needs more blocks than there are).
  Status add_request(NewRequest request);
  // Another sequence that goes on from a request's tokens: the parent's prompt and limits, and
  // `token_ids`, which begin with the prompt; what both have computed is shared. Between update()
  // and schedule() only. Errors: kNotFound (parent), kInvalidArgument (tokens, id).
  Status fork(uint32_t parent, uint32_t child, std::vector<int32_t> token_ids);
  // At any time, in any state; all blocks are free at once. `reason`: kAborted, or kStop for an end
  // that only the text shows. False if it is not there or finished.
  bool abort(uint32_t request, FinishReason reason = FinishReason::kAborted);

  // The plan, until the next call. update() or fail_step() must come in between.
  const StepPlan& schedule();
  const StepPlan& plan() const { return plan_; }  // the last one
  // What came of the plan: one output for each scheduled request that samples, in its order.
  // Requests aborted meanwhile are skipped.
  void update(std::span<const StepOutput> outputs);
  // The step could not be run: all that was scheduled ends with kError.
  void fail_step();

  // Null if unknown. Finished requests are kept until the next schedule().
  const Request* find(uint32_t request) const;
  const std::vector<Request*>& running() const { return running_; }
  const WaitingQueue& waiting() const { return waiting_; }
  bool has_unfinished() const { return !running_.empty() || !waiting_.empty(); }
  const KvCacheManager& kv() const { return kv_; }
  const SchedulerOptions& options() const { return options_; }
  int64_t num_preemptions() const { return counts_.preemptions; }
  const SchedulerCounts& counts() const { return counts_; }
  // Slots given to running requests that hold no token.
  int64_t num_unfilled_slots() const;

 private:
  struct Candidate {
    Request* request;
    PrefixHit hit;
    size_t place;  // in the queue
  };
  struct Candidates {
    std::optional<Candidate> first;
    std::optional<Candidate> best;  // of those that may go before the first, or the first itself
  };

  Scheduler(SchedulerOptions options, trace::TraceWriter& writer);
  Status check_at_the_door(const NewRequest& request) const;
  Request& enter(NewRequest request);
  Request* find_mutable(uint32_t request);

  void begin_step();
  void schedule_running(bool decodes);
  bool make_room(Request& request, int32_t num_tokens);
  Request* find_victim(const Request& needy, trace::Reason& why) const;
  void preempt(Request& victim, const Request& needy, trace::Reason why);
  void schedule_tokens(Request& request, int32_t num_tokens);
  void finish_plan();

  void admit_waiting();
  trace::Reason closed_gate() const;
  Candidates find_candidates();
  bool try_admit(const Candidate& candidate);
  void note_waiting(Request& request, Wait wait);
  void decide(const trace::Event& event);

  void run(Request& request);
  void advance(Request& request, int32_t num_tokens, const StepOutput* output);
  void finish(Request& request, FinishReason reason, bool from_outside = false);

  SchedulerOptions options_;
  trace::Tracer trace_;
  KvCacheManager kv_;
  std::unique_ptr<SchedulingPolicy> policy_;
  std::unordered_map<uint32_t, std::unique_ptr<Request>> requests_;
  std::vector<Request*> running_;  // by key
  WaitingQueue waiting_;
  std::vector<Request*> finished_;
  StepPlan plan_;
  bool in_flight_ = false;       // between schedule() and update()
  bool batch_running_ = false;   // requests ran when the step began
  int32_t num_tokens_left_ = 0;  // of the step's budget
  uint64_t num_arrivals_ = 0;
  SchedulerCounts counts_;
};

}  // namespace orrery::engine
