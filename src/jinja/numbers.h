// Python's int() and float() of text.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace orrery::jinja {

enum class ParseResult : uint8_t { kOk, kInvalid, kTooLarge };

// int(text, base): spaces around, a sign, underscores between digits, a prefix as the base allows.
ParseResult parse_int(std::string_view text, int base, int64_t& out);
// float(text): also nan, inf, infinity.
std::optional<double> parse_float(std::string_view text);

}  // namespace orrery::jinja
