// Metrics: what GET /metrics tells, under vLLM's names.
//
// Three sources: the service's counters, read when asked; each answer's deltas as they come, timed
// by the clock (time to first token, between tokens, end to end); and the step-event log, timed by
// the engine's own account of its steps (queue, prefill, decode, tokens of a step). Any thread.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

#include "llm/service.h"
#include "server/metrics_text.h"
#include "server/openai_service.h"
#include "trace/event_ring.h"

namespace orrery::server {

// Times of what a request goes through inside the engine, out of the step-event log. Not
// synchronised.
class LogTimes {
 public:
  LogTimes();
  void on_event(const trace::Event& event);
  // Events were lost: what is under way can no longer be timed.
  void forget();

  Histogram queue, prefill, decode, iteration_tokens;

 private:
  struct Sequence {
    double arrived = 0, admitted = -1, first_token = -1;
    bool has_token = false, finished = false;
  };
  void end_step(const trace::Event& event);

  double clock_ = 0;               // seconds that the engine has spent in steps
  std::vector<uint32_t> touched_;  // in this step: got their first token, or finished
  std::unordered_map<uint32_t, Sequence> sequences_;
};

// Times of the answers to one request. Text thread, but for the making.
class RequestTimer {
 public:
  RequestTimer(class Metrics& metrics, size_t num_prompt_tokens, int32_t n);
  void on_delta(const llm::Delta& delta);

 private:
  using Clock = std::chrono::steady_clock;
  struct Answer {
    Clock::time_point last = {};
    uint64_t num_tokens = 0;
  };
  Metrics& metrics_;
  const Clock::time_point begun_ = Clock::now();
  const size_t num_prompt_tokens_;
  std::vector<Answer> answers_;
  bool has_token_ = false;
};

struct MetricsOptions {
  std::string model_name;
  std::chrono::milliseconds log_period{50};  // between two looks at the log
};

class Metrics {
 public:
  // The service and the ring must outlive it.
  Metrics(const llm::Service& service, trace::EventRing& ring, MetricsOptions options);
  ~Metrics();

  // Has the protocol tell of its requests.
  void watch(OpenAiOptions& protocol);

  std::string text() const;

 private:
  friend class RequestTimer;
  void read_log();
  void add_service(MetricsText& text) const;

  const llm::Service& service_;
  const MetricsOptions options_;

  mutable std::mutex mutex_;  // of all below
  Histogram intake_, time_to_first_token_, inter_token_latency_, e2e_latency_;
  Histogram prompt_tokens_, generation_tokens_;
  std::array<uint64_t, 4> finished_{};  // by llm::FinishReason: stop, length, abort, error
  LogTimes log_times_;
  bool stop_ = false;
  std::condition_variable wake_;

  trace::EventRing::Reader reader_;  // of the thread
  std::thread thread_;
};

}  // namespace orrery::server
