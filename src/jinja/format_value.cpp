// format(value, spec): Python's format specification mini-language, also behind % formatting.
#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "jinja/format_spec.h"
#include "jinja/text_ops.h"

namespace orrery::jinja {
namespace {

bool is_align(char32_t c) { return c == '<' || c == '>' || c == '=' || c == '^'; }

bool read_number(std::string_view spec, size_t& at, int64_t& number) {
  number = 0;
  for (; at < spec.size() && spec[at] >= '0' && spec[at] <= '9'; ++at) {
    number = number * 10 + (spec[at] - '0');
    if (number > INT32_MAX) {
      return false;
    }
  }
  return true;
}

std::string grouped(std::string_view digits, char separator, size_t every) {
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % every == 0) {
      out += separator;
    }
    out += digits[i];
  }
  return out;
}

std::string in_base(uint64_t value, unsigned base, bool upper) {
  std::string out;
  do {
    const auto digit = static_cast<char>(value % base);
    out += static_cast<char>(digit < 10 ? '0' + digit : (upper ? 'A' : 'a') + digit - 10);
    value /= base;
  } while (value != 0);
  std::reverse(out.begin(), out.end());
  return out;
}

// The digits of a number's magnitude, without sign; `fraction` begins at '.', 'e' or '%'.
struct Digits {
  bool negative = false;
  std::string prefix, whole, fraction;
};

Digits split_digits(std::string text, bool negative) {
  Digits digits;
  digits.negative = negative;
  const size_t end = std::min(text.find_first_of(".eE%"), text.size());
  // "inf" and "nan" have no digits to group.
  const bool is_number = !text.empty() && text[0] >= '0' && text[0] <= '9';
  digits.whole = text.substr(0, is_number ? end : text.size());
  digits.fraction = is_number ? text.substr(end) : "";
  return digits;
}

std::string general(double magnitude, int precision, bool alternate, char type) {
  const std::string pattern =
      fmt::format("{{:{}.{}{}}}", alternate ? "#" : "", std::max(precision, 1), type);
  return fmt::format(fmt::runtime(pattern), magnitude);
}

Digits float_digits(double value, const FormatSpec& spec) {
  const double magnitude = std::fabs(value);
  const bool negative = std::signbit(value) && !std::isnan(value);
  const auto precision = static_cast<int>(spec.precision < 0 ? 6 : spec.precision);
  if (!std::isfinite(value)) {
    const bool upper = spec.type == 'E' || spec.type == 'F' || spec.type == 'G';
    std::string text = std::isnan(value) ? upper ? "NAN" : "nan" : upper ? "INF" : "inf";
    return split_digits(text + (spec.type == '%' ? "%" : ""), negative);
  }
  switch (spec.type) {
    case 'e':
    case 'E':
    case 'f':
    case 'F': {
      const std::string pattern = fmt::format("{{:{}.{}{}}}", spec.alternate ? "#" : "", precision,
                                              spec.type == 'F' ? 'f' : spec.type);
      return split_digits(fmt::format(fmt::runtime(pattern), magnitude), negative);
    }
    case '%':
      return split_digits(fmt::format("{:.{}f}%", magnitude * 100, precision), negative);
    case 'g':
    case 'G':
    case 'n':
      return split_digits(
          general(magnitude, precision, spec.alternate, spec.type == 'G' ? 'G' : 'g'), negative);
    default:
      break;
  }
  if (spec.precision < 0) {
    return split_digits(float_repr(magnitude), negative);
  }
  // Like 'g', with at least one digit after the point.
  std::string text = general(magnitude, precision, spec.alternate, 'g');
  if (text.find_first_of(".e") == std::string::npos) {
    text += ".0";
  }
  return split_digits(text, negative);
}

bool int_digits(Interpreter& vm, int64_t value, const FormatSpec& spec, Digits& digits) {
  digits.negative = value < 0;
  const uint64_t magnitude =
      value < 0 ? ~static_cast<uint64_t>(value) + 1 : static_cast<uint64_t>(value);
  switch (spec.type) {
    case 'b':
      digits.prefix = std::string("0b");
      digits.whole = in_base(magnitude, 2, false);
      break;
    case 'o':
      digits.prefix = std::string("0o");
      digits.whole = in_base(magnitude, 8, false);
      break;
    case 'x':
    case 'X':
      digits.prefix = std::string{'0', spec.type};
      digits.whole = in_base(magnitude, 16, spec.type == 'X');
      break;
    default:
      digits.whole = in_base(magnitude, 10, false);
  }
  if (!spec.alternate) {
    digits.prefix.clear();
  }
  if (spec.precision >= 0) {
    vm.error("precision not allowed in integer format specifier");
  }
  return !vm.failed();
}

void append_padded(Interpreter& vm, const Text& body, const FormatSpec& spec, char align,
                   Text& out) {
  const auto length = static_cast<int64_t>(count_characters(body.view()));
  const int64_t pad = std::max<int64_t>(spec.width - length, 0);
  if (!vm.charge_bytes(static_cast<uint64_t>(pad)) || !vm.charge_bytes(body.size())) {
    return;
  }
  const int64_t left = align == '>' ? pad : align == '^' ? pad / 2 : 0;
  out.append(padded(body, static_cast<size_t>(left), static_cast<size_t>(pad - left), spec.fill));
}

