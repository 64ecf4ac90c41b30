// A direct-mapped cache of the ids of short words, one per thread, shared by all tokenizers. Losing
// an entry costs only time, so a collision simply replaces.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/vocab.h"

namespace orrery::tokenizer {

class WordCache {
 public:
  static constexpr size_t kMaxBytes = 22;
  static constexpr size_t kMaxIds = 8;

  // This thread's.
  static WordCache& of_thread() {
    thread_local WordCache cache;
    return cache;
  }

  // `owner` tells tokenizers apart and is never 0. word.size() <= kMaxBytes.
  bool find(uint64_t owner, uint64_t hash, std::string_view word, std::vector<TokenId>& out) const {
    const Slot& slot = slots_[hash & (kSlots - 1)];
    if (slot.owner != owner || slot.size != word.size() ||
        std::memcmp(slot.word, word.data(), word.size()) != 0) {
      return false;
    }
    if (slot.num_ids == 1) {
      out.push_back(slot.ids[0]);
    } else {
      out.insert(out.end(), slot.ids, slot.ids + slot.num_ids);
    }
    return true;
  }
  void store(uint64_t owner, uint64_t hash, std::string_view word, std::span<const TokenId> ids) {
    if (ids.size() > kMaxIds) return;
    Slot& slot = slots_[hash & (kSlots - 1)];
    slot.owner = owner;
    slot.size = static_cast<uint8_t>(word.size());
    slot.num_ids = static_cast<uint8_t>(ids.size());
    std::memcpy(slot.word, word.data(), word.size());
    for (size_t i = 0; i < ids.size(); ++i) slot.ids[i] = ids[i];
  }

 private:
  static constexpr size_t kSlots = 8192;  // 64 bytes each: one cache line
  struct alignas(64) Slot {
    uint64_t owner = 0;
    uint8_t size = 0;
    uint8_t num_ids = 0;
    char word[kMaxBytes] = {};
    TokenId ids[kMaxIds] = {};
  };
  static_assert(sizeof(Slot) == 64);
  std::unique_ptr<Slot[]> slots_ = std::make_unique<Slot[]>(kSlots);
};

}  // namespace orrery::tokenizer
