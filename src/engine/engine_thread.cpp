#include "engine/engine_thread.h"

#include <algorithm>
#include <utility>

namespace orrery::engine {
namespace {

void refuse(const GenerationRequest& request, const TokenSink& sink, FinishReason reason,
            const Status& error) {
  for (int32_t i = 0; i < std::max(1, request.n); ++i) {
    TokenEvent event;
    event.request = request.request.id + static_cast<uint32_t>(i);
    event.index = i;
    event.finish_reason = reason;
    event.error = error;
    sink(std::move(event));
  }
}

}  // namespace

EngineThread::EngineThread(std::unique_ptr<Engine> engine, std::function<void()> after_sinks)
    : engine_(std::move(engine)), after_sinks_(std::move(after_sinks)) {
  publish_stats();
  thread_ = std::thread([this] { run(); });
}

EngineThread::~EngineThread() { stop(); }

void EngineThread::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

// Numbers come round again after 2^32, when those of before have long ended.
uint32_t EngineThread::next_ids(int32_t n) {
  const auto count = static_cast<uint32_t>(n);
  if (next_id_ > kEverySequence - count) next_id_ = 1;
  return std::exchange(next_id_, next_id_ + count);
}

uint32_t EngineThread::reserve_ids(int32_t n) {
  const std::lock_guard lock(mutex_);
  return next_ids(n);
}

uint32_t EngineThread::submit(GenerationRequest request, TokenSink sink) {
  uint32_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (request.request.id == 0) request.request.id = next_ids(std::max(1, request.n));
    id = request.request.id;
    submitted_.push_back({std::move(request), std::move(sink)});
  }
  wake_.notify_one();
  return id;
}

void EngineThread::abort(uint32_t sequence, FinishReason reason) {
  {
    const std::lock_guard lock(mutex_);
    aborted_.push_back({sequence, reason});
  }
  wake_.notify_one();
}

void EngineThread::set_techniques(const Techniques& techniques, std::chrono::milliseconds patience,
                                  std::function<void(const Status&)> done) {
  std::unique_lock lock(mutex_);
  if (stop_ || change_) {
    lock.unlock();  // `done` may ask for another one
    return done(unavailable("techniques: another change waits, or the engine stops"));
  }
  change_ = Change{techniques, std::chrono::steady_clock::now() + patience, std::move(done)};
  lock.unlock();
  wake_.notify_one();
}

void EngineThread::run() {
  engine_->bind_thread();
  std::unique_lock lock(mutex_);
  for (;;) {
    if (take_in(lock)) {
      if (stop_) break;
      continue;  // more may have come while the lock was open
    }
    lock.unlock();
    const bool worked = engine_->step();
    if (after_sinks_) after_sinks_();
    publish_stats();
    heartbeat_.fetch_add(1, std::memory_order_relaxed);
    lock.lock();
    if (!worked)
      wake_.wait(lock,
                 [this] { return stop_ || change_ || !submitted_.empty() || !aborted_.empty(); });
  }
  // Sinks take locks under which others submit: none is called under this one.
  std::vector<Submission> late = std::exchange(submitted_, {});
  const std::optional<Change> change = std::exchange(change_, std::nullopt);
  lock.unlock();
  if (change) change->done(unavailable("techniques: the engine stops"));
  engine_->abort_all();
  for (Submission& submission : late)  // came too late to be taken in
    refuse(submission.request, submission.sink, FinishReason::kAborted, {});
  if (after_sinks_) after_sinks_();
}

void EngineThread::publish_stats() {
  const Scheduler& scheduler = engine_->scheduler();
  const EngineStats stats = {engine_->num_steps(),
                             static_cast<int64_t>(scheduler.running().size()),
                             static_cast<int64_t>(scheduler.waiting().size()),
                             0,
                             scheduler.kv().usage(),
                             scheduler.counts(),
                             engine_->num_generated_tokens(),
                             engine_->num_computed_tokens(),
                             engine_->last_times(),
                             techniques_of(scheduler.options())};
  const std::lock_guard lock(stats_mutex_);
  stats_ = stats;
}

EngineStats EngineThread::stats() const {
  EngineStats stats;
  {
    const std::lock_guard lock(stats_mutex_);
    stats = stats_;
  }
  const std::lock_guard lock(mutex_);
  stats.num_queued = static_cast<int64_t>(submitted_.size());
  return stats;
}

// While a change waits for the last request to end, those that come wait too, and so do their
// aborts.
EngineThread::Inbox EngineThread::open_inbox() {
  Inbox inbox;
  if (change_ && (!engine_->scheduler().has_unfinished() ||
                  std::chrono::steady_clock::now() >= change_->until)) {
    inbox.change = std::exchange(change_, std::nullopt);
  }
  if (!change_) {
    inbox.submitted = std::exchange(submitted_, {});
    inbox.aborted = std::exchange(aborted_, {});
    return inbox;
  }
  const auto is_held = [this](const Abort& abort) {
    return std::any_of(submitted_.begin(), submitted_.end(), [&](const Submission& s) {
      const uint32_t first = s.request.request.id;
      return abort.sequence - first < static_cast<uint32_t>(std::max(1, s.request.n));
    });
  };
  const auto held = std::stable_partition(aborted_.begin(), aborted_.end(),
                                          [&](const Abort& abort) { return !is_held(abort); });
  inbox.aborted.assign(aborted_.begin(), held);
  aborted_.erase(aborted_.begin(), held);
  return inbox;
}

// Hands what came from other threads to the engine, with the lock open. True if there was
// something, or the thread shall stop.
bool EngineThread::take_in(std::unique_lock<std::mutex>& lock) {
  if (stop_) return true;
  Inbox inbox = open_inbox();
  if (inbox.empty()) return false;
  lock.unlock();
  if (inbox.change) {
    const Status status = engine_->set_techniques(inbox.change->techniques);
    publish_stats();  // before `done`, which may look at them
    inbox.change->done(status);
  }
  for (Submission& submission : inbox.submitted) {
    const Status status = engine_->add_request(submission.request, submission.sink);
    if (!status.ok()) refuse(submission.request, submission.sink, FinishReason::kError, status);
  }
  for (const Abort& abort : inbox.aborted) engine_->abort(abort.sequence, abort.reason);
  if (after_sinks_) after_sinks_();
  publish_stats();
  lock.lock();
  return true;
}

}  // namespace orrery::engine
