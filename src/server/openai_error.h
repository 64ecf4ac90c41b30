// ApiError: why a request is refused, as the OpenAI API says it; and ApiResult, a value or that.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace orrery::server {

struct ApiError {
  int status = 400;  // HTTP
  std::string message;
  std::string type = "invalid_request_error";
  std::string param = {};       // null if empty
  std::string code = {};        // null if empty
  int retry_after_seconds = 0;  // 0: no Retry-After header
};

// {"error":{"message","type","param","code"}}
std::string to_json(const ApiError& error);

// 400 about one parameter: "<param>: <what>".
ApiError bad_parameter(std::string_view param, std::string_view what);
// 400 for whatever a request can cause; the parameter is the name before the first ':' of the
// message. 503 for kUnavailable; 500 for kInternal and kIo, whose message stays in the log.
ApiError api_error_of(const Status& status);
// 503: the server cannot take it now, for a reason that passes.
ApiError overloaded(std::string_view message);

template <typename T>
class [[nodiscard]] ApiResult {
 public:
  ApiResult(T value) : value_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  ApiResult(ApiError error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return value_.has_value(); }
  const ApiError& error() const { return error_; }
  T& value() {
    CHECK(value_.has_value()) << error_.message;
    return *value_;
  }
  T& operator*() { return value(); }
  T* operator->() { return &value(); }

 private:
  std::optional<T> value_;
  ApiError error_;
};

}  // namespace orrery::server
