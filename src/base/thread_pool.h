// A pool for data-parallel loops inside one operation.
//
// parallel_for(n, body) calls body(begin, end) on disjoint ranges that cover [0, n), on the calling
// thread and the workers, and returns when all are done. The split decides only who computes what,
// never the order of an addition, so results do not depend on the number of threads. Workers wait
// by spinning for about 20 microseconds and then sleep: a busy neighbour is not starved. Nor does a
// busy neighbour stop a loop: a worker whose CPU is taken when a loop begins and that has not come
// when the last chunk is given out is not waited for. One parallel_for at a time per pool; body
// must not throw and must not call parallel_for of the same pool.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace orrery {

class ThreadPool {
 public:
  // `num_threads` counts the caller; 1 means no workers. 0 means one per CPU that this process may
  // use. Fewer, with a warning, if the system grants no more.
  // `bind`: each worker stays on a CPU of its own among those that the process may use. That is
  // worth 1.1 to 1.2 times the speed beside a busy process, which the system else moves them out of
  // the way of, and nothing on an idle machine (doc/performance.md); two such processes would get
  // into each other's way.
  explicit ThreadPool(int num_threads = 0, bool bind = false);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Where workers are bound, binds the calling thread, which is to make the calls that follow, to
  // the CPU that they left. Threads that it starts later inherit that.
  void bind_caller();

  int num_threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Chunks of `grain` (at least 1) are handed out in order to whoever is free.
  template <typename Body>
  void parallel_for(int64_t n, int64_t grain, const Body& body) {
    run(
        n, grain,
        [](const void* b, int64_t begin, int64_t end) {
          (*static_cast<const Body*>(b))(begin, end);
        },
        &body);
  }

 private:
  using Call = void (*)(const void*, int64_t, int64_t);
  void run(int64_t n, int64_t grain, Call call, const void* body);
  void work(size_t index);
  void bind_to(size_t index) const;
  void take_chunks();
  bool enter(uint64_t& seen);
  void wake(int64_t num_chunks);

  // The gate of the loop in progress: its number, whether workers may still come, and how many are
  // inside.
  static constexpr uint64_t kInside = 0xffff;
  static constexpr uint64_t kOpen = 0x10000;
  static constexpr int kLoopShift = 17;

  std::vector<int> cpus_;  // to bind to: the caller's, then each worker's; empty: none
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<uint64_t> gate_{0};
  std::atomic<int> num_sleeping_{0};
  std::atomic<bool> stop_{false};

  // The loop in progress. Written by the caller while nobody is inside and the gate is closed.
  Call call_ = nullptr;
  const void* body_ = nullptr;
  int64_t n_ = 0;
  int64_t grain_ = 1;
  std::atomic<int64_t> next_{0};
};

}  // namespace orrery
