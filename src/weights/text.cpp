#include "weights/text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"

namespace orrery::weights {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

}  // namespace

std::string printable(std::string_view text) {
  constexpr size_t kMaxBytes = 120;
  const bool cut = text.size() > kMaxBytes;
  std::string result;
  for (char c : replace_invalid_utf8(text.substr(0, kMaxBytes))) {
    if (is_control(c)) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      result += c;
    }
  }
  if (cut) result += "...";
  return result;
}

bool is_plain_name(std::string_view text, size_t max_bytes) {
  return !text.empty() && text.size() <= max_bytes &&
         std::none_of(text.begin(), text.end(), is_control) && is_valid_utf8(text);
}

}  // namespace orrery::weights
