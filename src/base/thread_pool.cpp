#include "base/thread_pool.h"

#include <sched.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "base/topology.h"

namespace orrery {
namespace {

constexpr auto kSpin = std::chrono::microseconds(20);

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// True as soon as `done()` is; false after kSpin.
template <typename Done>
bool spin_until(const Done& done) {
  const auto start = std::chrono::steady_clock::now();
  do {
    for (int i = 0; i < 64; ++i) {
      if (done()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() - start < kSpin);
  return false;
}

}  // namespace

ThreadPool::ThreadPool(int num_threads, bool bind) {
  const std::vector<int> cpus = usable_cpus();
  if (bind) cpus_ = cpus;
  if (num_threads <= 0)
    num_threads = static_cast<int>(cpus.empty() ? std::max(1u, std::thread::hardware_concurrency())
                                                : cpus.size());
  num_threads = std::min(num_threads, static_cast<int>(kInside));
  workers_.reserve(static_cast<size_t>(num_threads - 1));
  try {
    for (int i = 1; i < num_threads; ++i)
      workers_.emplace_back([this, i] { work(static_cast<size_t>(i)); });
  } catch (const std::system_error& error) {
    spdlog::warn("expected {} threads, the system granted {}: {}", num_threads, workers_.size() + 1,
                 error.what());
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(int64_t n, int64_t grain, Call call, const void* body) {
  if (n <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  if (workers_.empty() || n <= grain) {
    call(body, 0, n);
    return;
  }
  call_ = call;
  body_ = body;
  n_ = n;
  grain_ = grain;
  next_.store(0, std::memory_order_relaxed);
  const uint64_t loop = (gate_.load(std::memory_order_relaxed) >> kLoopShift) + 1;
  gate_.store(loop << kLoopShift | kOpen);  // ordered before the look at who sleeps
  wake((n + grain - 1) / grain);
  take_chunks();
  gate_.fetch_and(~kOpen, std::memory_order_acq_rel);
  const auto finished = [this] { return (gate_.load(std::memory_order_acquire) & kInside) == 0; };
  // A worker that lost its CPU may need long: give it ours instead of spinning against it.
  while (!spin_until(finished)) std::this_thread::yield();
}

void ThreadPool::wake(int64_t num_chunks) {
  if (num_sleeping_.load() == 0) return;
  // Whoever counts itself as sleeping holds the mutex until it really does.
  { const std::lock_guard lock(mutex_); }
  const int64_t useful = num_chunks - 1;  // one chunk is the caller's
  if (useful >= static_cast<int64_t>(workers_.size())) return wake_.notify_all();
  for (int64_t i = 0; i < useful; ++i) wake_.notify_one();
}

void ThreadPool::take_chunks() {
  for (;;) {
    const int64_t begin = next_.fetch_add(grain_, std::memory_order_relaxed);
    if (begin >= n_) return;
    call_(body_, begin, std::min(begin + grain_, n_));
  }
}

// True once for each loop that a worker finds open.
bool ThreadPool::enter(uint64_t& seen) {
  uint64_t gate = gate_.load();
  while ((gate & kOpen) != 0 && gate >> kLoopShift != seen) {
    if (!gate_.compare_exchange_weak(gate, gate + 1)) continue;
    seen = gate >> kLoopShift;
    return true;
  }
  return false;
}

void ThreadPool::bind_caller() { bind_to(0); }

void ThreadPool::bind_to(size_t index) const {
  if (cpus_.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpus_[index % cpus_.size()], &set);
  if (sched_setaffinity(0, sizeof(set), &set) != 0)
    spdlog::warn("a thread could not be bound to CPU {}: {}", cpus_[index % cpus_.size()],
                 std::generic_category().message(errno));
}

void ThreadPool::work(size_t index) {
  bind_to(index);
  uint64_t seen = 0;
  for (;;) {
    const auto called = [&] { return stop_ || enter(seen); };
    if (!spin_until(called)) {
      std::unique_lock lock(mutex_);
      ++num_sleeping_;  // ordered before the last look at the gate
      wake_.wait(lock, called);
      --num_sleeping_;
    }
    if (stop_) return;
    take_chunks();
    gate_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace orrery
