#include "server/http_chunked.h"

#include <algorithm>

namespace orrery::server {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_field_char(char c) { return c == '\t' || static_cast<unsigned char>(c) >= 0x20; }

}  // namespace

size_t ChunkedDecoder::feed(std::string_view input, std::string& out) {
  size_t used = 0;
  while (used < input.size() && !done() && !failed()) {
    if (state_ == State::kData) {
      const size_t n = std::min<uint64_t>(remaining_, input.size() - used);
      out.append(input, used, n);
      used += n;
      remaining_ -= n;
      if (remaining_ == 0) state_ = State::kDataCr;
    } else {
      feed_framing(input[used++]);
    }
  }
  return used;
}

void ChunkedDecoder::feed_framing(char c) {
  switch (state_) {
    case State::kSize:
      feed_size(c);
      break;
    case State::kExtension:
      if (c == '\r') {
        state_ = State::kSizeLf;
      } else if (!is_field_char(c) || ++line_bytes_ > kMaxLineBytes) {
        state_ = State::kFailed;
      }
      break;
    case State::kSizeLf:
      line_bytes_ = 0;
      num_digits_ = 0;
      state_ = c != '\n' ? State::kFailed : remaining_ > 0 ? State::kData : State::kTrailer;
      break;
    case State::kDataCr:
      state_ = c == '\r' ? State::kDataLf : State::kFailed;
      break;
    case State::kDataLf:
      state_ = c == '\n' ? State::kSize : State::kFailed;
      break;
    case State::kTrailer:
      feed_trailer(c);
      break;
    default:
      break;
  }
}

void ChunkedDecoder::feed_size(char c) {
  constexpr int kMaxDigits = 8;
  const int digit = hex_digit(c);
  if (digit >= 0 && num_digits_ < kMaxDigits) {
    remaining_ = remaining_ * 16 + static_cast<uint64_t>(digit);
    ++num_digits_;
    return;
  }
  if (num_digits_ == 0 || (c != '\r' && c != ';')) {
    state_ = State::kFailed;
    return;
  }
  data_bytes_ += remaining_;
  state_ = c == ';' ? State::kExtension : State::kSizeLf;
}

// Trailer fields are read to find the end, and thrown away.
void ChunkedDecoder::feed_trailer(char c) {
  if (++trailer_bytes_ > kMaxTrailerBytes) {
    state_ = State::kFailed;
  } else if (trailer_cr_) {
    trailer_cr_ = false;
    state_ = c != '\n' ? State::kFailed : line_bytes_ == 0 ? State::kDone : State::kTrailer;
    line_bytes_ = 0;
  } else if (c == '\r') {
    trailer_cr_ = true;
  } else if (!is_field_char(c)) {
    state_ = State::kFailed;
  } else {
    ++line_bytes_;
  }
}

}  // namespace orrery::server
