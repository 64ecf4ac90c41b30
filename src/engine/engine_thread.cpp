#include "engine/engine_thread.h"

#include <utility>

namespace orrery::engine {

EngineThread::EngineThread(std::unique_ptr<Engine> engine)
    : engine_(std::move(engine)), thread_([this] { run(); }) {}

EngineThread::~EngineThread() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

uint32_t EngineThread::submit(GenerationRequest request, TokenSink sink) {
  uint32_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = next_id_++;
    request.request.id = id;
    submitted_.push_back({std::move(request), std::move(sink)});
  }
  wake_.notify_one();
  return id;
}

void EngineThread::abort(uint32_t request) {
  {
    const std::lock_guard lock(mutex_);
    aborted_.push_back(request);
  }
  wake_.notify_one();
}

void EngineThread::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (take_in(lock)) {
      if (stop_) break;
      continue;  // more may have come while the lock was open
    }
    lock.unlock();
    const bool worked = engine_->step();
    heartbeat_.fetch_add(1, std::memory_order_relaxed);
    lock.lock();
    if (!worked)
      wake_.wait(lock, [this] { return stop_ || !submitted_.empty() || !aborted_.empty(); });
  }
  engine_->abort_all();
  for (Submission& submission : submitted_) {  // came too late to be taken in
    TokenEvent event;
    event.request = submission.request.request.id;
    event.finish_reason = FinishReason::kAborted;
    submission.sink(event);
  }
}

// Hands what came from other threads to the engine, with the lock open. True if there was
// something, or the thread shall stop.
bool EngineThread::take_in(std::unique_lock<std::mutex>& lock) {
  if (stop_) return true;
  if (submitted_.empty() && aborted_.empty()) return false;
  std::vector<Submission> submitted = std::exchange(submitted_, {});
  std::vector<uint32_t> aborted = std::exchange(aborted_, {});
  lock.unlock();
  for (Submission& submission : submitted) {
    const uint32_t id = submission.request.request.id;
    const Status status = engine_->add_request(std::move(submission.request), submission.sink);
    if (status.ok()) continue;
    TokenEvent refused;
    refused.request = id;
    refused.finish_reason = FinishReason::kError;
    refused.error = status;
    submission.sink(refused);
  }
  for (const uint32_t id : aborted) engine_->abort(id);
  lock.lock();
  return true;
}

}  // namespace orrery::engine
