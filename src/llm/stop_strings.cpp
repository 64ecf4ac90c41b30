#include "llm/stop_strings.h"

#include <algorithm>

namespace orrery::llm {

StopStrings::StopStrings(std::vector<std::string> stops, bool include)
    : stops_(std::move(stops)), include_(include) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

std::string StopStrings::push(std::string_view text) {
  if (matched_) return {};
  pending_ += text;
  // The match that is complete first, whatever the cut of the stream; of two that end together, the
  // longer.
  size_t end = std::string::npos;
  const std::string* found = nullptr;
  for (const std::string& stop : stops_) {
    const size_t at = pending_.find(stop);
    if (at == std::string::npos) continue;
    const size_t stop_end = at + stop.size();
    if (stop_end < end || (stop_end == end && stop.size() > found->size())) {
      end = stop_end;
      found = &stop;
    }
  }
  if (found != nullptr) {
    matched_ = true;
    match_ = *found;
    std::string released = pending_.substr(0, include_ ? end : end - found->size());
    pending_.clear();
    return released;
  }
  return release();
}

std::string StopStrings::push_unmatched(std::string_view text) {
  pending_ += text;
  return release();
}

std::string StopStrings::release() {
  std::string released = pending_.substr(0, pending_.size() - held_back_length());
  pending_.erase(0, released.size());
  return released;
}

// The longest suffix of the pending text that a stop string begins with.
size_t StopStrings::held_back_length() const {
  size_t longest = 0;
  for (const std::string& stop : stops_) {
    for (size_t n = std::min(stop.size() - 1, pending_.size()); n > longest; --n) {
      if (std::string_view(pending_).substr(pending_.size() - n) ==
          std::string_view(stop).substr(0, n)) {
        longest = n;
      }
    }
  }
  return longest;
}

std::string StopStrings::finish() {
  std::string rest = std::move(pending_);
  pending_.clear();
  return rest;
}

}  // namespace orrery::llm
