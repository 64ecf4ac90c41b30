// A streamed answer as its client reads it: SseReader takes server-sent events apart
// (https://html.spec.whatwg.org/multipage/server-sent-events.html), read_streamed_event() says what
// one of the OpenAI API's tells. The server may be anybody's: no bytes do harm.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace orrery::server {

// Bytes in pieces of any size, to the data of events. Of an event only its "data:" lines count;
// lines end in LF or CRLF. Not synchronised.
class SseReader {
 public:
  // Of one event; who sends more sends no tokens.
  static constexpr size_t kMaxEventBytes = size_t{1} << 22;

  void feed(std::string_view bytes);
  // The next whole event's data, lines joined by LF.
  std::optional<std::string> next();
  // An event was too long: nothing more is read.
  bool failed() const { return failed_; }

 private:
  std::string input_;  // from the first byte that is in no line yet
  size_t used_ = 0, scanned_ = 0;
  std::string data_;
  bool has_data_ = false, failed_ = false;
};

struct StreamedEvent {
  bool done = false;       // "[DONE]": the answer is complete
  bool is_error = false;   // {"error": ...}
  bool has_token = false;  // a choice; of a chat, one with some text
  std::optional<int64_t> output_tokens;
};
StreamedEvent read_streamed_event(std::string_view data, bool chat);

}  // namespace orrery::server
