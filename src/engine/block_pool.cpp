#include "engine/block_pool.h"

namespace orrery::engine {
namespace {

template <typename... Args>
Status broken(fmt::format_string<Args...> format, Args&&... args) {
  return {StatusCode::kInternal, fmt::format(format, std::forward<Args>(args)...)};
}

}  // namespace

BlockPool::BlockPool(int32_t num_blocks, Fault fault)
    : blocks_(static_cast<size_t>(num_blocks) + 1), fault_(fault) {
  CHECK(num_blocks > 0) << num_blocks;
  at(sentinel()).prev = at(sentinel()).next = sentinel();
  for (int32_t block = 0; block < num_blocks; ++block) {
    link_between(at(sentinel()).prev, block, sentinel());
  }
}

void BlockPool::link_between(int32_t prev, int32_t block, int32_t next) {
  CHECK(at(block).next == kUnlinked) << "block " << block << " is on the free list already";
  at(block).prev = prev;
  at(block).next = next;
  at(prev).next = block;
  at(next).prev = block;
  ++num_free_;
  num_cached_ += at(block).cached ? 1 : 0;
}

void BlockPool::unlink(int32_t block) {
  Block& b = at(block);
  CHECK(b.next != kUnlinked) << "block " << block << " is not on the free list";
  at(b.prev).next = b.next;
  at(b.next).prev = b.prev;
  b.prev = b.next = kUnlinked;
  --num_free_;
  num_cached_ -= b.cached ? 1 : 0;
  b.cached = false;
}

// Every seventh chance, so that a history meets a mixture of right and wrong.
bool BlockPool::fault_strikes(Fault fault) {
  return fault_ == fault && ++num_fault_chances_ % 7 == 0;
}

int32_t BlockPool::take() {
  CHECK(num_free_ > 0);
  const int32_t block = at(sentinel()).next;
  unlink(block);
  at(block).ref_count = 1;
  return block;
}

void BlockPool::retain(int32_t block) {
  if (at(block).ref_count == 0) {
    unlink(block);
  } else if (fault_strikes(Fault::kForgetsRetain)) {
    return;
  }
  ++at(block).ref_count;
}

void BlockPool::release(int32_t block, bool cached) {
  CHECK(at(block).ref_count > 0) << "block " << block << " has no user";
  if (fault_strikes(Fault::kForgetsRelease)) return;
  if (--at(block).ref_count > 0) return;
  at(block).cached = cached;
  if (cached) {
    link_between(at(sentinel()).prev, block, sentinel());
  } else {
    link_between(sentinel(), block, at(sentinel()).next);
  }
}

Status BlockPool::check_integrity() const {
  int32_t num_linked = 0;
  int32_t num_cached = 0;
  int32_t prev = sentinel();
  for (int32_t block = at(prev).next; block != sentinel(); block = at(block).next) {
    if (at(block).prev != prev) return broken("free list: wrong link back at block {}", block);
    if (at(block).ref_count != 0) return broken("free block {} has users", block);
    if (++num_linked > num_blocks()) return broken("free list: a circle without its end");
    num_cached += at(block).cached ? 1 : 0;
    prev = block;
  }
  if (at(sentinel()).prev != prev) return broken("free list: wrong last block {}", prev);
  if (num_linked != num_free_ || num_cached != num_cached_) {
    return broken("free list: expected {} blocks, {} of them cached, got {} and {}", num_free_,
                  num_cached_, num_linked, num_cached);
  }
  for (int32_t block = 0; block < num_blocks(); ++block) {
    const bool linked = at(block).next != kUnlinked;
    if (linked == (at(block).ref_count != 0)) {
      return broken("block {} with {} users: wrongly {} the free list", block, at(block).ref_count,
                    linked ? "on" : "off");
    }
  }
  return {};
}

}  // namespace orrery::engine
