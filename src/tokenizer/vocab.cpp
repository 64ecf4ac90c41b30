#include "tokenizer/vocab.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace orrery::tokenizer {
namespace {

// Slots for `count` keys with at most two thirds of them in use.
size_t slots_for(size_t count) { return std::bit_ceil(std::max<size_t>(8, count + count / 2 + 1)); }

}  // namespace

void StringTable::reserve(size_t count) {
  if (slots_for(count) > slots_.size()) grow(slots_for(count));
}

void StringTable::grow(size_t slots) {
  std::vector<Slot> old(slots);
  old.swap(slots_);
  mask_ = slots - 1;
  for (const Slot& slot : old) {
    if (slot.data == nullptr) continue;
    const std::string_view key(slot.data, slot.size);
    *const_cast<Slot*>(locate(key, hash_bytes(key))) = slot;
  }
}

bool StringTable::insert(std::string_view key, TokenId id) {
  reserve(size_ + 1);
  Slot* slot = const_cast<Slot*>(locate(key, hash_bytes(key)));
  if (slot->data != nullptr) return false;
  *slot = {key.data() != nullptr ? key.data() : "", static_cast<uint32_t>(key.size()), id};
  ++size_;
  return true;
}

void StringTable::assign(std::string_view key, TokenId id) {
  if (!insert(key, id)) const_cast<Slot*>(locate(key, hash_bytes(key)))->id = id;
}

void Vocab::reserve(size_t tokens, size_t capacity_bytes) {
  CHECK(arena_ == nullptr) << "strings would move";
  arena_.reset(new char[capacity_bytes + 1]);  // not make_unique: that would touch every page
  capacity_ = capacity_bytes;
  expected_ = tokens;
  spans_.reserve(tokens);
  table_.reserve(tokens);
}

Status Vocab::add(std::string_view token, int64_t id, std::string_view where) {
  const int64_t limit = std::min<int64_t>(kMaxTokenId, static_cast<int64_t>(expected_) + kMaxGaps);
  if (id < 0 || id > limit) {
    return malformed("{}: token \"{}\": expected an id in [0, {}], got {}", where, token, limit,
                     id);
  }
  CHECK(token.size() <= capacity_ - used_) << "reserve() promised enough";
  if (id >= size()) spans_.resize(static_cast<size_t>(id) + 1);
  std::string_view& span = spans_[static_cast<size_t>(id)];
  if (span.data() != nullptr) {
    if (span == token) return {};
    return malformed("{}: id {} belongs to \"{}\" and to \"{}\"", where, id, span, token);
  }
  if (!token.empty()) std::memcpy(arena_.get() + used_, token.data(), token.size());
  span = std::string_view(arena_.get() + used_, token.size());
  used_ += token.size();
  table_.assign(span, static_cast<TokenId>(id));
  ++count_;
  return {};
}

Status Vocab::check_gaps(std::string_view where) const {
  if (size() - count_ <= kMaxGaps) return {};
  return malformed("{}: {} tokens leave {} ids without a token, expected at most {}", where, count_,
                   size() - count_, kMaxGaps);
}

void MergeTable::reserve(size_t count) {
  if (slots_for(count) > slots_.size()) grow(slots_for(count));
}

void MergeTable::grow(size_t slots) {
  std::vector<Slot> old(slots);
  old.swap(slots_);
  mask_ = slots - 1;
  shift_ = 64 - std::countr_zero(slots);
  for (const Slot& slot : old) {
    if (slot.key == kEmpty) continue;
    size_t i = hash(slot.key);
    while (slots_[i].key != kEmpty) i = (i + 1) & mask_;
    slots_[i] = slot;
  }
}

void MergeTable::assign(TokenId left, TokenId right, Merge merge) {
  reserve(size_ + 1);
  const uint64_t key = key_of(left, right);
  size_t i = hash(key);
  while (slots_[i].key != kEmpty && slots_[i].key != key) i = (i + 1) & mask_;
  if (slots_[i].key == kEmpty) ++size_;
  slots_[i] = {key, merge};
}

}  // namespace orrery::tokenizer
