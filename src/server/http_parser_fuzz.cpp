// Any bytes, in any pieces: the parser never fails otherwise than by saying so, consumes no more
// than there is, and reads the same whole or in pieces.
#include <cstdint>
#include <cstdlib>

#include "server/http_parser.h"

namespace {

using orrery::server::HttpParser;

struct Outcome {
  HttpParser::State state;
  size_t used;
  std::string path, body;
  int error;
  bool operator==(const Outcome&) const = default;
};

Outcome parse(std::string_view text, size_t piece) {
  orrery::server::HttpLimits limits;
  limits.max_header_bytes = 512;
  limits.max_body_bytes = 256;
  HttpParser parser(limits);
  size_t used = 0;
  while (used < text.size() && parser.state() != HttpParser::State::kDone &&
         parser.state() != HttpParser::State::kFailed) {
    const size_t n = parser.feed(text.substr(used, piece));
    if (n > std::min(piece, text.size() - used) || n == 0) std::abort();
    used += n;
  }
  const bool failed = parser.state() == HttpParser::State::kFailed;
  // How far it read before it noticed, and with what error of several, depends on the pieces.
  return {parser.state(), failed ? 0 : used, failed ? "" : parser.request().path,
          failed ? "" : parser.request().body, failed};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t piece = data[0] % 16 + 1;
  if (!(parse(text, text.size() + 1) == parse(text, piece))) std::abort();
  return 0;
}
