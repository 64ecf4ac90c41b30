// PrefixCache: finds the block that holds given tokens after a given prefix.
//
// A block is entered under its chained hash when a request begins to fill it (pending) or has
// filled it (computed). A find compares everything that the hash stands for: the tokens, the space,
// and the entry of the block before, which has a number that is never used again. So whatever the
// hash function, a found block holds exactly the keys and values asked for. Entries that follow an
// evicted one are unreachable until they are evicted too; blocks are freed last first, so that this
// is rare. Finding, entering and erasing are O(1) and allocate nothing. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "engine/block_hash.h"
#include "engine/block_pool.h"
#include "engine/fault.h"

namespace orrery::engine {

inline constexpr int32_t kBlockSize = 16;  // tokens; kernels::KvCache::kBlockSize

// Number of an entry; 0: none, the start of a sequence.
using PrefixNode = uint64_t;

class PrefixCache {
 public:
  struct Key {
    BlockHash hash;
    PrefixNode parent = 0;
    PrefixSpace space;
    std::span<const int32_t> tokens;  // [kBlockSize]
  };
  struct Found {
    int32_t block = kNoBlock;
    PrefixNode node = 0;
    bool computed = false;
  };

  explicit PrefixCache(int32_t num_blocks, Fault fault = Fault::kNone);

  Found find(const Key& key) const;  // block kNoBlock if there is none
  // The key must not be in the cache, the block not hold another entry.
  PrefixNode insert(int32_t block, const Key& key, uint32_t request, bool computed);
  void set_computed(int32_t block) { at(block).computed = true; }
  void erase(int32_t block);

  bool contains(int32_t block) const { return at(block).node != 0; }
  // Of a block in the cache: whether it holds its content yet, its entry, and who entered it.
  bool computed(int32_t block) const { return at(block).computed; }
  PrefixNode node(int32_t block) const { return at(block).node; }
  uint32_t request(int32_t block) const { return at(block).request; }

  // Errors: kInternal.
  Status check_integrity() const;

 private:
  struct Entry {
    PrefixNode node = 0;  // 0: the block is not in the cache
    PrefixNode parent = 0;
    BlockHash hash;
    PrefixSpace space;
    int32_t next = kNoBlock;  // in the bucket
    uint32_t request = 0;
    bool computed = false;
    std::array<int32_t, kBlockSize> tokens = {};
  };

  const Entry& at(int32_t block) const { return entries_[static_cast<size_t>(block)]; }
  Entry& at(int32_t block) { return entries_[static_cast<size_t>(block)]; }
  size_t bucket(const BlockHash& hash) const { return hash.low & (buckets_.size() - 1); }
  bool equal(const Entry& entry, const Key& key) const;

  std::vector<Entry> entries_;    // [num_blocks]
  std::vector<int32_t> buckets_;  // first block of each chain
  PrefixNode last_node_ = 0;
  Fault fault_;
};

}  // namespace orrery::engine
