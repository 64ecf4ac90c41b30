// Engine: many requests at once through one model. step() is the whole of it: schedule, run,
// sample, update, emit.
//
// Answers do not depend on the company: a request's tokens and log-probabilities are the same bits
// alone or among others, chunked or whole, preempted or not, with a prefix found in the cache or
// computed, forked from one prefill or asked for separately. Every sum in the model runs in an
// order of its own (kernels/kernels.h), and a draw depends on (seed, position) alone.
//
// One thread drives it; engine/engine_thread.h gives it one. The model, the kernels and the trace
// writer must outlive it. Once warm, a step allocates nothing unless somebody reads the trace,
// requests end, or log-probabilities of several tokens are asked for.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "engine/kv_memory.h"
#include "engine/scheduler.h"
#include "engine/step_timer.h"
#include "engine/techniques.h"
#include "model/model.h"
#include "sampler/sampler.h"
#include "trace/trace_writer.h"

namespace orrery::engine {

struct EngineOptions {
  SchedulerOptions
      scheduler;  // kv.num_blocks: of the pool; its sliding_window is set from the model
  DType kv_dtype = DType::kBF16;
};

// One token of one sequence, as it comes out of a step.
struct TokenEvent {
  uint32_t request = 0;  // number of the sequence
  int32_t index = 0;     // of the sequence among those of its GenerationRequest
  uint64_t step = 0;
  sampler::SampledToken token;  // token.id is valid unless `error` or kAborted
  // With the first token of index 0: of prompt tokens 1 .., where asked.
  std::vector<sampler::RowLogprobs> prompt_logprobs;
  int32_t num_cached_tokens = 0;                     // of the prompt, found in the prefix cache
  FinishReason finish_reason = FinishReason::kNone;  // set with the last token
  Status error;                                      // why, for kError
};

// Called in step(), on the engine's thread; must not call the engine.
using TokenSink = std::function<void(TokenEvent&&)>;

struct GenerationRequest {
  NewRequest request;
  sampler::SamplingParams sampling;  // validated for the model's vocabulary; eos_token_ids set
  uint64_t seed = 0;                 // of the first sequence; sequence_seed() of the others
  // Sequences, which share one prefill; their numbers are request.id .. request.id + n − 1.
  int32_t n = 1;
  bool ignore_eos = false;
  // Outlives the request; null: every token is allowed. Asked on any of the kernels' threads, by
  // several at once if several requests share it.
  const sampler::TokenMask* mask = nullptr;
  // Filled for each token before the sink gets it, if given; only for n = 1. Outlives the request.
  sampler::SampleTrace* trace = nullptr;
};

// The seed of sequence `index`; index 0 has the request's own.
uint64_t sequence_seed(uint64_t seed, int32_t index);

inline constexpr uint32_t kEverySequence = UINT32_MAX;

class Engine {
 public:
  // Allocates the pool. Errors: kInvalidArgument (options), kResourceExhausted.
  static Result<std::unique_ptr<Engine>> create(const model::Model& model,
                                                kernels::Kernels& kernels, EngineOptions options,
                                                trace::TraceWriter& trace);

  // Errors concern this request alone: those of Scheduler::add_request and sampler::validate.
  Status add_request(GenerationRequest request, TokenSink sink);
  // Ends one sequence, or a request that has not been forked into its n yet. Blocks are free when
  // this returns; the sink gets `reason` (kAborted, or kStop for an end that only the text shows).
  // False if it is not there.
  bool abort(uint32_t sequence, FinishReason reason = FinishReason::kAborted);
  void abort_all();

  // From now on with these techniques, and with nothing in the prefix cache. Errors: kUnavailable
  // (a request is unfinished); those of with_techniques(). Nothing has changed then.
  Status set_techniques(const Techniques& techniques);

  // Runs one step, and emits the tokens that came of it. False if no request is unfinished.
  bool step();

