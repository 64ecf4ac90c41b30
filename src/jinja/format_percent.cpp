// "..." % values, as Python's str does it.
#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "jinja/format_spec.h"
#include "jinja/text_ops.h"

namespace orrery::jinja {
namespace {

class PercentFormatter {
 public:
  PercentFormatter(Interpreter& vm, const StringObject& format, const Value& args)
      : vm_(vm), format_(format), args_(args) {}

  Value run() {
    const std::string_view text = format_.text.view();
    while (!vm_.failed()) {
      const size_t percent = std::min(text.find('%', at_), text.size());
      if (!vm_.charge_bytes(percent - at_)) {
        break;
      }
      out_.append(format_.text, at_, percent);
      at_ = percent + 1;
      if (percent == text.size()) {
        break;
      }
      directive();
    }
    if (vm_.failed()) {
      return {};
    }
    // What has items counts as a mapping, whose values need not be used.
    const bool is_mapping =
        args_.is_dict() || args_.is_list() || args_.is(Kind::kRange) || args_.is_undefined();
    const bool all_used =
        args_.is_tuple() ? next_ == args_.items().size() : next_ == 1 || is_mapping;
    if (!all_used) {
      return vm_.error("not all arguments converted during string formatting");
    }
    return vm_.text(std::move(out_), format_.markup);
  }

 private:
  char peek() const { return at_ < format_.text.size() ? format_.text.bytes()[at_] : '\0'; }

  Value next_value() {
    if (keyed_) {
      return key_value_;
    }
    const size_t available = args_.is_tuple() ? args_.items().size() : 1;
    if (next_ >= available) {
      return vm_.error("not enough arguments for format string");
    }
    const size_t i = next_++;
    return args_.is_tuple() ? args_.items()[i] : args_;
  }

  bool read_key() {
    // Parentheses inside a key balance.
    int depth = 1;
    const size_t begin = ++at_;
    for (; at_ < format_.text.size(); ++at_) {
      depth += peek() == '(' ? 1 : peek() == ')' ? -1 : 0;
      if (depth == 0) {
        break;
      }
    }
    if (depth != 0) {
      vm_.error("incomplete format key");
      return false;
    }
    if (!args_.is_dict()) {
      vm_.error("format requires a mapping");
      return false;
    }
    const std::string_view key = format_.text.view().substr(begin, at_ - begin);
    const Value* found = args_.dict().find(key);
    if (found == nullptr) {
      vm_.error("format: no key '{}'", key);
      return false;
    }
    ++at_;
    keyed_ = true;
    key_value_ = *found;
    return true;
  }

  // A number, or * for the next argument.
  bool read_count(int64_t& count) {
    if (peek() == '*') {
      ++at_;
      const Value value = next_value();
      if (!vm_.failed() && !value.is_integral()) {
        vm_.error("* wants int");
      }
      count = vm_.failed() ? 0 : value.integer();
      return !vm_.failed();
    }
    count = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      count = std::min<int64_t>(count * 10 + (peek() - '0'), INT32_MAX);
    }
    return true;
  }

  bool read_flags(FormatSpec& spec) {
    for (;; ++at_) {
      switch (peek()) {
        case '-':
          spec.align = '<';
          break;
        case '+':
          spec.sign = '+';
          break;
        case ' ':
          spec.sign = spec.sign == '+' ? '+' : ' ';
          break;
        case '#':
          spec.alternate = true;
          break;
        case '0':
          spec.zero = true;
          break;
        default:
          return true;
      }
    }
  }

  void directive() {
    FormatSpec spec;
    keyed_ = false;
    if (!vm_.charge(4)) {
      return;
    }
    if (peek() == '(' && !read_key()) {
      return;
    }
    read_flags(spec);
    if (!read_count(spec.width)) {
      return;
    }
    if (spec.width < 0) {
      spec.align = '<';
      spec.width = spec.width == INT64_MIN ? INT64_MAX : -spec.width;
    }
    if (peek() == '.') {
      ++at_;
      if (!read_count(spec.precision)) {
        return;
      }
      spec.precision = std::max<int64_t>(spec.precision, 0);
    }
    while (peek() == 'h' || peek() == 'l' || peek() == 'L') {
      ++at_;
    }
    spec.type = peek();
    ++at_;
    if (spec.type == '%') {
      out_.append("%");
    } else if (spec.type == '\0') {
      vm_.error("incomplete format");
    } else if (const Value value = next_value(); !vm_.failed()) {
      convert(value, spec);
    }
  }

