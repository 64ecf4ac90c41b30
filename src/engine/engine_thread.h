// EngineThread: the engine on a thread of its own; submit and abort from any thread.
//
// The thread sleeps while there is nothing to do. Between two steps it takes in what was submitted,
// so that a caller never waits for a step. Sinks are called on the engine's thread and must return
// soon: they hand tokens over, they do not work on them. Whoever waits for tokens is best woken
// when all of a step have been handed over: woken by the first, on a machine whose processors all
// work, it takes the engine's place many times a step.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "engine/engine.h"

namespace orrery::engine {

// As of the last step.
struct EngineStats {
  uint64_t num_steps = 0;
  int64_t num_running = 0;
  int64_t num_waiting = 0;
  int64_t num_queued = 0;  // requests that the engine has not taken in yet
  KvUsage kv;
  SchedulerCounts counts;
  int64_t num_generated_tokens = 0;
  int64_t num_computed_tokens = 0;
  StepTimes times;
  Techniques techniques;
};

class EngineThread {
 public:
  // `after_sinks` is called, on the engine's thread, after sinks may have been called, once for all
  // of a step; it must return soon and may be empty.
  explicit EngineThread(std::unique_ptr<Engine> engine, std::function<void()> after_sinks = {});
  // Aborts what is unfinished (sinks get kAborted) and waits for the thread.
  ~EngineThread();
  // The same, early: requests that come later are never taken in.
  void stop();
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  // `n` numbers in a row, for a request of n sequences.
  uint32_t reserve_ids(int32_t n);
  // Queues the request, under a number reserved before, or else (0) gives it one; returns it. What
  // the engine refuses reaches the sink as one event with kError and the reason.
  uint32_t submit(GenerationRequest request, TokenSink sink);
  // The sequence's sink gets the reason, unless it has finished before.
  void abort(uint32_t sequence, FinishReason reason = FinishReason::kAborted);
  // As soon as no request is unfinished; those that are submitted meanwhile wait, for `patience` at
  // most. `done` is called once, on the engine's thread or this one, and must return soon; errors:
  // those of Engine::set_techniques(), kUnavailable also while another change waits, and at the
  // end.
  void set_techniques(const Techniques& techniques, std::chrono::milliseconds patience,
                      std::function<void(const Status&)> done);

  // Grows with each step: a monitor that sees requests waiting and no growth knows that the engine
  // hangs.
  uint64_t heartbeat() const { return heartbeat_.load(std::memory_order_relaxed); }
  EngineStats stats() const;
  void set_focus(uint32_t sequence) { engine_->set_focus(sequence); }

 private:
  struct Submission {
    GenerationRequest request;
    TokenSink sink;
  };
  struct Abort {
    uint32_t sequence;
    FinishReason reason;
  };
  struct Change {
    Techniques techniques;
    std::chrono::steady_clock::time_point until;
    std::function<void(const Status&)> done;
  };
  // What came from other threads, to be handed to the engine now.
  struct Inbox {
    std::optional<Change> change;
    std::vector<Submission> submitted;
    std::vector<Abort> aborted;
    bool empty() const { return !change && submitted.empty() && aborted.empty(); }
  };
  void run();
  void publish_stats();
  uint32_t next_ids(int32_t n);
  Inbox open_inbox();
  bool take_in(std::unique_lock<std::mutex>& lock);

  std::unique_ptr<Engine> engine_;  // touched by the thread alone
  const std::function<void()> after_sinks_;
  std::atomic<uint64_t> heartbeat_{0};

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Submission> submitted_;
  std::vector<Abort> aborted_;
  std::optional<Change> change_;
  uint32_t next_id_ = 1;
  bool stop_ = false;

  mutable std::mutex stats_mutex_;
  EngineStats stats_;

  std::thread thread_;  // last: starts when all else is ready
};

}  // namespace orrery::engine
