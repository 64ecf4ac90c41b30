// Service: many requests at once, text to text, on one engine.
//
//   submit() ─▶ engine's thread: schedule, run, sample ─▶ text thread: detokenise, stop strings ─▶
//   sinks
//
// The engine's thread never works on text and never waits for a sink. A request's fault is its own.
// All public functions may be called from any thread, also from a sink, except drain() and the
// destructor, which wait for the sinks. The Llm and the trace writer must outlive it; while it
// lives, the Llm's kernels are its own: nobody calls generate() on that Llm.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "engine/engine.h"
#include "llm/generation.h"
#include "llm/llm.h"
#include "trace/trace_writer.h"

namespace orrery::llm {

struct ServiceOptions {
  // kv.num_blocks 0: as many as `kv_cache_memory_bytes` holds. max_model_len 0: the model's, or as
  // much of it as fits, if the Llm was not loaded for a length.
  engine::SchedulerOptions scheduler;
  int64_t kv_cache_memory_bytes = 0;  // 0: what the memory plan leaves (engine/memory_plan.h)
  // Of requests that bring no seed; absent: another one at each start.
  std::optional<uint64_t> seed;
  // Sequences in the engine, running and waiting, above which submit() refuses; 0: no limit.
  int64_t max_num_sequences = 0;

  ServiceOptions() {
    scheduler.max_model_len = 0;
    scheduler.kv.num_blocks = 0;
  }
};

struct CompletionRequest {
  std::vector<int32_t> prompt_token_ids;
  GenerationParams params;  // sampling.eos_token_ids is set by the service
  int32_t n = 1;            // answers, at most kMaxN
  int32_t best_of = 0;      // sequences of which the n with the highest mean log-probability per
                            // token are the answers; 0: n. More than n: nothing comes before all
                            // have ended
  int32_t priority = 0;     // smaller goes first, under the priority policy
  uint32_t tenant = 0;      // who shares fairly with whom, under the fair policy
  std::string cache_salt;   // only requests with the same one share prefixes
};
inline constexpr int32_t kMaxN = 128;

// Why a sequence stopped: nothing (end of sequence, or it did not), a token of stop_token_ids, or
// the stop string.
using StopReason = std::variant<std::monostate, int32_t, std::string>;

// What has become of one answer.
struct Delta {
  uint32_t request = 0;  // as returned by submit()
  int32_t index = 0;     // of the answer, 0 .. n − 1
  std::vector<sampler::SampledToken> tokens;
  std::string text;  // that is certain now: no part of a character, nothing that may become a stop
                     // string; concatenates to the answer's text
  // With the first delta of answer 0, where asked: of prompt tokens 1 .. (the first has none).
  std::vector<PromptLogprob> prompt_logprobs;
  int32_t num_cached_tokens = 0;              // of the prompt, found in the prefix cache
  std::optional<FinishReason> finish_reason;  // set with the answer's last delta
  StopReason stop_reason;                     // with kStop
  Status error;                               // with kError: why
  bool last = false;                          // the request's last delta: its sink goes away
};

// Called on the text thread, in order for each request; must return soon, must not throw. Deltas
// of different answers to one request are interleaved.
using DeltaSink = std::function<void(Delta&&)>;

struct ServiceStats {
  uint64_t num_steps = 0;
  int64_t num_running = 0;   // sequences
  int64_t num_waiting = 0;   // sequences, with those that the engine has not taken in yet
  int64_t num_requests = 0;  // whose sinks have not got their last delta
  int64_t num_blocks = 0;    // of the pool
  int64_t num_used_blocks = 0;
  int64_t num_cached_blocks = 0;  // free, but found by a prefix
  int64_t num_prompt_tokens = 0;  // of admitted requests
  int64_t num_generated_tokens = 0;
  int64_t num_computed_tokens = 0;   // in all steps
  int64_t prefix_cache_queries = 0;  // tokens
  int64_t prefix_cache_hits = 0;     // tokens
  int64_t num_preemptions = 0;
};

class Service {
 public:
  // Allocates the KV pool and starts the threads. Errors: kInvalidArgument (options),
  // kResourceExhausted (memory).
  static Result<std::unique_ptr<Service>> create(Llm& llm, ServiceOptions options,
                                                 trace::TraceWriter& trace);
  // Aborts what is unfinished; sinks get their last deltas before it returns.
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Checks everything about the request, and queues it; returns its number, from 1. Its sequences
  // are `number` .. `number + best_of − 1` in the step-event log. max_tokens is cut to what the
  // context leaves. Errors: kInvalidArgument (parameters, ids, no room in the context),
  // kResourceExhausted (more KV blocks than there are), kUnavailable (the queue is full, draining).
  Result<uint32_t> submit(CompletionRequest request, DeltaSink sink);

  // Frees its blocks within one step; its sink gets kAbort for each unfinished answer, unless it
  // has ended before.
  void abort(uint32_t request);

  // Refuses new requests from now on, and waits until all have ended; aborts those that have not
  // after `timeout`. True if none was aborted. No sink is called when it has returned.
  bool drain(std::chrono::milliseconds timeout);

  // Grows with each step, also with none to do when woken: who sees unfinished requests and no
  // growth knows that the engine hangs.
  uint64_t heartbeat() const;
  ServiceStats stats() const;

  // Switches techniques off and on (engine/techniques.h), once no request is unfinished; those that
  // are submitted meanwhile wait, for `patience` at most. `done` is called once, from any thread,
  // and must return soon. Errors: kUnavailable (requests did not end in time, another change waits,
  // stopping), those of check_techniques().
  void set_techniques(const engine::Techniques& techniques, std::chrono::milliseconds patience,
                      std::function<void(const Status&)> done);
  // Whether the engine could, with this model and these options. Errors: kInvalidArgument,
  // kResourceExhausted.
  Status check_techniques(const engine::Techniques& techniques) const;
  engine::Techniques techniques() const;        // now
  engine::Techniques techniques_asked() const;  // those of the options

  // Whose candidates go into the step-event log: a number of a sequence, 0 for nobody's,
  // engine::kEverySequence.
  void set_focus(uint32_t sequence);

  const Llm& llm() const;
  const engine::SchedulerOptions& scheduler_options() const;  // as resolved
  int64_t kv_cache_bytes() const;
  const engine::MemoryPlan& memory_plan() const;
  // The model, its identity and every setting on which a recording's events depend: the metadata of
  // a recording (trace/recorder.h).
  OrderedJson description() const;

 private:
  class Impl;
  explicit Service(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace orrery::llm
