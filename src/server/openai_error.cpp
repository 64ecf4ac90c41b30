#include "server/openai_error.h"

#include <algorithm>

#include "base/log.h"
#include "server/json_writer.h"

namespace orrery::server {
namespace {

// "logit_bias" of "logit_bias: expected ..."; nothing if the message begins with anything else.
std::string parameter_of(std::string_view message) {
  const size_t colon = message.find(':');
  if (colon == message.npos || colon > 64) return {};
  const std::string_view name = message.substr(0, colon);
  const bool is_name = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '[' ||
           c == ']';
  });
  return is_name ? std::string(name) : std::string();
}

}  // namespace

std::string to_json(const ApiError& error) {
  JsonWriter json;
  json.open('{').key("error").open('{');
  json.key("message").value(error.message).key("type").value(error.type);
  json.key("param").text_or_null(error.param).key("code").text_or_null(error.code);
  json.close('}').close('}');
  return std::move(json).take();
}

ApiError bad_parameter(std::string_view param, std::string_view what) {
  return {.message = fmt::format("{}: {}", param, what), .param = std::string(param)};
}

ApiError api_error_of(const Status& status) {
  if (status.code() == StatusCode::kUnavailable) {
    return overloaded("the server has no room for this request now; try again later");
  }
  if (status.code() == StatusCode::kInternal || status.code() == StatusCode::kIo) {
    log::error("a request failed: {}", status.message());
    return {.status = 500,
            .message = "the server could not finish this request",
            .type = "server_error",
            .code = "internal_error"};
  }
  return {.message = status.message(), .param = parameter_of(status.message())};
}

ApiError overloaded(std::string_view message) {
  return {.status = 503,
          .message = std::string(message),
          .type = "server_error",
          .code = "server_overloaded",
          .retry_after_seconds = 1};
}

}  // namespace orrery::server
