// The events of a stream that comes in pieces of `piece` bytes.
#pragma once

#include <algorithm>
#include <vector>

#include "server/sse_reader.h"

namespace orrery::server {

inline std::vector<std::string> sse_events_of(std::string_view text, size_t piece) {
  SseReader reader;
  std::vector<std::string> events;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
    reader.feed(text.substr(0, piece));
    while (auto data = reader.next()) events.push_back(std::move(*data));
  }
  return events;
}

}  // namespace orrery::server
