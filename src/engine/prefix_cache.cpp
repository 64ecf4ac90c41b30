#include "engine/prefix_cache.h"

#include <algorithm>
#include <bit>

namespace orrery::engine {

PrefixCache::PrefixCache(int32_t num_blocks, Fault fault)
    : entries_(static_cast<size_t>(num_blocks)),
      buckets_(std::bit_ceil(static_cast<size_t>(num_blocks)), kNoBlock),
      fault_(fault) {}

bool PrefixCache::equal(const Entry& entry, const Key& key) const {
  if (entry.hash != key.hash) return false;
  if (fault_ == Fault::kTrustsHash) return true;
  return entry.parent == key.parent && entry.space == key.space &&
         std::equal(entry.tokens.begin(), entry.tokens.end(), key.tokens.begin(), key.tokens.end());
}

PrefixCache::Found PrefixCache::find(const Key& key) const {
  for (int32_t block = buckets_[bucket(key.hash)]; block != kNoBlock; block = at(block).next) {
    if (equal(at(block), key)) return {block, at(block).node, at(block).computed};
  }
  return {};
}

PrefixNode PrefixCache::insert(int32_t block, const Key& key, uint32_t request, bool computed) {
  CHECK(!contains(block)) << "block " << block;
  Entry& entry = at(block);
  entry.node = ++last_node_;
  entry.parent = key.parent;
  entry.hash = key.hash;
  entry.space = key.space;
  entry.request = request;
  entry.computed = computed;
  std::copy(key.tokens.begin(), key.tokens.end(), entry.tokens.begin());
  int32_t& first = buckets_[bucket(key.hash)];
  entry.next = std::exchange(first, block);
  return entry.node;
}

void PrefixCache::erase(int32_t block) {
  CHECK(contains(block)) << "block " << block;
  int32_t* link = &buckets_[bucket(at(block).hash)];
  while (*link != block) link = &at(*link).next;
  *link = at(block).next;
  at(block).node = 0;
  at(block).next = kNoBlock;
}

Status PrefixCache::check_integrity() const {
  size_t num_chained = 0;
  for (size_t b = 0; b < buckets_.size(); ++b) {
    for (int32_t block = buckets_[b]; block != kNoBlock; block = at(block).next) {
      if (!contains(block) || bucket(at(block).hash) != b || ++num_chained > entries_.size()) {
        return {StatusCode::kInternal, fmt::format("prefix cache: bucket {} is broken", b)};
      }
    }
  }
  const auto num_entries = static_cast<size_t>(
      std::count_if(entries_.begin(), entries_.end(), [](const Entry& e) { return e.node != 0; }));
  if (num_entries != num_chained) {
    return {StatusCode::kInternal,
            fmt::format("prefix cache: expected {} entries in buckets, got {}", num_entries,
                        num_chained)};
  }
  return {};
}

}  // namespace orrery::engine
