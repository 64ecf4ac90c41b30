#include "live/history.h"

#include <algorithm>

#include "base/check.h"

namespace orrery::live {

using trace::Event;
using trace::EventKind;

History::History(size_t capacity) : ring_(std::max<size_t>(capacity, 1)) {}

void History::append(std::span<const Event> events) {
  for (const Event& event : events) {
    Event& slot = ring_[static_cast<size_t>(end_ % ring_.size())];
    if (size_ == ring_.size()) {
      before_.apply(slot);
    } else {
      ++size_;
    }
    slot = event;
    ++end_;
    note_request(event);
  }
}

void History::note_request(const Event& event) {
  switch (event.kind) {
    case EventKind::kArrived:
    case EventKind::kPreempted:
      runs_[event.request] = false;
      break;
    case EventKind::kAdmitted:
    case EventKind::kForked:
    case EventKind::kChunk:  // of a request whose arrival was lost, too
      runs_[event.request] = true;
      break;
    case EventKind::kFinished:
    case EventKind::kRefused:
      runs_.erase(event.request);
      break;
    default:
      break;
  }
}

uint32_t History::oldest_running() const {
  for (const auto& [request, runs] : runs_) {
    if (runs) return request;
  }
  return 0;
}

KeptState History::now() const {
  KeptState now = before_;
  for (uint64_t i = begin(); i < end_; ++i) now.apply(ring_[static_cast<size_t>(i % ring_.size())]);
  return now;
}

void History::lose(uint64_t count) {
  if (count == 0) return;
  end_ += count;
  size_ = 0;
  before_ = KeptState();
  runs_.clear();
}

std::vector<Event> History::copy(uint64_t from, uint64_t to) const {
  CHECK(from >= begin() && from <= to && to <= end_) << from << " .. " << to;
  const auto at = ring_.begin() + static_cast<ptrdiff_t>(from % ring_.size());
  const auto count = static_cast<ptrdiff_t>(to - from);
  const ptrdiff_t first = std::min(count, ring_.end() - at);  // the rest begins at the front
  std::vector<Event> out;
  out.reserve(static_cast<size_t>(count));
  out.assign(at, at + first);
  out.insert(out.end(), ring_.begin(), ring_.begin() + (count - first));
  return out;
}

}  // namespace orrery::live
