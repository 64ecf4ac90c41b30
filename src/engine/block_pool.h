// BlockPool: which KV blocks are in use, by how many, and which is given out next.
//
// A block without users stands in the free list: in front those that hold nothing of value, then
// those whose content others may still find (cached), the least recently freed first. Taking the
// front therefore evicts least recently used content, and only when no worthless block is left. All
// operations are O(1) and allocate nothing. One thread. (arXiv:2309.06180)
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "engine/fault.h"

namespace orrery::engine {

inline constexpr int32_t kNoBlock = -1;

class BlockPool {
 public:
  explicit BlockPool(int32_t num_blocks, Fault fault = Fault::kNone);

  int32_t num_blocks() const { return static_cast<int32_t>(blocks_.size()) - 1; }
  int32_t num_free() const { return num_free_; }      // without users, cached or not
  int32_t num_cached() const { return num_cached_; }  // of the free ones, those with content
  int32_t num_used() const { return num_blocks() - num_free_; }
  int32_t ref_count(int32_t block) const { return at(block).ref_count; }

  // The front of the free list, for one user. Its content is lost: whoever knew it must forget it.
  // There must be a free block.
  int32_t take();
  // One more user; a free block leaves the list with its content.
  void retain(int32_t block);
  // One user less. The last one puts the block on the free list: at the back if its content is
  // `cached`, at the front if not.
  void release(int32_t block, bool cached);

  // Follows every link. Errors: kInternal, the first thing that does not add up.
  Status check_integrity() const;

 private:
  static constexpr int32_t kUnlinked = -2;
  struct Block {
    int32_t ref_count = 0;
    int32_t prev = kUnlinked;
    int32_t next = kUnlinked;
    bool cached = false;
  };

  int32_t sentinel() const { return num_blocks(); }
  const Block& at(int32_t block) const { return blocks_[static_cast<size_t>(block)]; }
  Block& at(int32_t block) { return blocks_[static_cast<size_t>(block)]; }
  void link_between(int32_t prev, int32_t block, int32_t next);
  void unlink(int32_t block);
  bool fault_strikes(Fault fault);

  std::vector<Block> blocks_;  // and the sentinel of the circular free list
  int32_t num_free_ = 0;
  int32_t num_cached_ = 0;
  Fault fault_;
  int64_t num_fault_chances_ = 0;
};

}  // namespace orrery::engine
