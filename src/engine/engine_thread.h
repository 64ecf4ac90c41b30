// EngineThread: the engine on a thread of its own; submit and abort from any thread.
//
// The thread sleeps while there is nothing to do. Between two steps it takes in what was submitted,
// so that a caller never waits for a step. Sinks are called on the engine's thread and must return
// soon: they hand tokens over, they do not work on them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/engine.h"

namespace orrery::engine {

class EngineThread {
 public:
  explicit EngineThread(std::unique_ptr<Engine> engine);
  // Aborts what is unfinished (sinks get kAborted) and waits for the thread.
  ~EngineThread();
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  // Gives the request a number and queues it. What the engine refuses reaches the sink as one event
  // with kError and the reason.
  uint32_t submit(GenerationRequest request, TokenSink sink);
  // The request's sink gets kAborted, unless it has finished before.
  void abort(uint32_t request);

  // Grows with each step: a monitor that sees requests waiting and no growth knows that the engine
  // hangs.
  uint64_t heartbeat() const { return heartbeat_.load(std::memory_order_relaxed); }

 private:
  struct Submission {
    GenerationRequest request;
    TokenSink sink;
  };
  void run();
  bool take_in(std::unique_lock<std::mutex>& lock);

  std::unique_ptr<Engine> engine_;  // touched by the thread alone
  std::atomic<uint64_t> heartbeat_{0};

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Submission> submitted_;
  std::vector<uint32_t> aborted_;
  uint32_t next_id_ = 1;
  bool stop_ = false;

  std::thread thread_;  // last: starts when all else is ready
};

}  // namespace orrery::engine
