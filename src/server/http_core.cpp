#include "server/http_core.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace orrery::server {
namespace {

bool method_fits(const Route& route, std::string_view method) {
  return route.method == method || (route.method == "GET" && method == "HEAD");
}

HttpResponse with_retry_after(HttpResponse response, int seconds) {
  response.headers.push_back({"Retry-After", std::to_string(std::max(seconds, 1))});
  return response;
}

bool is_json(const HttpRequest& request) {
  const std::string* type = request.header("content-type");
  if (type == nullptr) return false;
  std::string_view media = std::string_view(*type).substr(0, type->find(';'));
  while (media.ends_with(' ') || media.ends_with('\t')) media.remove_suffix(1);
  return equals_ignoring_case(media, "application/json");
}

}  // namespace

HttpCore::Match HttpCore::match(const HttpRequest& request) const {
  Match match;
  for (const Route& route : routes) {
    const bool fits =
        route.prefix ? request.path.starts_with(route.path) : request.path == route.path;
    if (!fits) continue;
    if (method_fits(route, request.method)) {
      match.route = &route;
      match.needs_key = route.needs_key;
      match.for_browsers = route.for_browsers;
      return match;
    }
    match.needs_key = route.needs_key;
    match.allowed += (match.allowed.empty() ? "" : ", ") + route.method;
  }
  return match;
}

std::optional<HttpResponse> HttpCore::judge(HttpRequest& request, const Match& match) {
  if (auto response = preflight(request)) return response;
  if (!options.keys.empty() && match.needs_key) {
    const std::string* authorization = request.header("authorization");
    request.key = authorization == nullptr ? 0 : options.keys.find(*authorization);
    if (request.key == 0) {
      HttpResponse response =
          error_response(401,
                         authorization == nullptr ? "no API key: expected Authorization: Bearer KEY"
                                                  : "wrong API key",
                         "invalid_request_error", "invalid_api_key");
      response.headers.push_back(
          {"WWW-Authenticate", match.for_browsers ? "Basic realm=\"orrery\"" : "Bearer"});
      return response;
    }
  }
  if (match.route == nullptr && match.allowed.empty()) {
    return error_response(404, "no such route", "invalid_request_error", "not_found");
  }
  if (match.route == nullptr) {
    HttpResponse response = error_response(405, "expected method " + match.allowed,
                                           "invalid_request_error", "method_not_allowed");
    response.headers.push_back({"Allow", match.allowed});
    return response;
  }
  if (match.route->json_body && !is_json(request)) {
    return error_response(415, "expected Content-Type: application/json", "invalid_request_error",
                          "unsupported_media_type");
  }
  if (request.header("content-encoding") != nullptr) {
    return error_response(415, "expected a body without Content-Encoding", "invalid_request_error",
                          "unsupported_media_type");
  }
  if (match.route->counts) return refusal(admission.check(request.key, Clock::now()));
  return std::nullopt;
}

std::optional<HttpResponse> HttpCore::admit(uint32_t key) {
  if (draining) return refusal({});
  return refusal(admission.enter(key, Clock::now()));
}

std::optional<HttpResponse> HttpCore::refusal(const Admission::Answer& answer) const {
  if (draining) {
    return with_retry_after(
        error_response(503, "the server is shutting down", "server_error", "draining"), 1);
  }
  switch (answer.verdict) {
    case Admission::Verdict::kAdmitted:
      return std::nullopt;
    case Admission::Verdict::kServerFull:
      return with_retry_after(
          error_response(503, "the server's queue is full", "server_error", "overloaded"),
          answer.retry_after_seconds);
    default:
      return with_retry_after(error_response(429, "too many requests with this API key",
                                             "rate_limit_error", "rate_limit_exceeded"),
                              answer.retry_after_seconds);
  }
}

std::optional<HttpResponse> HttpCore::preflight(const HttpRequest& request) const {
  if (options.allowed_origins.empty() || request.method != "OPTIONS" ||
      request.header("origin") == nullptr ||
      request.header("access-control-request-method") == nullptr) {
    return std::nullopt;
  }
  HttpResponse response;
  response.status = 204;
  response.content_type.clear();
  response.headers = {{"Access-Control-Allow-Methods", "GET, POST"},
                      {"Access-Control-Allow-Headers", "authorization, content-type"},
                      {"Access-Control-Max-Age", "600"}};
  return response;
}

void HttpCore::add_cors(const HttpRequest& request, HttpResponse& response) const {
  const std::string* origin = request.header("origin");
  if (options.allowed_origins.empty() || origin == nullptr) return;
  for (const std::string& allowed : options.allowed_origins) {
    if (allowed != "*" && allowed != *origin) continue;
    response.headers.push_back({"Access-Control-Allow-Origin", allowed});
    response.headers.push_back({"Vary", "Origin"});
    return;
  }
}

std::string_view HttpCore::date() {
  const std::time_t now = std::time(nullptr);
  if (now != date_second_) {
    std::tm utc;
    gmtime_r(&now, &utc);
    char text[40];
    date_ = std::string(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc));
    date_second_ = now;
  }
  return date_;
}

void HttpCore::log_access(const HttpRequest& request, int status, uint64_t bytes,
                          Clock::time_point begun) {
  if (access_log_fd < 0) return;
  std::string path = request.path.substr(0, 128);
  std::replace_if(
      path.begin(), path.end(), [](char c) { return c <= ' ' || c == 0x7F; }, '?');
  const double ms = std::chrono::duration<double, std::milli>(Clock::now() - begun).count();
  const std::string line = fmt::format("{} {} {} {} key={} bytes={} ms={:.1f}\n", date(),
                                       request.method, path, status, request.key, bytes, ms);
  // One write a line; a full disk loses lines, not requests.
  [[maybe_unused]] const ssize_t n = ::write(access_log_fd, line.data(), line.size());
}

}  // namespace orrery::server
