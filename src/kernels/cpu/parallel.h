// Loops over a pool that wake its threads only for work that is worth it.
#pragma once

#include <algorithm>

#include "base/thread_pool.h"

namespace orrery::kernels::cpu {

// Waking sleeping threads takes about as long as this much work.
inline constexpr double kWorthWakingNs = 20'000;
// A chunk much shorter than this is lost in handing it out.
inline constexpr double kChunkNs = 5'000;

// body(begin, end) over [0, n), of which each takes about `ns_each` on one thread: on the caller
// alone if short, else in about four chunks a thread, so that a thread which loses its CPU holds up
// little.
template <typename Body>
void parallel(ThreadPool& pool, int64_t n, double ns_each, const Body& body) {
  if (n <= 0) return;
  if (static_cast<double>(n) * ns_each < kWorthWakingNs) return body(int64_t{0}, n);
  const auto shortest = static_cast<int64_t>(kChunkNs / std::max(ns_each, 1e-3)) + 1;
  pool.parallel_for(n, std::max(shortest, n / (4 * pool.num_threads())), body);
}

}  // namespace orrery::kernels::cpu
