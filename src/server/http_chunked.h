// ChunkedDecoder: the chunked transfer coding of HTTP/1.1 (RFC 9112, section 7.1), strictly.
//
// Bytes may come in pieces of any size. Sizes are plain hexadecimal digits, lines end in CRLF, and
// nothing else is let through: two readers of one stream that disagree about where a message ends
// are how requests are smuggled.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace orrery::server {

class ChunkedDecoder {
 public:
  // A size line with its extensions, and all trailer fields together.
  static constexpr size_t kMaxLineBytes = 1024;
  static constexpr size_t kMaxTrailerBytes = 8192;

  // Appends the data found in `input` to `out` and returns how many bytes of `input` it used:
  // fewer than all only after the end or an error.
  size_t feed(std::string_view input, std::string& out);

  bool done() const { return state_ == State::kDone; }
  bool failed() const { return state_ == State::kFailed; }
  uint64_t data_bytes() const { return data_bytes_; }  // announced by the chunks so far

 private:
  enum class State {
    kSize,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailer,
    kDone,
    kFailed
  };
  void feed_framing(char c);
  void feed_size(char c);
  void feed_trailer(char c);

  State state_ = State::kSize;
  uint64_t remaining_ = 0;  // of the chunk at hand
  uint64_t data_bytes_ = 0;
  int num_digits_ = 0;
  size_t line_bytes_ = 0;
  size_t trailer_bytes_ = 0;
  bool trailer_cr_ = false;
};

}  // namespace orrery::server
