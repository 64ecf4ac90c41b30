// Any bytes, in any pieces: the same events whole or in pieces, and each says something or nothing.
#include <cstdint>
#include <cstdlib>

#include "server/sse_events_for_tests.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace orrery::server;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::vector<std::string> events = sse_events_of(text, text.size() + 1);
  if (events != sse_events_of(text, data[0] % 16 + 1)) std::abort();
  for (const std::string& event : events) read_streamed_event(event, data[0] % 2 == 0);
  return 0;
}