  void convert(const Value& value, FormatSpec& spec) {
    switch (spec.type) {
      case 's':
      case 'r':
      case 'a':
        return convert_text(value, spec);
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o':
        return convert_int(value, spec);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        if (!value.is_number()) {
          vm_.error("must be real number, not {}", type_name(value));
          return;
        }
        return convert_number(value, spec);
      case 'c':
        return convert_char(value, spec);
      default:
        vm_.error("unsupported format character '{}'", spec.type);
    }
  }

  void pad(const Text& body, const FormatSpec& spec) {
    const auto length = static_cast<int64_t>(count_characters(body.view()));
    const auto fill = static_cast<size_t>(std::max<int64_t>(spec.width - length, 0));
    if (vm_.charge_bytes(fill) && vm_.charge_bytes(body.size())) {
      const bool left = spec.align == '<';
      out_.append(padded(body, left ? 0 : fill, left ? fill : 0, " "));
    }
  }

  void convert_text(const Value& value, const FormatSpec& spec) {
    Text body;
    if (spec.type != 's') {
      append_repr(vm_, value, body);
    } else if (format_.markup) {
      body = escaped(vm_, value);
    } else {
      append_str(vm_, value, body);
    }
    if (spec.precision >= 0 &&
        static_cast<size_t>(spec.precision) < count_characters(body.view())) {
      const StringObject string(body, false);
      body = body.slice(0, string.byte_offset(static_cast<size_t>(spec.precision)));
    }
    pad(body, spec);
  }

  void convert_int(const Value& value, FormatSpec& spec) {
    Value whole = value;
    const bool decimal = spec.type == 'd' || spec.type == 'i' || spec.type == 'u';
    if (value.is_float() && decimal) {
      if (!(std::fabs(value.real()) < 9.2e18)) {
        vm_.error("cannot convert float to a 64-bit integer");
        return;
      }
      whole = Value::integer(static_cast<int64_t>(value.real()));
    } else if (!value.is_integral()) {
      vm_.error("%{} format: {} is required, not {}", spec.type,
                decimal ? "a real number" : "an integer", type_name(value));
      return;
    }
    spec.type = decimal ? 'd' : spec.type;
    // A precision is a least number of digits here.
    const int64_t digits = spec.precision;
    spec.precision = -1;
    if (digits > 0) {
      pad_digits(whole, digits, spec);
    } else {
      convert_number(whole, spec);
    }
  }

  void pad_digits(const Value& value, int64_t digits, FormatSpec spec) {
    FormatSpec inner = spec;
    inner.align = 0;
    inner.width = 0;
    Text plain;
    if (!format_number(vm_, value, inner, plain)) {
      return;
    }
    const std::string& text = plain.bytes();
    size_t head = text.find_first_of("0123456789abcdefABCDEF");
    if (spec.alternate && (spec.type == 'x' || spec.type == 'X' || spec.type == 'o')) {
      head += 2;
    }
    const auto missing = static_cast<size_t>(
        std::max<int64_t>(digits - static_cast<int64_t>(text.size() - head), 0));
    if (vm_.charge_bytes(missing)) {
      std::string zeros(missing, '0');
      Text digits_padded;
      digits_padded.append(std::string_view(text).substr(0, head));
      digits_padded.append(zeros);
      digits_padded.append(std::string_view(text).substr(head));
      pad(digits_padded, spec);
    }
  }

  void convert_number(const Value& value, FormatSpec& spec) {
    if (spec.zero && spec.align == 0) {
      spec.fill.assign(1, '0');
      spec.align = '=';
    } else if (spec.align == 0) {
      spec.align = '>';
    }
    format_number(vm_, value, spec, out_);
  }

  void convert_char(const Value& value, const FormatSpec& spec) {
    if (value.is_string() && value.string().length() == 1) {
      pad(value.text(), spec);
      return;
    }
    const bool is_code = value.is_integral() && value.integer() >= 0 &&
                         value.integer() <= 0x10FFFF &&
                         (value.integer() < 0xD800 || value.integer() > 0xDFFF);
    if (!is_code) {
      vm_.error("%c requires an int in the range of characters, or a char");
      return;
    }
    std::string character;
    append_utf8(static_cast<char32_t>(value.integer()), character);
    pad(Text(character), spec);
  }

  Interpreter& vm_;
  const StringObject& format_;
  const Value& args_;
  Text out_;
  size_t at_ = 0;
  size_t next_ = 0;
  bool keyed_ = false;
  Value key_value_;
};

}  // namespace

Value percent_format(Interpreter& vm, const StringObject& format, const Value& args) {
  return PercentFormatter(vm, format, args).run();
}

}  // namespace orrery::jinja
