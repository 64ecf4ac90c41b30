// HttpParser: one HTTP/1.1 request out of bytes (RFC 9110, RFC 9112), strictly.
//
// A pure state machine: no socket, no clock. What two servers could read differently is refused,
// not guessed: two lengths, a length beside a transfer coding, folded lines, bare CR or LF, blanks
// before a colon, a second Host. One request; a new parser for the next.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/http_chunked.h"
#include "server/http_message.h"

namespace orrery::server {

struct HttpLimits {
  size_t max_header_bytes = 32 << 10;  // request line and fields
  size_t max_headers = 100;
  size_t max_body_bytes = 16 << 20;
};

class HttpParser {
 public:
  enum class State { kHead, kBody, kDone, kFailed };

  explicit HttpParser(const HttpLimits& limits) : limits_(limits) {}

  // Consumes bytes and returns how many. Stops when the head is complete (kBody, or kDone without a
  // body), so that the caller can judge it first; call again for the body. Never consumes bytes of
  // the next request.
  size_t feed(std::string_view input);

  State state() const { return state_; }
  bool started() const { return !head_.empty() || state_ != State::kHead; }
  // Of kFailed: 400, 413, 431 or 505, and why.
  int error_status() const { return error_status_; }
  std::string_view error_message() const { return error_message_; }

  // Without the body that comes: throws it away while finding its end.
  void discard_body() { discard_body_ = true; }
  bool chunked() const { return chunked_; }
  uint64_t content_length() const { return content_length_; }  // 0 if chunked or none

  // Complete but for the body from the end of the head on.
  HttpRequest& request() { return request_; }

 private:
  size_t feed_head(std::string_view input);
  size_t feed_body(std::string_view input);
  bool check_bytes(size_t begin);
  bool parse_head(std::string_view head);
  bool parse_request_line(std::string_view line);
  bool parse_target(std::string_view target);
  bool parse_field(std::string_view line);
  bool check_framing();
  bool check_host();
  bool read_length(std::string_view value);
  bool fail(int status, std::string_view message);

  HttpLimits limits_;
  State state_ = State::kHead;
  std::string head_;
  HttpRequest request_;
  bool discard_body_ = false;
  bool chunked_ = false;
  uint64_t content_length_ = 0;
  uint64_t remaining_ = 0;
  ChunkedDecoder chunks_;
  int error_status_ = 0;
  std::string_view error_message_;  // a literal
};

}  // namespace orrery::server
