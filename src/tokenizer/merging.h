// The merging loop of byte pair encoding: of all neighbours the pair with the lowest rank merges,
// the leftmost of equals first, until none can.
//
// Up to 24 symbols by scanning (O(n^2), no allocation beyond the scratch), more by a heap over a
// linked list: O(n log n), so that a megabyte without a space costs what prose costs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tokenizer/merges.h"

namespace orrery::tokenizer {

struct Symbol {
  uint32_t begin = 0, size = 0;  // bytes of the word; size 0: merged into its left neighbour
  TokenId id = 0;                // -1: no token
  bool frozen = false;           // never merges
};

class Merger {
 public:
  std::vector<Symbol>& symbols() { return symbols_; }

  // `pair(left, right)` gives the MergeTable::Merge of two symbols. Afterwards symbols() holds the
  // result.
  template <typename Pair>
  void run(const Pair& pair) {
    if (symbols_.size() < 2) return;
    if (symbols_.size() <= 24) {
      scan(pair);
    } else {
      heap(pair);
    }
  }

 private:
  struct Entry {
    uint64_t key;    // rank << 32 | index of the left symbol
    uint32_t bytes;  // of both: tells whether the pair still stands
    TokenId id;
    bool operator<(const Entry& other) const { return key > other.key; }  // for a min-heap
  };

  static void join(Symbol& left, const Symbol& right, TokenId id) {
    left.size += right.size;
    left.id = id;
  }

  template <typename Pair>
  void scan(const Pair& pair) {
    ranks_.resize(symbols_.size());
    const auto rank = [&](size_t i) -> MergeTable::Merge {
      return i + 1 < symbols_.size() ? pair(symbols_[i], symbols_[i + 1]) : MergeTable::Merge{};
    };
    for (size_t i = 0; i < symbols_.size(); ++i) ranks_[i] = rank(i);
    while (true) {
      const auto best = std::min_element(
          ranks_.begin(), ranks_.end(),
          [](const MergeTable::Merge& a, const MergeTable::Merge& b) { return a.rank < b.rank; });
      if (best->rank == UINT32_MAX) return;
      const auto i = best - ranks_.begin();
      join(symbols_[i], symbols_[i + 1], best->id);
      symbols_.erase(symbols_.begin() + i + 1);
      ranks_.erase(ranks_.begin() + i + 1);
      if (i > 0) ranks_[i - 1] = rank(i - 1);
      ranks_[i] = rank(i);
      if (ranks_.size() < 2) return;
    }
  }

  template <typename Pair>
  void heap(const Pair& pair) {
    const auto n = static_cast<uint32_t>(symbols_.size());
    next_.resize(n);
    previous_.resize(n);
    for (uint32_t i = 0; i < n; ++i) {
      next_[i] = i + 1;
      previous_[i] = i - 1;  // of the first: never followed
    }
    heap_.clear();
    const auto entry = [&](uint32_t left, Entry& out) {
      const Symbol& a = symbols_[left];
      const Symbol& b = symbols_[next_[left]];
      const MergeTable::Merge merge = pair(a, b);
      out = {static_cast<uint64_t>(merge.rank) << 32 | left, a.size + b.size, merge.id};
      return merge.rank != UINT32_MAX;
    };
    Entry candidate{};
    for (uint32_t i = 0; i + 1 < n; ++i) {
      if (entry(i, candidate)) heap_.push_back(candidate);
    }
    std::make_heap(heap_.begin(), heap_.end());
    const auto push = [&](uint32_t left) {
      if (!entry(left, candidate)) return;
      heap_.push_back(candidate);
      std::push_heap(heap_.begin(), heap_.end());
    };
    while (!heap_.empty()) {
      const Entry top = heap_.front();
      std::pop_heap(heap_.begin(), heap_.end());
      heap_.pop_back();
      const auto left = static_cast<uint32_t>(top.key);
      const uint32_t right = next_[left];
      // Symbols only grow, so equal bytes mean that neither has changed.
      if (symbols_[left].size == 0 || right >= n ||
          symbols_[left].size + symbols_[right].size != top.bytes) {
        continue;
      }
      join(symbols_[left], symbols_[right], top.id);
      symbols_[right].size = 0;
      next_[left] = next_[right];
      if (next_[left] < n) previous_[next_[left]] = left;
      if (left > 0) push(previous_[left]);
      if (next_[left] < n) push(left);
    }
    std::erase_if(symbols_, [](const Symbol& symbol) { return symbol.size == 0; });
  }

  std::vector<Symbol> symbols_;
  std::vector<MergeTable::Merge> ranks_;
  std::vector<uint32_t> next_, previous_;
  std::vector<Entry> heap_;
};

}  // namespace orrery::tokenizer
