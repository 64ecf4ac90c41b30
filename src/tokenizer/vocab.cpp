#include "tokenizer/vocab.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "tokenizer/slots.h"

namespace orrery::tokenizer {

void StringTable::reserve(size_t count) {
  if (slots_for(count) > slots_.size()) grow(slots_for(count));
}

void StringTable::grow(size_t slots) {
  decltype(slots_) old(slots);
  old.swap(slots_);
  mask_ = slots - 1;
  for (const Slot& slot : old) {
    if (!slot.empty()) slots_[locate(slot.view(), hash_bytes(slot.view()))] = slot;
  }
}

void StringTable::put(std::string_view key, uint64_t hash, TokenId id) {
  Slot& slot = slots_[locate(key, hash)];
  if (slot.empty()) {
    ++size_;
    slot = {text_of(key), static_cast<uint32_t>(key.size()), 0};
  }
  slot.id_plus_1 = static_cast<uint32_t>(id) + 1;
}

void StringTable::assign(std::string_view key, TokenId id) {
  reserve(size_ + 1);
  put(key, hash_bytes(key), id);
}

void StringTable::assign(std::span<const TokenText> tokens) {
  reserve(size_ + tokens.size());
  std::array<uint64_t, kLookups> hashes;
  for (; !tokens.empty(); tokens = tokens.subspan(std::min(kLookups, tokens.size()))) {
    const auto some = tokens.first(std::min(kLookups, tokens.size()));
    for (size_t i = 0; i < some.size(); ++i) {
      hashes[i] = hash_bytes(some[i].text);
      __builtin_prefetch(&slots_[hashes[i] & mask_], 1);
    }
    for (size_t i = 0; i < some.size(); ++i) {
      put(some[i].text, hashes[i], static_cast<TokenId>(some[i].id));
    }
  }
}

void StringTable::find(std::span<const std::string_view> keys, std::span<TokenId> ids) const {
  CHECK(keys.size() == ids.size());
  if (slots_.empty()) {
    std::ranges::fill(ids, -1);
    return;
  }
  std::array<uint64_t, kLookups> hashes;
  for (size_t begin = 0; begin < keys.size(); begin += kLookups) {
    const size_t count = std::min(kLookups, keys.size() - begin);
    for (size_t i = 0; i < count; ++i) {
      hashes[i] = hash_bytes(keys[begin + i]);
      __builtin_prefetch(&slots_[hashes[i] & mask_]);
    }
    // The strings that lie outside of the table, next.
    for (size_t i = 0; i < count; ++i) {
      const Slot& slot = slots_[hashes[i] & mask_];
      if (slot.size > kInside) __builtin_prefetch(slot.view().data());
    }
    for (size_t i = 0; i < count; ++i) {
      const Slot& slot = slots_[locate(keys[begin + i], hashes[i])];
      ids[begin + i] = slot.empty() ? -1 : slot.id();
    }
  }
}

void Vocab::reserve(size_t tokens, size_t capacity_bytes) {
  CHECK(arena_ == nullptr) << "strings would move";
  arena_.reset(new char[capacity_bytes + 1]);  // not make_unique: that would touch every page
  capacity_ = capacity_bytes;
  expected_ = tokens;
  spans_.reserve(tokens);
  table_.reserve(tokens);
}

// Into the arena and the list by id.
Status Vocab::keep(const TokenText& token, std::string_view where) {
  const auto& [text, id] = token;
  const int64_t limit = std::min<int64_t>(kMaxTokenId, static_cast<int64_t>(expected_) + kMaxGaps);
  if (id < 0 || id > limit) {
    return malformed("{}: token \"{}\": expected an id in [0, {}], got {}", where, text, limit, id);
  }
  CHECK(text.size() <= capacity_ - used_) << "reserve() promised enough";
  if (id >= size()) spans_.resize(static_cast<size_t>(id) + 1);
  std::string_view& span = spans_[static_cast<size_t>(id)];
  if (span.data() != nullptr) {
    if (span == text) return {};
    return malformed("{}: id {} belongs to \"{}\" and to \"{}\"", where, id, span, text);
  }
  if (!text.empty()) std::memcpy(arena_.get() + used_, text.data(), text.size());
  span = std::string_view(arena_.get() + used_, text.size());
  used_ += text.size();
  ++count_;
  return {};
}

Status Vocab::add(std::span<const TokenText> tokens, std::string_view where) {
  std::array<TokenText, kLookups> kept;
  for (; !tokens.empty(); tokens = tokens.subspan(std::min(kLookups, tokens.size()))) {
    const auto some = tokens.first(std::min(kLookups, tokens.size()));
    size_t count = 0;
    for (const TokenText& token : some) {
      const int64_t before = count_;
      RETURN_IF_ERROR(keep(token, where));
      if (count_ > before) kept[count++] = {spans_[static_cast<size_t>(token.id)], token.id};
    }
    table_.assign(std::span(kept).first(count));
  }
  return {};
}

std::optional<TokenId> Vocab::find_duplicate() const {
  if (unique()) return std::nullopt;
  for (int64_t id = 0; id < size(); ++id) {
    if (has(id) && find(token(id)) != static_cast<TokenId>(id)) return static_cast<TokenId>(id);
  }
  return std::nullopt;
}

Status Vocab::check_gaps(std::string_view where) const {
  if (size() - count_ <= kMaxGaps) return {};
  return malformed("{}: {} tokens leave {} ids without a token, expected at most {}", where, count_,
                   size() - count_, kMaxGaps);
}

}  // namespace orrery::tokenizer
