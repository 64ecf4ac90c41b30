// KvCacheManager: the block table of each request.
//
// Gives out blocks, shares those whose content is already computed, copies a shared block before it
// is written, takes all back. Blocks of 16 tokens by reference count (arXiv:2309.06180); a block
// that others can find is never written again, so a request whose whole prompt is cached gets its
// last block as a copy and computes one token. One thread. Requests must be freed before the
// manager is destroyed; copies() must be carried out before the next step writes.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "engine/block_pool.h"
#include "engine/prefix_cache.h"
#include "engine/request.h"
#include "engine/step_plan.h"
#include "trace/trace_writer.h"

namespace orrery::engine {

enum class KvReservation : uint8_t {
  kPaged,       // blocks as tokens come
  kContiguous,  // max_model_len at once and in one piece, to measure what paging is worth
};

struct KvCacheOptions {
  int32_t num_blocks = 0;
  int32_t max_model_len = 0;
  KvReservation reservation = KvReservation::kPaged;
  bool enable_prefix_caching = true;  // must be off for kContiguous
  int32_t sliding_window = 0;         // tokens that every layer sees at most; 0: all
  BlockHashFunction hash = xxh3_128;
  Fault fault = Fault::kNone;
};

// How much of a request is in the cache.
struct PrefixHit {
  int32_t num_tokens = 0;         // at most num_tokens() − 1: the last one's logits are needed
  int32_t num_blocks = 0;         // to share
  int32_t num_unused_blocks = 0;  // of these, those that are on the free list now
  bool copies_last = false;       // and one more block, whose last token is computed again
  uint32_t pending_request = 0;   // who is computing the block after these; 0: nobody
};

struct KvUsage {
  int32_t total = 0;   // blocks; used + cached + free
  int32_t used = 0;    // by requests
  int32_t cached = 0;  // by nobody, but their content can be found
  int32_t free = 0;
};

constexpr int32_t blocks_for(int32_t num_tokens) {
  return (num_tokens + kBlockSize - 1) / kBlockSize;
}

class KvCacheManager {
 public:
  // The tracer must outlive it. Options are those that Scheduler::create has validated.
  KvCacheManager(const KvCacheOptions& options, trace::Tracer& trace);

  // Blocks that num_tokens of one request take, all in all.
  int32_t blocks_to_hold(int32_t num_tokens) const;
  KvUsage usage() const;
  int32_t num_free_blocks() const { return pool_.num_free() * unit_; }

  // Makes room for what is known of the request, and hashes its full blocks. Call once for a new
  // one.
  void prepare(Request& request) const;

  // What of the request, which holds no blocks, is in the cache.
  PrefixHit find_prefix(Request& request) const;
  // Blocks that admit() takes off the free list.
  int32_t blocks_to_admit(const PrefixHit& hit, int32_t num_tokens) const;
  // Gives a request without blocks the hit's, and new ones up to `num_tokens` tokens. The hit must
  // be fresh and nobody compute its continuation; there must be enough free blocks. Sets
  // num_computed_tokens to the hit's. Others will find the request's full blocks pending.
  void admit(Request& request, const PrefixHit& hit, int32_t num_tokens);

  // Makes sure that tokens num_computed_tokens .. num_tokens − 1 can be written. False, and nothing
  // changes, if there are too few free blocks.
  bool allocate(Request& request, int32_t num_tokens);
  int32_t blocks_to_allocate(const Request& request, int32_t num_tokens) const;

  // Shares the first `num_tokens` tokens of the parent, which are computed, with a child that holds
  // no blocks. False, and nothing changes, if blocks are missing (kContiguous only).
  bool fork(const Request& parent, Request& child, int32_t num_tokens);

  // After num_computed_tokens has grown from `num_before`: others can find the blocks that became
  // full; those that the sliding window has left are freed.
  void on_computed(Request& request, int32_t num_before);

  // Takes all blocks back, last first, so that the end of a prefix is evicted before its beginning.
  void free(Request& request);

  // What nobody else holds of a request: tokens that a preemption has to recompute, blocks that it
  // gains.
  struct Exclusive {
    int32_t num_tokens = 0;
    int32_t num_blocks = 0;
  };
  Exclusive exclusive(const Request& request) const;

  // Copies planned since clear_copies().
  const std::vector<BlockCopy>& copies() const { return copies_; }
  void clear_copies() { copies_.clear(); }

  // The pool's number for a block of a table.
  int32_t pool_block(int32_t block) const { return block / unit_; }
  // Whether a write to the block would reach someone else.
  bool must_copy(int32_t block) const;
  const BlockPool& pool() const { return pool_; }
  // Pool and cache in themselves and against each other. Errors: kInternal.
  Status check_integrity() const;

 private:
  int32_t take(const Request& request, int32_t index);
  void take_piece(Request& request);
  void release(const Request& request, int32_t block);
  void copy_block(Request& request, int32_t index);
  void plan_copy(const Request& request, int32_t from, int32_t index);
  void append_blocks(Request& request, int32_t num_tokens);
  PrefixCache::Key key(const Request& request, int32_t index, PrefixNode parent) const;
  void extend_hashes(Request& request, int32_t num_tokens) const;
  bool enter_next_block(Request& request, bool computed);
  void leave_window(Request& request);

  KvCacheOptions options_;
  int32_t unit_;  // blocks that the pool hands out at once: 1, or a whole kContiguous piece
  trace::Tracer& trace_;
  BlockPool pool_;
  PrefixCache cache_;
  std::vector<BlockCopy> copies_;
};

}  // namespace orrery::engine
