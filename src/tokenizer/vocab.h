// Token strings by id, and ids by string: one arena, one open-addressing table.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tokenizer/tokenizer.h"

namespace orrery::tokenizer {

// Real vocabularies stay below 2^20; gaps (ids without a token) come from added tokens whose ids
// begin at a round number.
inline constexpr int64_t kMaxTokenId = (1 << 24) - 1;
inline constexpr int64_t kMaxGaps = 1 << 16;

// 64-bit hash of a byte string: 8 bytes a step through a 64x64->128 multiplication.
inline uint64_t hash_bytes(std::string_view text) {
  constexpr uint64_t kFirst = 0x9E3779B97F4A7C15u;
  constexpr uint64_t kSecond = 0xE7037ED1A0B428DBu;
  const auto mix = [](uint64_t a, uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  uint64_t hash = kFirst ^ text.size();
  const char* data = text.data();
  size_t left = text.size();
  for (; left >= 8; data += 8, left -= 8) {
    uint64_t word = 0;
    std::memcpy(&word, data, 8);
    hash = mix(hash ^ word, kSecond);
  }
  uint64_t word = 0;
  if (left != 0) std::memcpy(&word, data, left);
  return mix(hash ^ word, kSecond + left);
}

// Strings to ids. Strings are views that the owner keeps alive.
class StringTable {
 public:
  void reserve(size_t count);
  // A string that is there already keeps its id; false then.
  bool insert(std::string_view key, TokenId id);
  void assign(std::string_view key, TokenId id);  // replaces the id of a string that is there
  std::optional<TokenId> find(std::string_view key) const {
    const Slot* slot = locate(key, hash_bytes(key));
    if (slot == nullptr || slot->data == nullptr) return std::nullopt;
    return slot->id;
  }
  size_t size() const { return size_; }

 private:
  struct Slot {
    const char* data = nullptr;
    uint32_t size = 0;
    TokenId id = 0;
  };
  // The slot of `key`, or the empty one where it belongs; nullptr if the table has no slots.
  const Slot* locate(std::string_view key, uint64_t hash) const {
    if (slots_.empty()) return nullptr;
    for (size_t i = hash & mask_;; i = (i + 1) & mask_) {
      const Slot& slot = slots_[i];
      if (slot.data == nullptr) return &slot;
      if (slot.size == key.size() && std::memcmp(slot.data, key.data(), key.size()) == 0) {
        return &slot;
      }
    }
  }
  void grow(size_t slots);

  std::vector<Slot> slots_;
  size_t mask_ = 0;
  size_t size_ = 0;
};

// Token strings by id and ids by string. Strings never move once added. Not thread-safe while it
// grows, immutable after.
class Vocab {
 public:
  // `capacity_bytes` bounds the bytes of all strings added later; untouched memory costs nothing.
  void reserve(size_t tokens, size_t capacity_bytes);
  // Of equal strings the last added is found, as in a JSON object. Errors: kMalformed for an id
  // outside [0, kMaxTokenId], one that has another string already, or one so high that the tokens
  // cannot fill the ids below it.
  Status add(std::string_view token, int64_t id, std::string_view where);
  // Errors: kMalformed if more than kMaxGaps ids have no token. Call when all are added.
  Status check_gaps(std::string_view where) const;

  int64_t size() const { return static_cast<int64_t>(spans_.size()); }
  int64_t count() const { return count_; }  // ids that have a token
  bool has(int64_t id) const {
    return id >= 0 && id < size() && spans_[static_cast<size_t>(id)].data() != nullptr;
  }
  std::string_view token(int64_t id) const {
    return has(id) ? spans_[static_cast<size_t>(id)] : std::string_view();
  }
  std::optional<TokenId> find(std::string_view token) const { return table_.find(token); }

 private:
  std::unique_ptr<char[]> arena_;
  size_t capacity_ = 0;
  size_t used_ = 0;
  std::vector<std::string_view> spans_;  // data() is nullptr for an id without a token
  int64_t count_ = 0;
  size_t expected_ = 0;
  StringTable table_;
};

// The table (left id, right id) -> (rank, id of the merged token) of BPE.
class MergeTable {
 public:
  struct Merge {
    uint32_t rank = UINT32_MAX;  // UINT32_MAX: the pair does not merge
    TokenId id = 0;
  };
  void reserve(size_t count);
  void assign(TokenId left, TokenId right, Merge merge);  // the last assignment wins
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
  void grow(size_t slots);

  std::vector<Slot> slots_;
  size_t mask_ = 0;
  int shift_ = 63;
  size_t size_ = 0;
};

}  // namespace orrery::tokenizer
