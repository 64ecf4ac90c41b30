// The merges of byte pair encoding as a table, and how a file's list of them gets there.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/huge_pages.h"
#include "tokenizer/vocab.h"

namespace orrery::tokenizer {

// The table (left id, right id) -> (rank, id of the merged token) of BPE.
class MergeTable {
 public:
  struct Merge {
    uint32_t rank = UINT32_MAX;  // UINT32_MAX: the pair does not merge
    TokenId id = 0;
  };
  struct Entry {
    TokenId left = -1, right = -1;
    Merge merge;
  };
  void reserve(size_t count);
  void assign(std::span<const Entry> entries);  // of a pair's ranks the highest wins
  Merge find(TokenId left, TokenId right) const {
    if (slots_.empty()) return {};
    const uint64_t key = key_of(left, right);
    for (size_t i = hash(key);; i = (i + 1) & mask_) {
      if (slots_[i].key == key) return slots_[i].merge;
      if (slots_[i].key == kEmpty) return {};
    }
  }
  size_t size() const { return size_; }

 private:
  static constexpr uint64_t kEmpty = UINT64_MAX;  // no pair: ids are not negative
  struct Slot {
    uint64_t key = kEmpty;
    Merge merge;
  };
  static uint64_t key_of(TokenId left, TokenId right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  size_t hash(uint64_t key) const { return (key * 0x9E3779B97F4A7C15u) >> shift_; }
  // The slot of `key`, or the empty one where it belongs.
  Slot& locate(uint64_t key);
  void grow(size_t slots);

  std::vector<Slot, HugePageAllocator<Slot>> slots_;
  size_t mask_ = 0;
  int shift_ = 63;
  size_t size_ = 0;
};

// Finds the ids of merges that a file writes as two tokens each, many at a time.
class MergeReader {
 public:
  // Where a right token begins with a prefix that marks the middle of words, the merged token lacks
  // its first `prefix_size` bytes.
  explicit MergeReader(const Vocab& vocab, size_t prefix_size = 0)
      : vocab_(vocab), prefix_size_(prefix_size) {}

  struct Pair {
    std::string_view left, right;
  };
  // Sets the ids of entries[i] to those of pairs[i]; `left` stays -1 if one of the two, or what
  // they merge into, is no token.
  void find(std::span<const Pair> pairs, std::span<MergeTable::Entry> entries);

 private:
  TokenId merged_id(const Pair& pair);

  const Vocab& vocab_;
  size_t prefix_size_;
  TokenId last_ = -1;
  std::string merged_;
};

// An empty table with room for `count` merges. Where that is worth a thread, another one makes it:
// 8 MiB, of 280,000 merges, take up to 10 ms to be cleared.
std::future<MergeTable> begin_merge_table(size_t count);

// Sets all of the merges from the `first` of a file's list on but their ranks. Errors: its own.
using FindMerges =
    std::function<Status(size_t first, MergeReader& reader, std::span<MergeTable::Entry> merges)>;

// Puts the `count` merges of a file's list, whose rank is their place in it, into the table, and
// calls `beside` once. Where that is worth a thread, another one does so and then finds merges too,
// so that `find` is called on both. Errors: that of `find` for the lowest rank.
Status read_merges(size_t count, const MergeReader& reader, const FindMerges& find,
                   MergeTable& merges, const std::function<void()>& beside);

}  // namespace orrery::tokenizer
