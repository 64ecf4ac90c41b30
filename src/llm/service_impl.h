// What a Service is made of: the engine's thread, the text thread, and the requests between them.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "engine/engine_thread.h"
#include "llm/service.h"
#include "llm/text_stream.h"

namespace orrery::llm {

// A number that differs for different salts: who does not know another's salt cannot meet it.
uint64_t number_of_salt(std::string_view salt);

// One sequence of a request. Touched by the text thread alone.
struct Sequence {
  std::unique_ptr<TextStream> text;  // from its first token on; null without a tokenizer
  bool begun = false;
  bool ended = false;
  Delta whole;  // picks() only: everything so far
  double sum_logprobs = 0;
};

struct Job {
  Job(CompletionRequest asked, DeltaSink receiver, int32_t count)
      : request(std::move(asked)),
        num_sequences(count),
        sink(std::move(receiver)),
        sequences(static_cast<size_t>(count)),
        num_unfinished(count) {}

  // More sequences than answers: nothing is known before all have ended.
  bool picks() const { return num_sequences > request.n; }

  uint32_t id = 0;
  const CompletionRequest request;
  const int32_t num_sequences;

  // Of the text thread.
  DeltaSink sink;
  std::vector<Sequence> sequences;
  int32_t num_unfinished;
};

class Service::Impl {
 public:
  Impl(Llm& llm, ServiceOptions options, engine::MemoryPlan plan,
       std::unique_ptr<engine::Engine> engine, trace::TraceWriter& trace);
  ~Impl();

  Result<uint32_t> submit(CompletionRequest request, DeltaSink sink);
  void abort(uint32_t request);
  bool drain(std::chrono::milliseconds timeout);
  ServiceStats stats() const;

  engine::EngineThread& engine() { return *engine_; }
  const Llm& llm() const { return llm_; }
  const engine::SchedulerOptions& scheduler() const { return scheduler_; }
  const engine::SchedulerOptions& asked() const { return asked_; }
  int64_t kv_cache_bytes() const { return kv_cache_bytes_; }
  const engine::MemoryPlan& memory_plan() const { return memory_plan_; }

 private:
  struct Item {
    std::shared_ptr<Job> job;
    engine::TokenEvent event;
  };

  Status check(const CompletionRequest& request) const;
  int64_t room_after(const CompletionRequest& request) const;
  engine::GenerationRequest engine_request(const Job& job) const;

  // On the engine's thread.
  void deliver(const std::shared_ptr<Job>& job, engine::TokenEvent&& event);
  void wake_text_thread();

  // On the text thread.
  void run();
  void handle(Job& job, engine::TokenEvent&& event);
  Status add_token(Job& job, Sequence& sequence, engine::TokenEvent& event, Delta& delta);
  void end(Job& job, Sequence& sequence, const engine::TokenEvent& event, Delta& delta);
  void send(Job& job, Sequence& sequence, Delta&& delta);
  void send_best(Job& job);
  void forget(const Job& job);

  Llm& llm_;
  const ServiceOptions options_;
  const engine::MemoryPlan memory_plan_;
  trace::TraceWriter& trace_;
  const engine::SchedulerOptions scheduler_;
  const engine::SchedulerOptions asked_;  // engine::Engine::asked()
  const int64_t kv_cache_bytes_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;  // the text thread
  std::condition_variable idle_;  // drain()
  std::unordered_map<uint32_t, std::shared_ptr<Job>> jobs_;
  int64_t num_sequences_ = 0;  // of jobs_
  std::vector<Item> queue_;
  bool draining_ = false;
  bool stop_ = false;
  bool handling_ = false;  // the text thread has events, and may be in a sink

  std::unique_ptr<engine::EngineThread> engine_;
  std::thread text_thread_;  // last
};

}  // namespace orrery::llm
