// Engine: many requests at once through one model. step() is the whole of it: schedule, run,
// sample, update, emit.
//
// Answers do not depend on the company: a request's tokens and log-probabilities are the same bits
// alone or among others, chunked or whole, preempted or not, with a prefix found in the cache or
// computed. Every sum in the model runs in an order of its own (kernels/kernels.h), and a draw
// depends on (seed, position) alone.
//
// One thread drives it; engine/engine_thread.h gives it one. The model and the kernels must outlive
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "engine/kv_memory.h"
#include "engine/scheduler.h"
#include "model/model.h"
#include "sampler/sampler.h"
#include "trace/trace_writer.h"

namespace orrery::engine {

struct EngineOptions {
  SchedulerOptions
      scheduler;  // kv.num_blocks: of the pool; its sliding_window is set from the model
  DType kv_dtype = DType::kBF16;
};

// One token of one request, as it comes out of a step.
struct TokenEvent {
  uint32_t request = 0;
  sampler::SampledToken token;                       // token.id is valid unless `error`
  FinishReason finish_reason = FinishReason::kNone;  // set with the last token
  Status error;                                      // why, for kError
};

// Called in step(), on the engine's thread; must not call the engine.
using TokenSink = std::function<void(const TokenEvent&)>;

struct GenerationRequest {
  NewRequest request;
  sampler::SamplingParams sampling;  // validated for the model's vocabulary; eos_token_ids set
  uint64_t seed = 0;
  bool ignore_eos = false;
  const sampler::TokenMask* mask = nullptr;  // outlives the request; null: every token is allowed
};

class Engine {
 public:
  // Allocates the pool. Errors: kInvalidArgument (options), kResourceExhausted.
  static Result<std::unique_ptr<Engine>> create(const model::Model& model,
                                                kernels::Kernels& kernels, EngineOptions options,
                                                trace::TraceWriter& trace);

  // Errors concern this request alone: those of Scheduler::add_request and sampler::validate.
  Status add_request(GenerationRequest request, TokenSink sink);
  // Its blocks are free when this returns; the sink gets kAborted. False if it is not there.
  bool abort(uint32_t request);
  void abort_all();

  // Runs one step, and emits the tokens that came of it. False if no request is unfinished.
  bool step();

  const Scheduler& scheduler() const { return *scheduler_; }
  const KvMemory& kv_memory() const { return kv_; }
  uint64_t num_steps() const { return num_steps_; }

 private:
  struct Generation {
    GenerationRequest asked;
    TokenSink sink;
  };

  Engine(const model::Model& model, kernels::Kernels& kernels, KvMemory kv,
         std::unique_ptr<Scheduler> scheduler);
  void copy_blocks(std::span<const BlockCopy> copies);
  void gather(const StepPlan& plan);
  void sample(const StepPlan& plan, const Tensor& logits);
  TokenEvent sample_one(const Request& request, std::span<float> row);
  FinishReason finish_after(const Request& request, const Generation& generation,
                            int32_t token) const;
  void emit();

  const model::Model& model_;
  KvMemory kv_;
  std::unique_ptr<Scheduler> scheduler_;
  model::Context context_;
  sampler::Sampler sampler_;
  std::unordered_map<uint32_t, Generation> generations_;

  // Of the step at hand; kept for their capacity.
  model::Batch batch_;
  std::vector<TokenEvent> events_;
  std::vector<StepOutput> outputs_;
  uint64_t num_steps_ = 0;
};

}  // namespace orrery::engine
