// JsonWriter: appends JSON to a string, for answers that are written a token at a time.
//
// The caller opens and closes in pairs; commas are the writer's. What it writes is always valid
// JSON: control characters are escaped, ill-formed UTF-8 becomes U+FFFD, NaN and infinity become
// null.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

namespace orrery::server {

class JsonWriter {
 public:
  JsonWriter() = default;
  explicit JsonWriter(std::string begin) : out_(std::move(begin)) {}

  // '{' or '[', and '}' or ']'.
  JsonWriter& open(char bracket) {
    separate();
    out_ += bracket;
    comma_ = false;
    return *this;
  }
  JsonWriter& close(char bracket) {
    out_ += bracket;
    comma_ = true;
    return *this;
  }
  JsonWriter& key(std::string_view name) {
    value(name);
    out_ += ':';
    comma_ = false;
    return *this;
  }
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool flag) { return raw(flag ? "true" : "false"); }
  JsonWriter& value(int32_t number) { return value(static_cast<int64_t>(number)); }
  JsonWriter& value(int64_t number) {
    separate();
    fmt::format_to(std::back_inserter(out_), "{}", number);
    return *this;
  }
  // The shortest text that reads back as the same float; 1 is written as 1.0.
  JsonWriter& value(float number);
  JsonWriter& null() { return raw("null"); }
  JsonWriter& text_or_null(std::string_view text) { return text.empty() ? null() : value(text); }
  // Text that is JSON already.
  JsonWriter& raw(std::string_view json) {
    separate();
    out_ += json;
    return *this;
  }
  template <typename Range>
  JsonWriter& array(const Range& values) {
    open('[');
    for (const auto& each : values) value(each);
    return close(']');
  }

  const std::string& text() const { return out_; }
  std::string take() && { return std::move(out_); }

 private:
  void separate() {
    if (comma_) out_ += ',';
    comma_ = true;
  }

  std::string out_;
  bool comma_ = false;
};

}  // namespace orrery::server
