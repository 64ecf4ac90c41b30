#include <algorithm>
#include <set>

#include "engine/simulation.h"

namespace orrery::engine {
namespace {

template <typename... Args>
Status broken(fmt::format_string<Args...> format, Args&&... args) {
  return {StatusCode::kInternal, fmt::format(format, std::forward<Args>(args)...)};
}

// A pool's block counts once for each request that holds it, or any part of it.
Status check_ref_counts(const Scheduler& scheduler) {
  const BlockPool& pool = scheduler.kv().pool();
  std::vector<int32_t> uses(static_cast<size_t>(pool.num_blocks()));
  for (const Request* request : scheduler.running()) {
    std::set<int32_t> held;
    for (const int32_t block : request->kv.block_table) {
      if (block == kNoBlock) continue;
      const int32_t b = scheduler.kv().pool_block(block);
      const bool first = held.insert(b).second;
      if (!first && b == block) return broken("request {} holds block {} twice", request->id, b);
      if (first) ++uses[static_cast<size_t>(b)];
    }
  }
  for (int32_t block = 0; block < pool.num_blocks(); ++block) {
    if (pool.ref_count(block) != uses[static_cast<size_t>(block)]) {
      return broken("block {}: expected a reference count of {}, got {}", block,
                    uses[static_cast<size_t>(block)], pool.ref_count(block));
    }
  }
  return {};
}

Status check_requests(const Scheduler& scheduler) {
  for (const Request* request : scheduler.running()) {
    const auto num_slots = static_cast<int32_t>(request->kv.block_table.size()) * kBlockSize;
    if (request->num_computed_tokens > num_slots ||
        request->num_computed_tokens >= request->num_tokens()) {
      return broken("request {}: {} tokens, {} slots, {} computed", request->id,
                    request->num_tokens(), num_slots, request->num_computed_tokens);
    }
  }
  for (size_t i = 0; i < scheduler.waiting().size(); ++i) {
    const Request& request = scheduler.waiting()[i];
    if (!request.kv.block_table.empty() || request.num_computed_tokens != 0) {
      return broken("request {} waits and holds blocks", request.id);
    }
  }
  return {};
}

}  // namespace

Status check_invariants(const Scheduler& scheduler) {
  RETURN_IF_ERROR(scheduler.kv().check_integrity());
  const KvUsage usage = scheduler.kv().usage();
  if (usage.free + usage.used + usage.cached != usage.total || usage.free < 0) {
    return broken("blocks: {} free + {} used + {} cached are not {}", usage.free, usage.used,
                  usage.cached, usage.total);
  }
  if (static_cast<int32_t>(scheduler.running().size()) > scheduler.options().max_num_seqs) {
    return broken("{} requests are running", scheduler.running().size());
  }
  RETURN_IF_ERROR(check_ref_counts(scheduler));
  return check_requests(scheduler);
}

}  // namespace orrery::engine
