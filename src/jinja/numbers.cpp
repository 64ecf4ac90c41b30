#include "jinja/numbers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "jinja/text_ops.h"

namespace orrery::jinja {
namespace {

int digit_value(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'z' ? lower - 'a' + 10 : 99;
}

std::string trimmed(std::string_view text) {
  return strip(Text(std::string(text)), std::nullopt, kBoth).bytes();
}

// Takes the underscores out; false if one does not stand between digits.
bool remove_underscores(std::string& digits) {
  for (size_t i = 0; i < digits.size(); ++i) {
    if (digits[i] == '_' &&
        (i == 0 || i + 1 == digits.size() || digits[i - 1] == '_' || digits[i + 1] == '_')) {
      return false;
    }
  }
  digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
  return true;
}

}  // namespace

ParseResult parse_int(std::string_view text, int base, int64_t& out) {
  std::string digits = trimmed(text);
  bool negative = false;
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) {
    negative = digits[0] == '-';
    digits.erase(0, 1);
  }
  if (digits.size() > 2 && digits[0] == '0') {
    const char letter = static_cast<char>(digits[1] | 0x20);
    const int prefix = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
    if (prefix != 0 && (base == prefix || base == 0)) {
      base = prefix;
      digits.erase(0, digits[2] == '_' ? 3 : 2);
    }
  }
  if (base == 0) {
    const bool has_zeros = digits.size() > 1 && digits[0] == '0';
    if (has_zeros && digits.find_first_not_of("0_") != std::string::npos) {
      return ParseResult::kInvalid;
    }
    base = 10;
  }
  if (base < 2 || base > 36 || digits.empty() || !remove_underscores(digits)) {
    return ParseResult::kInvalid;
  }
  if (std::any_of(digits.begin(), digits.end(),
                  [base](char c) { return digit_value(c) >= base; })) {
    return ParseResult::kInvalid;
  }
  if (negative) {
    digits.insert(digits.begin(), '-');
  }
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), out, base);
  return error == std::errc() && end == digits.data() + digits.size() ? ParseResult::kOk
                                                                      : ParseResult::kTooLarge;
}

std::optional<double> parse_float(std::string_view text) {
  std::string digits = trimmed(text);
  double sign = 1;
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) {
    sign = digits[0] == '-' ? -1 : 1;
    digits.erase(0, 1);
  }
  std::string lower = digits;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (lower == "inf" || lower == "infinity") {
    return sign * HUGE_VAL;
  }
  if (lower == "nan") {
    return std::nan("");
  }
  const bool starts_well =
      !digits.empty() && ((digits[0] >= '0' && digits[0] <= '9') || digits[0] == '.');
  if (!starts_well || !remove_underscores(digits)) {
    return std::nullopt;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value,
                                            std::chars_format::general);
  if (end != digits.data() + digits.size() || error == std::errc::invalid_argument) {
    return std::nullopt;
  }
  if (error == std::errc::result_out_of_range) {
    // Python gives infinity, or zero.
    const size_t exponent = digits.find_first_of("eE");
    const bool tiny = exponent != std::string::npos && digits[exponent + 1] == '-';
    value = tiny ? 0 : HUGE_VAL;
  }
  return sign * value;
}

}  // namespace orrery::jinja
