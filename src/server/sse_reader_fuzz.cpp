// Any bytes, in any pieces: the same events whole or in pieces, and each says something or nothing.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "server/sse_reader.h"

namespace {

using orrery::server::SseReader;

std::vector<std::string> read(std::string_view text, size_t piece) {
  SseReader reader;
  std::vector<std::string> events;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
    reader.feed(text.substr(0, piece));
    while (auto data = reader.next()) events.push_back(std::move(*data));
  }
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::vector<std::string> events = read(text, text.size() + 1);
  if (events != read(text, data[0] % 16 + 1)) std::abort();
  for (const std::string& event : events) {
    orrery::server::read_streamed_event(event, data[0] % 2 == 0);
  }
  return 0;
}
