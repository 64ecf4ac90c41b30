#include "tokenizer/trie.h"

namespace orrery::tokenizer {

// Breadth first: a level's nodes are the distinct next bytes of the ranges of sorted keys that the
// level above has left, so that siblings come out side by side and in order.
Trie::Trie(std::vector<Entry> entries) {
  root_.fill(kNone);
  std::erase_if(entries, [](const Entry& entry) { return entry.first.empty(); });
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.first < b.first; });
  struct Range {
    size_t begin, end, depth;
  };
  std::vector<Range> ranges;  // of node i
  const auto add_children = [&](Range range) {
    for (size_t i = range.begin; i < range.end;) {
      const auto label = static_cast<uint8_t>(entries[i].first[range.depth]);
      size_t end = i;
      while (end < range.end && static_cast<uint8_t>(entries[end].first[range.depth]) == label) {
        ++end;
      }
      Range rest{i, end, range.depth + 1};
      int32_t value = -1;
      while (rest.begin < rest.end && entries[rest.begin].first.size() == rest.depth) {
        if (value < 0) value = entries[rest.begin].second;
        ++rest.begin;
      }
      labels_.push_back(label);
      values_.push_back(value);
      ranges.push_back(rest);
      i = end;
    }
  };
  add_children({0, entries.size(), 0});
  for (uint32_t i = 0; i < labels_.size(); ++i) root_[labels_[i]] = i;
  for (size_t i = 0; i < labels_.size(); ++i) {
    first_child_.push_back(static_cast<uint32_t>(labels_.size()));
    add_children(ranges[i]);
  }
  first_child_.push_back(static_cast<uint32_t>(labels_.size()));
}

}  // namespace orrery::tokenizer
