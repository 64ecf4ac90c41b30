#include "server/http_parser.h"

#include <algorithm>
#include <charconv>

namespace orrery::server {
namespace {

// RFC 9110, section 5.6.2.
bool is_token_char(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return lower;
}

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

}  // namespace

size_t HttpParser::feed(std::string_view input) {
  if (state_ == State::kHead) return feed_head(input);
  if (state_ == State::kBody) return feed_body(input);
  return 0;
}

size_t HttpParser::feed_head(std::string_view input) {
  const size_t old_size = head_.size();
  head_.append(
      input.substr(0, limits_.max_header_bytes + 1 - std::min(old_size, limits_.max_header_bytes)));
  const size_t end = head_.find("\r\n\r\n", old_size < 3 ? 0 : old_size - 3);
  if (end == std::string::npos) {
    if (!check_bytes(old_size)) return input.size();
    if (head_.size() > limits_.max_header_bytes) fail(431, "the request's header is too large");
    return head_.size() - old_size;
  }
  head_.resize(end + 4);
  const size_t used = head_.size() - old_size;
  if (!check_bytes(old_size) || !parse_head(std::string_view(head_).substr(0, end + 2)) ||
      !check_host() || !check_framing()) {
    return used;
  }
  state_ = chunked_ || content_length_ > 0 ? State::kBody : State::kDone;
  remaining_ = content_length_;
  head_ = std::string();
  return used;
}

// No control characters; CR and LF only as a pair.
bool HttpParser::check_bytes(size_t begin) {
  for (size_t i = begin; i < head_.size(); ++i) {
    const auto c = static_cast<unsigned char>(head_[i]);
    const bool after_cr = i > 0 && head_[i - 1] == '\r';
    if ((c == '\n') != after_cr) return fail(400, "a line does not end in CRLF");
    if ((c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7F) {
      return fail(400, "a control character in the request's header");
    }
  }
  return true;
}

bool HttpParser::parse_head(std::string_view head) {
  size_t line_end = head.find("\r\n");
  if (!parse_request_line(head.substr(0, line_end))) return false;
  head.remove_prefix(line_end + 2);
  while (!head.empty()) {
    line_end = head.find("\r\n");
    if (request_.headers.size() == limits_.max_headers) {
      return fail(431, "the request has too many header fields");
    }
    if (!parse_field(head.substr(0, line_end))) return false;
    head.remove_prefix(line_end + 2);
  }
  return true;
}

bool HttpParser::parse_request_line(std::string_view line) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return fail(400, "malformed request line");
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method) || method.size() > 32) return fail(400, "malformed method");
  if (version.size() != 8 || !version.starts_with("HTTP/"))
    return fail(400, "malformed request line");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return fail(505, "expected HTTP/1.0 or HTTP/1.1");
  }
  request_.method = method;
  request_.version_minor = version == "HTTP/1.1" ? 1 : 0;
  request_.keep_alive = request_.version_minor == 1;
  return parse_target(target);
}

bool HttpParser::parse_target(std::string_view target) {
  if (target.find_first_of(" \t#") != std::string_view::npos) {
    return fail(400, "malformed request target");
  }
  // The absolute form, which proxies use: the authority is not looked at.
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (target.starts_with(scheme)) {
      const size_t slash = target.find('/', scheme.size());
      target = slash == std::string_view::npos ? "/" : target.substr(slash);
      break;
    }
  }
  if (target != "*" && !target.starts_with('/')) return fail(400, "malformed request target");
  const size_t question = target.find('?');
  request_.path = target.substr(0, question);
  if (question != std::string_view::npos) request_.query = target.substr(question + 1);
  return true;
}

bool HttpParser::parse_field(std::string_view line) {
  if (line.starts_with(' ') || line.starts_with('\t')) {
    return fail(400, "a header field is folded over two lines");
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return fail(400, "malformed header field");
  }
  request_.headers.push_back(
      {lower_case(line.substr(0, colon)), std::string(trim(line.substr(colon + 1)))});
  return true;
}

bool HttpParser::check_host() {
  const std::string* host = nullptr;
  for (const HttpHeader& header : request_.headers) {
    if (header.name != "host") continue;
    if (host != nullptr) return fail(400, "more than one Host header");
    host = &header.value;
  }
  if (host == nullptr && request_.version_minor == 1) return fail(400, "no Host header");
  if (host != nullptr && host->find_first_of(" \t,/@\\") != std::string::npos) {
    return fail(400, "malformed Host header");
  }
  return true;
}

bool HttpParser::check_framing() {
  int num_lengths = 0;
  int num_codings = 0;
  for (const HttpHeader& header : request_.headers) {
    if (header.name == "content-length") {
      ++num_lengths;
      if (!read_length(header.value)) return false;
    } else if (header.name == "transfer-encoding") {
      ++num_codings;
      if (!equals_ignoring_case(header.value, "chunked")) {
        return fail(400, "Transfer-Encoding: expected chunked");
      }
    } else if (header.name == "connection") {
      for_each_token(header.value, [this](std::string_view token) {
        if (equals_ignoring_case(token, "close")) request_.keep_alive = false;
        if (equals_ignoring_case(token, "keep-alive") && request_.version_minor == 0) {
          request_.keep_alive = true;
        }
      });
    } else if (header.name == "expect") {
      request_.expects_continue = equals_ignoring_case(header.value, "100-continue");
      if (!request_.expects_continue) return fail(417, "Expect: expected 100-continue");
    }
  }
  if (num_lengths > 1) return fail(400, "more than one Content-Length");
  if (num_codings > 1) return fail(400, "more than one Transfer-Encoding");
  if (num_codings == 1 && num_lengths == 1) {
    return fail(400, "both Content-Length and Transfer-Encoding");
  }
  if (num_codings == 1 && request_.version_minor == 0) {
    return fail(400, "Transfer-Encoding in HTTP/1.0");
  }
  chunked_ = num_codings == 1;
  return true;
}

bool HttpParser::read_length(std::string_view value) {
  uint64_t length = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
  if (value.empty() || end != value.data() + value.size() ||
      (error != std::errc() && error != std::errc::result_out_of_range)) {
    return fail(400, "malformed Content-Length");
  }
  if (error != std::errc() || length > limits_.max_body_bytes) {
    return fail(413, "the request's body is too large");
  }
  content_length_ = length;
  return true;
}

size_t HttpParser::feed_body(std::string_view input) {
  if (!chunked_) {
    const size_t n = std::min<uint64_t>(remaining_, input.size());
    if (!discard_body_) request_.body.append(input.substr(0, n));
    remaining_ -= n;
    if (remaining_ == 0) state_ = State::kDone;
    return n;
  }
  const size_t used = chunks_.feed(input, request_.body);
  if (discard_body_) request_.body.clear();
  if (chunks_.failed()) {
    fail(400, "malformed chunk");
  } else if (chunks_.data_bytes() > limits_.max_body_bytes) {
    fail(413, "the request's body is too large");
  } else if (chunks_.done()) {
    state_ = State::kDone;
  }
  return used;
}

bool HttpParser::fail(int status, std::string_view message) {
  state_ = State::kFailed;
  error_status_ = status;
  error_message_ = message;
  return false;
}

}  // namespace orrery::server
