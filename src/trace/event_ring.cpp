#include "trace/event_ring.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace orrery::trace {

EventRing::EventRing(size_t capacity) : slots_(new Slot[capacity]), mask_(capacity - 1) {
  CHECK(std::has_single_bit(capacity)) << "capacity " << capacity;
}

EventRing::Reader EventRing::reader() { return Reader(*this); }

// A seqlock over the whole ring. Each word is stored with release after `claimed_`, and loaded with
// acquire before it: whoever has seen a new word also sees the claim, and discards what it copied.
void EventRing::append(const Event& event) {
  const auto words = std::bit_cast<Words>(event);
  const std::lock_guard lock(producers_);
  const uint64_t number = published_.load(std::memory_order_relaxed);
  claimed_.store(number + 1, std::memory_order_relaxed);
  Slot& slot = slots_[number & mask_];
  for (size_t i = 0; i < words.size(); ++i) slot[i].store(words[i], std::memory_order_release);
  published_.store(number + 1, std::memory_order_release);
}

EventRing::Reader::Reader(EventRing& ring) : ring_(&ring) {
  ring.num_readers_.fetch_add(1);
  next_ = ring.published_.load(std::memory_order_acquire);
}

EventRing::Reader::~Reader() {
  if (ring_ != nullptr) ring_->num_readers_.fetch_sub(1);
}

EventRing::Reader::Read EventRing::Reader::read(std::span<Event> out) {
  Read result;
  const uint64_t published = ring_->published_.load(std::memory_order_acquire);
  while (result.count < out.size() && next_ < published) {
    Slot& slot = ring_->slots_[next_ & ring_->mask_];
    Words words;
    for (size_t i = 0; i < words.size(); ++i) words[i] = slot[i].load(std::memory_order_acquire);
    const uint64_t claimed = ring_->claimed_.load(std::memory_order_relaxed);
    if (claimed <= next_ + ring_->capacity()) {
      out[result.count++] = std::bit_cast<Event>(words);
      ++next_;
      continue;
    }
    if (result.count > 0) break;  // the gap belongs before the events of the next call
    const uint64_t oldest = std::min(claimed - ring_->capacity(), published);
    result.lost += oldest - next_;
    next_ = oldest;
  }
  return result;
}

}  // namespace orrery::trace
