#include "kernels/cpu/limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "tensor/buffer.h"

namespace orrery::kernels::cpu {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kRounds = 3;
constexpr int64_t kBurns = 2'000'000;

// Seconds until body(thread) is done on all threads, which begin together; the best of kRounds.
template <typename Body>
double best_seconds(int num_threads, const Body& body) {
  double best = 1e30;
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<int> waiting{num_threads};
    std::vector<std::thread> threads;
    std::vector<Clock::time_point> begin(static_cast<size_t>(num_threads)),
        end(static_cast<size_t>(num_threads));
    for (int i = 0; i < num_threads; ++i) {
      threads.emplace_back([&, i] {
        waiting.fetch_sub(1);
        while (waiting.load() > 0) std::this_thread::yield();
        begin[static_cast<size_t>(i)] = Clock::now();
        body(i);
        end[static_cast<size_t>(i)] = Clock::now();
      });
    }
    for (std::thread& thread : threads) thread.join();
    const std::chrono::duration<double> taken =
        *std::ranges::max_element(end) - *std::ranges::min_element(begin);
    best = std::min(best, taken.count());
  }
  return best;
}

}  // namespace

Result<MachineLimits> measure_limits(const CpuTable& table, int num_threads, int64_t buffer_bytes) {
  if (num_threads < 1)
    return invalid_argument("{} threads to measure; expected 1 or more", num_threads);
  const int64_t share = buffer_bytes / num_threads / 256 * 256;
  if (share <= 0) return invalid_argument("{} bytes to read; expected more", buffer_bytes);
  ASSIGN_OR_RETURN(const Buffer buffer, Buffer::allocate(static_cast<size_t>(buffer_bytes)));
  std::memset(buffer.data(), 1, buffer.size());  // own pages instead of the one of zeros
  std::atomic<uint64_t> sink{0};                 // keeps the results, and so the work
  const double reading = best_seconds(
      num_threads, [&](int i) { sink += table.lanes->read(buffer.data() + i * share, share); });
  // About 60 ms for sixteen lanes a cycle; a scalar table gets less to do.
  const int64_t burns = table.lanes->fp32_flops_per_burn >= 128 ? kBurns : kBurns / 20;
  const double burning = best_seconds(
      num_threads, [&](int) { sink += static_cast<uint64_t>(table.lanes->burn(burns)); });
  const auto flops = static_cast<double>(burns * table.lanes->fp32_flops_per_burn * num_threads);
  const auto dot_products = [&](const DotProducts* dots) {
    if (dots == nullptr) return 0.0;
    const double seconds = best_seconds(num_threads, [&](int) { sink += dots->burn(kBurns); });
    return static_cast<double>(kBurns * dots->ops_per_iteration * num_threads) / seconds;
  };
  return MachineLimits{num_threads, static_cast<double>(share * num_threads) / reading,
                       flops / burning, dot_products(table.bf16_dots),
                       dot_products(table.int8_dots)};
}

}  // namespace orrery::kernels::cpu
