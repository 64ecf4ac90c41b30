// Token strings by id, and ids by string: one arena, one open-addressing table.
//
// Tables of a real vocabulary do not fit the cache: a look-up waits for memory. Who has many to do
// hands them over together, and they wait side by side (kLookups).
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/huge_pages.h"
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

// How many look-ups are under way at once; a core of today waits for 10 to 50 lines of memory.
inline constexpr size_t kLookups = 32;

struct TokenText {
  std::string_view text;
  int64_t id = 0;
};

// Strings to ids. Strings are views that the owner keeps alive; those of up to 8 bytes lie in the
// table itself.
class StringTable {
 public:
  void reserve(size_t count);
  // The last id that a string got wins. Ids are in [0, kMaxTokenId].
  void assign(std::string_view key, TokenId id);
  void assign(std::span<const TokenText> tokens);
  std::optional<TokenId> find(std::string_view key) const {
    if (slots_.empty()) return std::nullopt;
    const Slot& slot = slots_[locate(key, hash_bytes(key))];
    if (slot.empty()) return std::nullopt;
    return slot.id();
  }
  // The id of each key; -1 where there is none.
  void find(std::span<const std::string_view> keys, std::span<TokenId> ids) const;
  size_t size() const { return size_; }

 private:
  static constexpr size_t kInside = 8;
  struct Slot {
    uint64_t text = 0;  // up to kInside bytes themselves, of longer strings the address
    uint32_t size = 0;
    uint32_t id_plus_1 = 0;

    bool empty() const { return id_plus_1 == 0; }
    TokenId id() const { return static_cast<TokenId>(id_plus_1 - 1); }
    std::string_view view() const {
      return {size <= kInside ? reinterpret_cast<const char*>(&text)
                              : reinterpret_cast<const char*>(text),
              size};
    }
  };
  static uint64_t text_of(std::string_view key) {
    uint64_t text = reinterpret_cast<uintptr_t>(key.data());
    if (key.size() <= kInside) {
      text = 0;
      if (!key.empty()) std::memcpy(&text, key.data(), key.size());
    }
    return text;
  }
  static bool same(const Slot& slot, std::string_view key, uint64_t text) {
    if (slot.size != key.size()) return false;
    return slot.text == text ||
           (key.size() > kInside && std::memcmp(slot.view().data(), key.data(), key.size()) == 0);
  }
  // The slot of `key`, or the empty one where it belongs.
  size_t locate(std::string_view key, uint64_t hash) const {
    const uint64_t text = text_of(key);
    size_t i = hash & mask_;
    while (!slots_[i].empty() && !same(slots_[i], key, text)) i = (i + 1) & mask_;
    return i;
  }
  void put(std::string_view key, uint64_t hash, TokenId id);
  void grow(size_t slots);

  std::vector<Slot, HugePageAllocator<Slot>> slots_;
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
  Status add(std::span<const TokenText> tokens, std::string_view where);
  Status add(std::string_view token, int64_t id, std::string_view where) {
    const TokenText text{token, id};
    return add({&text, 1}, where);
  }
  // Errors: kMalformed if more than kMaxGaps ids have no token. Call when all are added.
  Status check_gaps(std::string_view where) const;

  int64_t size() const { return static_cast<int64_t>(spans_.size()); }
  int64_t count() const { return count_; }  // ids that have a token
  // No two ids have equal strings.
  bool unique() const { return static_cast<size_t>(count_) == table_.size(); }
  bool has(int64_t id) const {
    return id >= 0 && id < size() && spans_[static_cast<size_t>(id)].data() != nullptr;
  }
  std::string_view token(int64_t id) const {
    return has(id) ? spans_[static_cast<size_t>(id)] : std::string_view();
  }
  std::optional<TokenId> find(std::string_view token) const { return table_.find(token); }
  // The id of each; -1 where there is none.
  void find(std::span<const std::string_view> tokens, std::span<TokenId> ids) const {
    table_.find(tokens, ids);
  }
  // An id whose string another id is found by, if there is one.
  std::optional<TokenId> find_duplicate() const;

 private:
  Status keep(const TokenText& token, std::string_view where);

  std::unique_ptr<char[]> arena_;
  size_t capacity_ = 0;
  size_t used_ = 0;
  std::vector<std::string_view> spans_;  // data() is nullptr for an id without a token
  int64_t count_ = 0;
  size_t expected_ = 0;
  StringTable table_;
};

}  // namespace orrery::tokenizer
