// HttpRequest, HttpResponse: one HTTP message as a value, and the error bodies that all routes
// share.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::server {

struct HttpHeader {
  std::string name;  // of requests: in lower case
  std::string value;
};

struct HttpRequest {
  std::string method;  // "GET", as sent
  std::string path;    // undecoded, up to '?': routes match it byte for byte
  std::string query;   // after '?'
  int version_minor = 1;
  std::vector<HttpHeader> headers;
  bool keep_alive = true;
  bool expects_continue = false;
  std::string body;
  std::chrono::steady_clock::time_point received = {};  // when its last byte was read
  uint32_t key = 0;  // whose API key it carried, from 1; 0: the server asks for none

  // The first header of this name (in lower case), or nullptr.
  const std::string* header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";  // empty: none
  std::string body;
  std::vector<HttpHeader> headers;  // besides type, length, date and connection
};

// "OK", "Not Found", ...
std::string_view reason_phrase(int status);

// {"error":{"message","type","param","code"}}; param and code are null where empty.
HttpResponse error_response(int status, std::string_view message, std::string_view type,
                            std::string_view code = {}, std::string_view param = {});

// ASCII only, as HTTP's names are.
bool equals_ignoring_case(std::string_view a, std::string_view b);

// Calls visit(token) for each of a comma-separated list, trimmed.
template <typename Visit>
void for_each_token(std::string_view list, const Visit& visit) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    std::string_view token = list.substr(0, comma);
    while (!token.empty() && (token.front() == ' ' || token.front() == '\t'))
      token.remove_prefix(1);
    while (!token.empty() && (token.back() == ' ' || token.back() == '\t')) token.remove_suffix(1);
    if (!token.empty()) visit(token);
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace orrery::server
