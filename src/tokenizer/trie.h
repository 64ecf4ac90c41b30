// A read-only trie over byte strings, as arrays: the children of a node lie side by side, sorted.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace orrery::tokenizer {

class Trie {
 public:
  using Entry = std::pair<std::string_view, int32_t>;  // key, value >= 0

  Trie() { root_.fill(kNone); }
  // Of equal keys the first stays. Empty keys are ignored. The keys are not kept.
  explicit Trie(std::vector<Entry> entries);

  bool empty() const { return labels_.empty(); }
  bool begins(char byte) const { return root_[static_cast<uint8_t>(byte)] != kNone; }

  // Calls visit(length, value) for each key that `text` begins with, shortest first.
  template <typename Visit>
  void for_each_prefix(std::string_view text, const Visit& visit) const {
    if (text.empty()) return;
    uint32_t node = root_[static_cast<uint8_t>(text[0])];
    for (size_t length = 1; node != kNone; ++length) {
      if (values_[node] >= 0) visit(length, values_[node]);
      if (length == text.size()) return;
      node = child(node, static_cast<uint8_t>(text[length]));
    }
  }
  // The longest key that `text` begins with: length and value; length 0 if there is none.
  std::pair<size_t, int32_t> longest_prefix(std::string_view text) const {
    std::pair<size_t, int32_t> best{0, -1};
    for_each_prefix(text, [&](size_t length, int32_t value) { best = {length, value}; });
    return best;
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  uint32_t child(uint32_t node, uint8_t label) const {
    const auto begin = labels_.begin() + first_child_[node];
    const auto end = labels_.begin() + first_child_[node + 1];
    const auto found =
        end - begin <= 8 ? std::find(begin, end, label) : std::lower_bound(begin, end, label);
    if (found == end || *found != label) return kNone;
    return static_cast<uint32_t>(found - labels_.begin());
  }

  // Node i is reached by labels_[i]; its children are [first_child_[i], first_child_[i + 1]).
  std::vector<uint8_t> labels_;
  std::vector<int32_t> values_;
  std::vector<uint32_t> first_child_;
  std::array<uint32_t, 256> root_;
};

}  // namespace orrery::tokenizer