void append_number(Interpreter& vm, Digits digits, const FormatSpec& spec, Text& out) {
  const std::string sign = digits.negative    ? "-"
                           : spec.sign == '-' ? ""
                                              : std::string(1, spec.sign);
  const char align = spec.align != 0 ? spec.align : spec.zero ? '=' : '>';
  const std::string head = sign + digits.prefix;
  if (!vm.charge_bytes(static_cast<uint64_t>(std::max<int64_t>(spec.width, 0)))) {
    return;
  }
  const size_t every =
      spec.type == 'b' || spec.type == 'o' || spec.type == 'x' || spec.type == 'X' ? 4 : 3;
  if (align == '=') {
    // Zeros belong to the digits, and are grouped with them; another fill does not.
    const bool zeros = spec.fill == "0";
    const auto used = head.size() + digits.fraction.size();
    const auto room =
        static_cast<size_t>(std::max<int64_t>(spec.width - static_cast<int64_t>(used), 0));
    std::string whole = spec.group != 0 ? grouped(digits.whole, spec.group, every) : digits.whole;
    if (zeros) {
      while (whole.size() < room) {
        digits.whole.insert(digits.whole.begin(), '0');
        whole = spec.group != 0 ? grouped(digits.whole, spec.group, every) : digits.whole;
        if (!vm.charge(1 + digits.whole.size() / 16)) {
          return;
        }
      }
    }
    out.append(head);
    for (size_t i = whole.size(); i < room; ++i) {
      out.append(spec.fill);
    }
    out.append(whole + digits.fraction);
    return;
  }
  const std::string whole =
      spec.group != 0 ? grouped(digits.whole, spec.group, every) : digits.whole;
  append_padded(vm, Text(head + whole + digits.fraction), spec, align, out);
}

bool format_integer(Interpreter& vm, int64_t value, const FormatSpec& spec, Text& out) {
  if (spec.type == 'c') {
    if (value < 0 || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
      vm.error("%c: {} is not a character", value);
      return false;
    }
    std::string character;
    append_utf8(static_cast<char32_t>(value), character);
    append_padded(vm, Text(character), spec, spec.align != 0 ? spec.align : '<', out);
    return !vm.failed();
  }
  Digits digits;
  if (!int_digits(vm, value, spec, digits)) {
    return false;
  }
  append_number(vm, std::move(digits), spec, out);
  return !vm.failed();
}

bool format_text(Interpreter& vm, const Text& text, const FormatSpec& spec, Text& out) {
  if ((spec.type != 0 && spec.type != 's') || spec.sign != '-' || spec.alternate ||
      spec.group != 0 || spec.align == '=') {
    vm.error("invalid format specifier for a str");
    return false;
  }
  Text body = text;
  if (spec.precision >= 0 && static_cast<size_t>(spec.precision) < count_characters(text.view())) {
    const StringObject string(text, false);
    body = text.slice(0, string.byte_offset(static_cast<size_t>(spec.precision)));
  }
  append_padded(vm, body, spec, spec.align != 0 ? spec.align : '<', out);
  return !vm.failed();
}

}  // namespace

bool parse_format_spec(std::string_view spec, FormatSpec& out) {
  size_t at = 0;
  if (!spec.empty()) {
    const size_t first = decode_utf8(spec).length;
    if (first < spec.size() && is_align(static_cast<unsigned char>(spec[first]))) {
      out.fill = std::string(spec.substr(0, first));
      out.align = spec[first];
      at = first + 1;
    } else if (is_align(static_cast<unsigned char>(spec[0]))) {
      out.align = spec[0];
      at = 1;
    }
  }
  const auto take = [&](std::string_view choices) {
    return at < spec.size() && choices.find(spec[at]) != std::string_view::npos ? spec[at++] : '\0';
  };
  if (const char sign = take("+- "); sign != '\0') {
    out.sign = sign;
  }
  take("z");
  out.alternate = take("#") != '\0';
  if (take("0") != '\0') {
    out.zero = true;
    out.fill = out.align == 0 ? "0" : out.fill;
  }
  if (!read_number(spec, at, out.width)) {
    return false;
  }
  out.group = take(",_");
  if (take(".") != '\0') {
    const size_t begin = at;
    if (!read_number(spec, at, out.precision) || at == begin) {
      return false;
    }
  }
  out.type = take("bcdeEfFgGnosxX%");
  return at == spec.size();
}

bool format_number(Interpreter& vm, const Value& value, FormatSpec spec, Text& out) {
  // The digits of a float cost time that grows with their number, squared.
  const auto precision = static_cast<uint64_t>(std::max<int64_t>(spec.precision, 0));
  if (!vm.charge(10 + precision / 2)) {
    return false;
  }
  if (spec.precision > 1000) {
    vm.error("a precision of {} digits is too large", spec.precision);
    return false;
  }
  const bool float_type =
      spec.type != 0 && std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos;
  if (value.is_float() || float_type) {
    if (!float_type && spec.type != 0 && spec.type != 'n') {
      vm.error("unknown format code '{}' for object of type 'float'", spec.type);
      return false;
    }
    append_number(vm, float_digits(value.real(), spec), spec, out);
    return !vm.failed();
  }
  if (spec.type == 's') {
    vm.error("unknown format code 's' for object of type 'int'");
    return false;
  }
  return format_integer(vm, value.integer(), spec, out);
}

bool format_value(Interpreter& vm, const Value& value, std::string_view text, Text& out) {
  if (text.empty()) {
    append_str(vm, value, out);
    return !vm.failed();
  }
  FormatSpec spec;
  if (!parse_format_spec(text, spec)) {
    vm.error("invalid format specifier '{}'", text);
    return false;
  }
  if (value.is_string()) {
    return format_text(vm, value.text(), spec, out);
  }
  if (value.is_number()) {
    return format_number(vm, value, spec, out);
  }
  vm.error("unsupported format string passed to {}.__format__", type_name(value));
  return false;
}

}  // namespace orrery::jinja
