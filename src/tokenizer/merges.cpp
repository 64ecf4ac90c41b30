#include "tokenizer/merges.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <mutex>

#include "base/check.h"
#include "tokenizer/slots.h"

namespace orrery::tokenizer {

void MergeTable::reserve(size_t count) {
  if (slots_for(count) > slots_.size()) grow(slots_for(count));
}

MergeTable::Slot& MergeTable::locate(uint64_t key) {
  size_t i = hash(key);
  while (slots_[i].key != kEmpty && slots_[i].key != key) i = (i + 1) & mask_;
  return slots_[i];
}

void MergeTable::grow(size_t slots) {
  decltype(slots_) old(slots);
  old.swap(slots_);
  mask_ = slots - 1;
  shift_ = 64 - std::countr_zero(slots);
  for (const Slot& slot : old) {
    if (slot.key != kEmpty) locate(slot.key) = slot;
  }
}

void MergeTable::assign(std::span<const Entry> entries) {
  reserve(size_ + entries.size());
  for (; !entries.empty(); entries = entries.subspan(std::min(kLookups, entries.size()))) {
    const auto some = entries.first(std::min(kLookups, entries.size()));
    for (const Entry& entry : some) {
      __builtin_prefetch(&slots_[hash(key_of(entry.left, entry.right))], 1);
    }
    for (const Entry& entry : some) {
      Slot& slot = locate(key_of(entry.left, entry.right));
      if (slot.key != kEmpty && slot.merge.rank > entry.merge.rank) continue;
      if (slot.key == kEmpty) ++size_;
      slot = {key_of(entry.left, entry.right), entry.merge};
    }
  }
}

// Files list merges in the order of their results: most often the result is that of the merge
// before, or the next id, which is found without a table in memory that the cache lacks.
TokenId MergeReader::merged_id(const Pair& pair) {
  const std::string_view rest = pair.right.substr(std::min(prefix_size_, pair.right.size()));
  for (const TokenId guess : {last_, last_ + 1}) {
    const std::string_view token = vocab_.token(guess);
    if (token.size() == pair.left.size() + rest.size() && token.starts_with(pair.left) &&
        token.ends_with(rest) && vocab_.has(guess)) {
      return guess;
    }
  }
  merged_.assign(pair.left);
  merged_.append(rest);
  return vocab_.find(merged_).value_or(-1);
}

void MergeReader::find(std::span<const Pair> pairs, std::span<MergeTable::Entry> entries) {
  CHECK(pairs.size() == entries.size());
  std::array<std::string_view, kLookups> lefts, rights;
  std::array<TokenId, kLookups> left_ids, right_ids;
  for (size_t begin = 0; begin < pairs.size(); begin += kLookups) {
    const size_t count = std::min(kLookups, pairs.size() - begin);
    for (size_t i = 0; i < count; ++i) {
      lefts[i] = pairs[begin + i].left;
      rights[i] = pairs[begin + i].right;
    }
    vocab_.find(std::span(lefts).first(count), std::span(left_ids).first(count));
    vocab_.find(std::span(rights).first(count), std::span(right_ids).first(count));
    for (size_t i = 0; i < count; ++i) {
      if (left_ids[i] < 0 || right_ids[i] < 0) continue;
      const TokenId merged = merged_id(pairs[begin + i]);
      if (merged < 0) continue;
      last_ = merged;
      MergeTable::Entry& entry = entries[begin + i];
      entry.left = left_ids[i];
      entry.right = right_ids[i];
      entry.merge.id = merged;
    }
  }
}

namespace {

// Starting a thread takes as long as reading some hundred merges; what is done with so few, and on
// a system without more threads, is done when it is asked for.
std::launch how_to_launch(size_t count) {
  constexpr size_t kWorthAThread = 4096;
  const auto deferred = std::launch::deferred;
  return count < kWorthAThread ? deferred : std::launch::async | deferred;
}

// A list of merges whose next ones are given to whoever asks.
class SharedMerges {
 public:
  SharedMerges(size_t count, const FindMerges& find, MergeTable& merges)
      : count_(count), find_(find), merges_(merges) {}

  // Reads merges until none are left, or one is wrong: then all before are somebody's.
  void read(MergeReader reader) {
    std::vector<MergeTable::Entry> found;
    for (size_t first = next_.fetch_add(kSome); first < count_; first = next_.fetch_add(kSome)) {
      found.assign(std::min(kSome, count_ - first), {});
      const Status status = find_(first, reader, found);
      for (size_t i = 0; i < found.size(); ++i)
        found[i].merge.rank = static_cast<uint32_t>(first + i);
      const std::lock_guard lock(mutex_);
      if (!status.ok()) {
        if (first < wrong_) error_ = status;
        wrong_ = std::min(wrong_, first);
        return;
      }
      merges_.assign(found);
    }
  }
  const Status& error() const { return error_; }  // when all have returned

 private:
  static constexpr size_t kSome = 1024;
  const size_t count_;
  const FindMerges& find_;
  std::atomic<size_t> next_ = 0;
  std::mutex mutex_;  // of what follows
  MergeTable& merges_;
  size_t wrong_ = SIZE_MAX;  // where the merges begin that error_ is of
  Status error_;
};

}  // namespace

std::future<MergeTable> begin_merge_table(size_t count) {
  return std::async(how_to_launch(count), [count] {
    MergeTable table;
    table.reserve(count);
    return table;
  });
}

Status read_merges(size_t count, const MergeReader& reader, const FindMerges& find,
                   MergeTable& merges, const std::function<void()>& beside) {
  merges.reserve(count);
  SharedMerges shared(count, find, merges);
  std::future<void> other = std::async(how_to_launch(count), [&] {
    beside();
    shared.read(reader);
  });
  shared.read(reader);
  other.get();
  return shared.error();
}

}  // namespace orrery::tokenizer
