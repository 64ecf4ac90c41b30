#include "server/json_writer.h"

#include <cmath>

#include "base/utf8.h"

namespace orrery::server {
namespace {

void append_escaped(unsigned char c, std::string& out) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
  }
}

void append_escaped(std::string_view text, std::string& out) {
  size_t plain = 0;  // begin of what is copied as it is
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7F) continue;
    out += text.substr(plain, i - plain);
    append_escaped(c, out);
    plain = i + 1;
  }
  out += text.substr(plain);
}

}  // namespace

JsonWriter& JsonWriter::value(float number) {
  if (!std::isfinite(number)) return null();
  separate();
  const size_t begin = out_.size();
  fmt::format_to(std::back_inserter(out_), "{}", number);
  if (out_.find_first_of(".e", begin) == std::string::npos) out_ += ".0";
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  separate();
  out_ += '"';
  if (is_valid_utf8(text)) {
    append_escaped(text, out_);
  } else {
    append_escaped(replace_invalid_utf8(text), out_);
  }
  out_ += '"';
  return *this;
}

}  // namespace orrery::server
