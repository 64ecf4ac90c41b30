#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/sanitizers.h"

namespace orrery {
namespace {

TEST(ThreadPool, CoversEveryIndexExactlyOnce) {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    for (int64_t n : {0, 1, 2, 7, 64, 1000}) {
      for (int64_t grain : {1, 3, 64}) {
        std::vector<std::atomic<int>> hits(static_cast<size_t>(n));
        pool.parallel_for(n, grain, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) hits[static_cast<size_t>(i)]++;
        });
        for (const auto& hit : hits)
          ASSERT_EQ(hit, 1) << threads << " threads, n " << n << ", grain " << grain;
      }
    }
  }
}

TEST(ThreadPool, ManyShortLoopsInARow) {
  ThreadPool pool(4);
  std::atomic<int64_t> sum{0};
  for (int i = 0; i < 5000; ++i)
    pool.parallel_for(4, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
  EXPECT_EQ(sum, 20000);
}

TEST(ThreadPool, SleepingWorkersComeBack) {
  ThreadPool pool(4);
  for (int round = 0; round < 50; ++round) {
    std::this_thread::sleep_for(std::chrono::microseconds(round * 4));  // some spin, some sleep
    std::atomic<int64_t> sum{0};
    pool.parallel_for(1000, 10, [&](int64_t begin, int64_t end) { sum += end - begin; });
    ASSERT_EQ(sum, 1000);
  }
}

// CPUs that the calling thread may use.
std::vector<int> my_cpus() {
  cpu_set_t set;
  EXPECT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  return cpus;
}

TEST(ThreadPool, BindsEachThreadToACpuOfItsOwnWhereItIsAskedTo) {
  const std::vector<int> all = my_cpus();
  if (all.size() < 2) GTEST_SKIP() << "one CPU";
  for (const bool bind : {true, false}) {
    std::thread([&] {  // whose CPUs end with it
      ThreadPool pool(2, bind);
      EXPECT_EQ(my_cpus(), all) << "the caller is asked first";
      pool.bind_caller();
      const auto caller = std::this_thread::get_id();
      std::atomic<bool> worker_came{false};
      std::vector<int> of_caller, of_worker;
      while (!worker_came) {  // one that is late is not waited for
        pool.parallel_for(2, 1, [&](int64_t, int64_t) {
          if (std::this_thread::get_id() == caller) {
            of_caller = my_cpus();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
          } else {
            of_worker = my_cpus();
            worker_came = true;
          }
        });
      }
      EXPECT_EQ(of_caller, bind ? std::vector<int>{all[0]} : all);
      EXPECT_EQ(of_worker, bind ? std::vector<int>{all[1]} : all);
    })
        .join();
  }
}

#if !ORRERY_SANITIZED  // their shadow memory does not fit a limited address space
TEST(ThreadPool, WorksWithFewerThreadsThanAskedFor) {
  // An address space that holds few of the 8 MiB stacks.
  EXPECT_EXIT(
      {
        rlimit few{};
        getrlimit(RLIMIT_AS, &few);
        few.rlim_cur = 256 << 20;
        setrlimit(RLIMIT_AS, &few);
        ThreadPool pool(4096);
        std::atomic<int64_t> sum{0};
        pool.parallel_for(1000, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
        std::_Exit(sum == 1000 && pool.num_threads() < 4096 ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}
#endif

}  // namespace
}  // namespace orrery
