#include "live/history.h"

#include <algorithm>

#include "base/check.h"

namespace orrery::live {

History::History(size_t capacity) : ring_(std::max<size_t>(capacity, 1)) {}

void History::append(std::span<const trace::Event> events) {
  for (const trace::Event& event : events) {
    trace::Event& slot = ring_[static_cast<size_t>(end_ % ring_.size())];
    if (size_ == ring_.size()) {
      before_.apply(slot);
    } else {
      ++size_;
    }
    slot = event;
    ++end_;
    now_.apply(event);
  }
}

void History::lose(uint64_t count) {
  if (count == 0) return;
  end_ += count;
  size_ = 0;
  before_ = now_ = KeptState();
}

std::vector<trace::Event> History::copy(uint64_t from, uint64_t to) const {
  CHECK(from >= begin() && from <= to && to <= end_) << from << " .. " << to;
  std::vector<trace::Event> out;
  out.reserve(static_cast<size_t>(to - from));
  for (uint64_t i = from; i < to; ++i) out.push_back(ring_[static_cast<size_t>(i % ring_.size())]);
  return out;
}

}  // namespace orrery::live