  // Kernels::bind_caller, for the thread that is to drive it.
  void bind_thread() { context_.kernels().bind_caller(); }

  // Whose candidates and filters go into the trace: a sequence's number, 0 for nobody's,
  // kEverySequence. Any thread.
  void set_focus(uint32_t sequence) { focus_.store(sequence, std::memory_order_relaxed); }

  const Scheduler& scheduler() const { return *scheduler_; }
  // As they were asked for, with the model's sliding window: before set_techniques().
  const SchedulerOptions& asked() const { return asked_; }
  const KvMemory& kv_memory() const { return kv_; }
  uint64_t num_steps() const { return num_steps_; }
  int64_t num_generated_tokens() const { return num_generated_tokens_; }
  int64_t num_computed_tokens() const { return num_computed_tokens_; }
  const StepTimes& last_times() const { return timer_.times(); }

 private:
  struct Generation {
    GenerationRequest asked;
    TokenSink sink;
    int32_t index = 0;
    bool forks = false;           // n − 1 more sequences begin with its first token
    int32_t num_prompt_rows = 0;  // prompt tokens whose row of logits has been used
    std::vector<sampler::RowLogprobs> prompt_logprobs = {};  // of prompt tokens 1, 2, ...
    Status prompt_error = {};
  };
  // A token to draw.
  struct Draw {
    const Request* request;
    Generation* generation;
    std::span<float> row;  // [V]
    bool in_focus;
    TokenEvent event = {};
    int32_t num_candidates = 0;
  };
  // A sequence that begins where another has got its first token.
  struct Child {
    size_t event;  // its first token's
    uint32_t parent;
    int32_t num_candidates;
    sampler::SampleTrace trace;
  };

  Engine(const model::Model& model, kernels::Kernels& kernels, KvMemory kv, SchedulerOptions asked,
         std::unique_ptr<Scheduler> scheduler, trace::TraceWriter& trace);
  void copy_blocks(std::span<const BlockCopy> copies);
  void gather(const StepPlan& plan);
  void gather_rows(const ScheduledRequest& scheduled, const Generation& generation);
  void sample(const StepPlan& plan, const Tensor& logits);
  void take_prompt_row(const Request& request, Generation& generation, std::span<const float> row);
  void draw_beside_each_other();
  sampler::SampleTrace* trace_of(size_t draw);
  void take_draw(size_t number);
  TokenEvent draw(sampler::Sampler& sampler, const Request& request, const Generation& generation,
                  int32_t further, std::span<float> row, sampler::SampleTrace* trace) const;
  FinishReason finish_after(const Request& request, const Generation& generation,
                            int32_t token) const;
  void fork_child(const Child& child);
  void emit();

  bool in_focus(uint32_t sequence) const;
  void trace_arrival(const GenerationRequest& request);
  void trace_sample(const TokenEvent& event, int32_t position, const GenerationRequest& asked,
                    int32_t num_candidates, const sampler::SampleTrace* trace);
  void trace_times();

  const model::Model& model_;
  KvMemory kv_;
  const SchedulerOptions asked_;
  std::unique_ptr<Scheduler> scheduler_;
  model::Context context_;
  std::vector<sampler::Sampler> samplers_;  // at least one, at most one for each thread
  trace::Tracer trace_;
  std::atomic<uint32_t> focus_{0};
  std::unordered_map<uint32_t, Generation> generations_;

  // Of the step at hand; kept for their capacity.
  model::Batch batch_;
  std::vector<Draw> draws_;
  std::vector<TokenEvent> events_;
  std::vector<StepOutput> outputs_;
  std::vector<Child> children_;
  std::vector<float> row_;                           // [V], before it is sampled from
  std::vector<sampler::SampleTrace> sample_traces_;  // of draws_, if any is in focus
  StepTimer timer_;
  uint64_t num_steps_ = 0;
  int64_t num_generated_tokens_ = 0;
  int64_t num_computed_tokens_ = 0;
};

}  // namespace orrery::engine
