#include "engine/kv_cache_manager.h"

#include <algorithm>

namespace orrery::engine {

using trace::EventKind;

KvCacheManager::KvCacheManager(const KvCacheOptions& options, trace::Tracer& trace)
    : options_(options),
      unit_(options.reservation == KvReservation::kPaged ? 1 : blocks_for(options.max_model_len)),
      trace_(trace),
      pool_(options.num_blocks / unit_, options.fault),
      cache_(options.num_blocks / unit_, options.fault) {
  copies_.reserve(64);
}

int32_t KvCacheManager::blocks_to_hold(int32_t num_tokens) const {
  return std::max(blocks_for(num_tokens), unit_);
}

KvUsage KvCacheManager::usage() const {
  return {pool_.num_blocks() * unit_, pool_.num_used() * unit_, pool_.num_cached() * unit_,
          (pool_.num_free() - pool_.num_cached()) * unit_};
}

void KvCacheManager::prepare(Request& request) const {
  const auto max_blocks = static_cast<size_t>(blocks_to_hold(request.max_kv_tokens()));
  request.token_ids.reserve(static_cast<size_t>(request.num_prompt_tokens) +
                            static_cast<size_t>(request.max_tokens));
  request.kv.block_table.reserve(max_blocks);
  if (!options_.enable_prefix_caching) return;
  request.kv.block_hashes.reserve(max_blocks);
  extend_hashes(request, request.num_tokens());
}

// ---- Finding and entering prefixes.

void KvCacheManager::extend_hashes(Request& request, int32_t num_tokens) const {
  std::vector<BlockHash>& hashes = request.kv.block_hashes;
  const std::span<const int32_t> tokens = request.token_ids;
  while ((hashes.size() + 1) * kBlockSize <= static_cast<size_t>(num_tokens)) {
    const BlockHash parent = hashes.empty() ? BlockHash() : hashes.back();
    hashes.push_back(options_.hash(parent, tokens.subspan(hashes.size() * kBlockSize, kBlockSize),
                                   request.space));
  }
}

PrefixCache::Key KvCacheManager::key(const Request& request, int32_t index,
                                     PrefixNode parent) const {
  const auto i = static_cast<size_t>(index);
  return {request.kv.block_hashes[i], parent, request.space,
          std::span(request.token_ids).subspan(i * kBlockSize, kBlockSize)};
}

PrefixHit KvCacheManager::find_prefix(Request& request) const {
  PrefixHit hit;
  if (!options_.enable_prefix_caching) return hit;
  extend_hashes(request, request.num_tokens());
  if (request.skip_reading_prefix_cache) return hit;
  PrefixNode node = 0;
  int32_t last = kNoBlock;
  while ((hit.num_blocks + 1) * kBlockSize <= request.num_tokens()) {
    const PrefixCache::Found found = cache_.find(key(request, hit.num_blocks, node));
    if (found.block == kNoBlock) break;
    if (!found.computed) {
      hit.pending_request = cache_.request(found.block);
      break;
    }
    last = found.block;
    node = found.node;
    ++hit.num_blocks;
    hit.num_unused_blocks += pool_.ref_count(last) == 0 ? 1 : 0;
  }
  hit.num_tokens = hit.num_blocks * kBlockSize;
  if (hit.num_tokens == request.num_tokens()) {
    hit.num_tokens -= 1;
    hit.num_blocks -= 1;
    hit.num_unused_blocks -= pool_.ref_count(last) == 0 ? 1 : 0;
    hit.copies_last = true;
  }
  return hit;
}

// Enters block num_entered_blocks of the request, if it is the first with its content. False: its
// place in the chain is unknown.
bool KvCacheManager::enter_next_block(Request& request, bool computed) {
  KvState& kv = request.kv;
  const int32_t index = kv.num_entered_blocks;
  const int32_t block = kv.block_table[static_cast<size_t>(index)];
  const PrefixCache::Key wanted = key(request, index, kv.node);
  if (const PrefixCache::Found found = cache_.find(wanted); found.block != kNoBlock) {
    kv.node = found.node;
  } else if (block == kNoBlock) {
    return false;
  } else if (cache_.contains(block)) {
    kv.node = cache_.node(block);  // entered by a fork, after a block that was evicted since
  } else {
    kv.node = cache_.insert(block, wanted, request.id, computed);
    if (computed) trace_(EventKind::kBlockCached, request.id, {block, index});
  }
  ++kv.num_entered_blocks;
  return true;
}

void KvCacheManager::on_computed(Request& request, int32_t num_before) {
  KvState& kv = request.kv;
  if (options_.enable_prefix_caching) {
    const int32_t num_full = request.num_computed_tokens / kBlockSize;
    extend_hashes(request, request.num_computed_tokens);
    for (int32_t i = num_before / kBlockSize; i < std::min(num_full, kv.num_entered_blocks); ++i) {
      const int32_t block = kv.block_table[static_cast<size_t>(i)];
      if (!cache_.contains(block) || cache_.computed(block)) continue;
      cache_.set_computed(block);
      trace_(EventKind::kBlockCached, request.id, {block, i});
    }
    while (kv.num_entered_blocks < num_full && enter_next_block(request, true)) {
    }
  }
  if (options_.sliding_window > 0) leave_window(request);
}

// The next token, at position num_computed_tokens, sees positions beyond that − sliding_window.
void KvCacheManager::leave_window(Request& request) {
  KvState& kv = request.kv;
  const int32_t first_seen = std::max(0, request.num_computed_tokens - options_.sliding_window + 1);
  for (; kv.num_left_blocks < first_seen / kBlockSize; ++kv.num_left_blocks) {
    int32_t& block = kv.block_table[static_cast<size_t>(kv.num_left_blocks)];
    release(request, std::exchange(block, kNoBlock));
  }
}

// ---- Giving out and taking back.

int32_t KvCacheManager::take(const Request& request, int32_t index) {
  const int32_t block = pool_.take();
  if (cache_.contains(block)) {
    cache_.erase(block);
    trace_(EventKind::kBlockEvicted, request.id, {block});
  }
  trace_(EventKind::kBlockTaken, request.id, {block, index});
  return block;
}

void KvCacheManager::take_piece(Request& request) {
  const int32_t piece = pool_.take();
  for (int32_t i = 0; i < unit_; ++i) {
    request.kv.block_table.push_back(piece * unit_ + i);
    trace_(EventKind::kBlockTaken, request.id, {piece * unit_ + i, i});
  }
}

void KvCacheManager::release(const Request& request, int32_t block) {
  if (block == kNoBlock) return;
  // What a request was going to compute, nobody need wait for any more.
  if (cache_.contains(block) && !cache_.computed(block) && cache_.request(block) == request.id) {
    cache_.erase(block);
  }
  const bool cached = cache_.contains(block);
  pool_.release(block, cached);
  trace_(EventKind::kBlockFreed, request.id, {block, pool_.ref_count(block), cached ? 1 : 0});
}

void KvCacheManager::append_blocks(Request& request, int32_t num_tokens) {
  std::vector<int32_t>& table = request.kv.block_table;
  if (options_.reservation == KvReservation::kContiguous) {
    if (table.empty()) take_piece(request);
    return;
  }
  while (static_cast<int32_t>(table.size()) < blocks_for(num_tokens)) {
    table.push_back(take(request, static_cast<int32_t>(table.size())));
  }
}

int32_t KvCacheManager::blocks_to_admit(const PrefixHit& hit, int32_t num_tokens) const {
  return blocks_to_hold(num_tokens) - hit.num_blocks + hit.num_unused_blocks;
}

void KvCacheManager::admit(Request& request, const PrefixHit& hit, int32_t num_tokens) {
  KvState& kv = request.kv;
  CHECK(kv.block_table.empty() && hit.pending_request == 0) << "request " << request.id;
  for (int32_t i = 0; i < hit.num_blocks; ++i) {
    const PrefixCache::Found found = cache_.find(key(request, i, kv.node));
    pool_.retain(found.block);
    kv.block_table.push_back(found.block);
    kv.node = found.node;
    trace_(EventKind::kBlockShared, request.id, {found.block, i, pool_.ref_count(found.block)});
  }
  kv.num_entered_blocks = hit.num_blocks;
  if (hit.copies_last) {
    // The block taken may be the very one to copy, if nothing else is free.
    const PrefixCache::Found found = cache_.find(key(request, hit.num_blocks, kv.node));
    kv.block_table.push_back(take(request, hit.num_blocks));
    plan_copy(request, found.block, hit.num_blocks);
    kv.node = found.node;
    ++kv.num_entered_blocks;
  }
  request.num_computed_tokens = hit.num_tokens;
  append_blocks(request, num_tokens);
  if (!options_.enable_prefix_caching) return;
  while ((kv.num_entered_blocks + 1) * kBlockSize <= request.num_tokens()) {
    enter_next_block(request, false);
  }
}

// ---- Writing, sharing.

bool KvCacheManager::must_copy(int32_t block) const {
  const int32_t b = pool_block(block);
  return pool_.ref_count(b) > 1 || (cache_.contains(b) && cache_.computed(b));
}

int32_t KvCacheManager::blocks_to_allocate(const Request& request, int32_t num_tokens) const {
  if (options_.reservation == KvReservation::kContiguous) return 0;
  const std::vector<int32_t>& table = request.kv.block_table;
  const auto written = static_cast<size_t>(request.num_computed_tokens / kBlockSize);
  const bool copies = written < table.size() && must_copy(table[written]);
  return std::max(0, blocks_for(num_tokens) - static_cast<int32_t>(table.size())) +
         (copies ? 1 : 0);
}

bool KvCacheManager::allocate(Request& request, int32_t num_tokens) {
  if (blocks_to_allocate(request, num_tokens) > pool_.num_free()) return false;
  const int32_t written = request.num_computed_tokens / kBlockSize;
  if (written < static_cast<int32_t>(request.kv.block_table.size())) {
    const int32_t block = request.kv.block_table[static_cast<size_t>(written)];
    if (options_.fault != Fault::kWritesShared && must_copy(block)) copy_block(request, written);
  }
  append_blocks(request, num_tokens);
  return true;
}

void KvCacheManager::copy_block(Request& request, int32_t index) {
  int32_t& entry = request.kv.block_table[static_cast<size_t>(index)];
  const int32_t from = std::exchange(entry, take(request, index));
  plan_copy(request, from, index);
  release(request, from);
}

// The block copied from may be taken again in the same step, even before the copy is made: copies
// are made in order, and before anything else is written.
void KvCacheManager::plan_copy(const Request& request, int32_t from, int32_t index) {
  const int32_t to = request.kv.block_table[static_cast<size_t>(index)];
  if (from == to) return;
  if (options_.fault != Fault::kForgetsCopy) copies_.push_back({from, to});
  trace_(EventKind::kBlockCopied, request.id, {from, to, index});
}

bool KvCacheManager::fork(const Request& parent, Request& child, int32_t num_tokens) {
  CHECK(child.kv.block_table.empty() && num_tokens <= parent.num_computed_tokens);
  const int32_t num_blocks = blocks_for(num_tokens);
  if (options_.reservation == KvReservation::kContiguous) {
    if (pool_.num_free() == 0) return false;
    take_piece(child);
    for (int32_t i = 0; i < num_blocks; ++i) {
      const auto b = static_cast<size_t>(i);
      copies_.push_back({parent.kv.block_table[b], child.kv.block_table[b]});
    }
  } else {
    for (int32_t i = 0; i < num_blocks; ++i) {
      const int32_t block = parent.kv.block_table[static_cast<size_t>(i)];
      child.kv.block_table.push_back(block);
      if (block == kNoBlock) continue;
      pool_.retain(block);
      trace_(EventKind::kBlockShared, child.id, {block, i, pool_.ref_count(block)});
    }
    child.kv.num_left_blocks = parent.kv.num_left_blocks;
  }
  child.num_computed_tokens = num_tokens;
  trace_(EventKind::kForked, child.id, {static_cast<int32_t>(parent.id), num_tokens, num_blocks});
  return true;
}

void KvCacheManager::free(Request& request) {
  KvState& kv = request.kv;
  if (options_.reservation == KvReservation::kContiguous) {
    if (!kv.block_table.empty()) pool_.release(pool_block(kv.block_table.front()), false);
    for (const int32_t block : kv.block_table) {
      trace_(EventKind::kBlockFreed, request.id, {block, 0, 0});
    }
  } else {
    for (size_t i = kv.block_table.size(); i-- > 0;) release(request, kv.block_table[i]);
  }
  kv.block_table.clear();
  kv.num_entered_blocks = kv.num_left_blocks = 0;
  kv.node = 0;
  request.num_computed_tokens = 0;
}

KvCacheManager::Exclusive KvCacheManager::exclusive(const Request& request) const {
  Exclusive result;
  int32_t num_shared = 0;  // blocks at the beginning
  for (const int32_t block : request.kv.block_table) {
    const bool shared = block == kNoBlock || pool_.ref_count(pool_block(block)) > 1;
    if (!shared) ++result.num_blocks;
    if (result.num_blocks == 0) ++num_shared;
  }
  result.num_tokens = std::max(0, request.num_computed_tokens - num_shared * kBlockSize);
  return result;
}

Status KvCacheManager::check_integrity() const {
  RETURN_IF_ERROR(pool_.check_integrity());
  RETURN_IF_ERROR(cache_.check_integrity());
  int32_t num_cached = 0;
  for (int32_t block = 0; block < pool_.num_blocks(); ++block) {
    if (pool_.ref_count(block) > 0 || !cache_.contains(block)) continue;
    ++num_cached;
    if (!cache_.computed(block)) {
      return {StatusCode::kInternal, fmt::format("block {} is pending, but nobody's", block)};
    }
  }
  if (num_cached != pool_.num_cached()) {
    return {StatusCode::kInternal, fmt::format("cached blocks without users: expected {}, got {}",
                                               pool_.num_cached(), num_cached)};
  }
  return {};
}

}  // namespace orrery::engine
