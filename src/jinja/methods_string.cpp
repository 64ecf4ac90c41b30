// str's methods that make text or look at its characters; searching ones are in
// methods_search.cpp.
#include <algorithm>

#include "base/utf8.h"
#include "jinja/loop.h"
#include "jinja/params.h"
#include "jinja/text_ops.h"
#include "jinja/unicode.h"

namespace orrery::jinja {

Value centered(Interpreter& vm, const Text& text, int64_t width, std::string_view fill) {
  const auto length = static_cast<int64_t>(count_characters(text.view()));
  const int64_t pad = width > length ? width - length : 0;
  if (!vm.charge_bytes(static_cast<uint64_t>(pad)) || !vm.charge_bytes(text.size())) {
    return {};
  }
  // CPython puts the odd one to the left if the width is odd.
  const int64_t left = pad / 2 + (pad & width & 1);
  return vm.text(padded(text, static_cast<size_t>(left), static_cast<size_t>(pad - left), fill));
}

Value replaced(Interpreter& vm, const Text& text, const Text& from, const Text& to, int64_t count,
               bool markup) {
  if (!vm.charge_bytes(text.size()) || (from.empty() && !vm.charge_chars(text.size()))) {
    return {};
  }
  const size_t limit = count < 0 ? SIZE_MAX : static_cast<size_t>(count);
  const size_t found = from.empty() ? std::min(limit, count_characters(text.view()) + 1)
                                    : count_occurrences(text.view(), from.view(), count);
  uint64_t added = 0;
  if (__builtin_mul_overflow(found, to.size(), &added) || !vm.charge(found / 2 + 1) ||
      !vm.charge_bytes(added)) {
    return {};
  }
  return vm.text(replace(text, from, to, count), markup);
}

namespace {

bool is_markup(const Call& call) { return call[0].string().markup; }

Value cased(Interpreter& vm, const Call& call, Case to) {
  // Mapping a character beyond ASCII takes two binary searches.
  return vm.charge(call[0].text().size() / 2 + 1)
             ? vm.text(change_case(call[0].text(), to), is_markup(call))
             : Value();
}
Value upper(Interpreter& vm, Call& call) { return cased(vm, call, Case::kUpper); }
Value lower(Interpreter& vm, Call& call) { return cased(vm, call, Case::kLower); }
Value title(Interpreter& vm, Call& call) { return cased(vm, call, Case::kTitle); }
Value capitalize(Interpreter& vm, Call& call) { return cased(vm, call, Case::kCapitalize); }
Value swap_case(Interpreter& vm, Call& call) { return cased(vm, call, Case::kSwap); }

Value stripped(Interpreter& vm, const Call& call, Sides sides) {
  std::optional<std::string_view> chars;
  if (is_given(call, 1)) {
    if (!is_string_param(vm, call, 1)) {
      return {};
    }
    chars = call[1].view();
  }
  return vm.charge_bytes(call[0].text().size() + (chars ? 128 * chars->size() : 0))
             ? vm.text(strip(call[0].text(), chars, sides), is_markup(call))
             : Value();
}
Value strip_both(Interpreter& vm, Call& call) { return stripped(vm, call, kBoth); }
Value strip_left(Interpreter& vm, Call& call) { return stripped(vm, call, kLeft); }
Value strip_right(Interpreter& vm, Call& call) { return stripped(vm, call, kRight); }

Value replace_method(Interpreter& vm, Call& call) {
  if (!is_string_param(vm, call, 1) || !is_string_param(vm, call, 2)) {
    return {};
  }
  const int64_t count = int_param(vm, call, 3, -1);
  return vm.failed()
             ? Value()
             : replaced(vm, call[0].text(), call[1].text(), call[2].text(), count, is_markup(call));
}

Value remove_affix(Interpreter& vm, const Call& call, bool prefix) {
  if (!is_string_param(vm, call, 1)) {
    return {};
  }
  const Text& text = call[0].text();
  const std::string_view affix = call[1].view();
  const bool fits = affix.size() <= text.size();
  const size_t at = prefix || !fits ? 0 : text.size() - affix.size();
  if (!fits || text.view().substr(at, affix.size()) != affix) {
    return call[0];
  }
  return vm.charge_bytes(text.size())
             ? vm.text(prefix ? text.slice(affix.size(), text.size()) : text.slice(0, at),
                       is_markup(call))
             : Value();
}
Value remove_prefix(Interpreter& vm, Call& call) { return remove_affix(vm, call, true); }
Value remove_suffix(Interpreter& vm, Call& call) { return remove_affix(vm, call, false); }

Value join(Interpreter& vm, Call& call) {
  Cursor cursor;
  if (!Cursor::open(vm, call[1], cursor)) {
    return {};
  }
  Text out;
  Value item;
  for (bool first = true; cursor.next(vm, item); first = false) {
    if (!item.is_string()) {
      return vm.error("sequence item: expected str instance, {} found", type_name(item));
    }
    if (!vm.charge_bytes(item.text().size() + call[0].text().size())) {
      return {};
    }
    if (!first) {
      out.append(call[0].text());
    }
    out.append(is_markup(call) ? escaped(vm, item) : item.text());
  }
  return vm.text(std::move(out), is_markup(call));
}

// The character that fills: argument 2, or a space.
bool fill_of(Interpreter& vm, const Call& call, std::string_view& fill) {
  fill = " ";
  if (!call.has(2)) {
    return true;
  }
  if (!is_string_param(vm, call, 2)) {
    return false;
  }
  fill = call[2].view();
  if (count_characters(fill) != 1) {
    vm.error("the fill character must be exactly one character long");
    return false;
  }
  return true;
}

Value justified(Interpreter& vm, const Call& call, bool right) {
  std::string_view fill;
  const int64_t width = int_param(vm, call, 1, 0);
  if (vm.failed() || !fill_of(vm, call, fill)) {
    return {};
  }
  const int64_t length = static_cast<int64_t>(call[0].string().length());
  const auto pad = static_cast<size_t>(width > length ? width - length : 0);
  if (!vm.charge_bytes(pad) || !vm.charge_bytes(call[0].text().size())) {
    return {};
  }
  return vm.text(padded(call[0].text(), right ? pad : 0, right ? 0 : pad, fill), is_markup(call));
}
Value left_justified(Interpreter& vm, Call& call) { return justified(vm, call, false); }
Value right_justified(Interpreter& vm, Call& call) { return justified(vm, call, true); }
Value center(Interpreter& vm, Call& call) {
  std::string_view fill;
  const int64_t width = int_param(vm, call, 1, 0);
  return vm.failed() || !fill_of(vm, call, fill) ? Value()
                                                 : centered(vm, call[0].text(), width, fill);
}

Value zero_fill(Interpreter& vm, Call& call) {
  const Text& text = call[0].text();
  const int64_t width = int_param(vm, call, 1, 0);
  const int64_t length = static_cast<int64_t>(call[0].string().length());
  const auto pad = static_cast<size_t>(width > length ? width - length : 0);
  if (!vm.charge_bytes(pad) || !vm.charge_bytes(text.size())) {
    return {};
  }
  const bool has_sign = !text.empty() && (text.bytes()[0] == '+' || text.bytes()[0] == '-');
  Text out = text.slice(0, has_sign ? 1 : 0);
  out.append(std::string(pad, '0'));
  out.append(text, has_sign ? 1 : 0, text.size());
  return vm.text(std::move(out), is_markup(call));
}

Value expand_tabs(Interpreter& vm, Call& call) {
  const int64_t size = int_param(vm, call, 1, 8);
  const Text& text = call[0].text();
  Text out;
  int64_t column = 0;
  if (!vm.charge_chars(text.size())) {
    return {};
  }
  for (size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text.view().substr(at));
    if (c.code_point == '\t') {
      const int64_t spaces = size > 0 ? size - column % size : 0;
      if (!vm.charge_bytes(static_cast<uint64_t>(spaces))) {
        return {};
      }
      out.append(std::string(static_cast<size_t>(spaces), ' '));
      column += spaces;
    } else {
      out.append(text, at, at + c.length);
      column = c.code_point == '\n' || c.code_point == '\r' ? 0 : column + 1;
    }
    at += c.length;
  }
  return vm.text(std::move(out));
}

Value format(Interpreter& vm, Call& call) { return brace_format(vm, call[0].string(), call.rest); }
Value format_map(Interpreter& vm, Call& call) {
  if (!call[1].is_dict()) {
    return vm.error("format_map() needs a mapping, got {}", type_name(call[1]));
  }
  Args args;
  args.keywords = call[1].dict().entries;
  return vm.charge(args.keywords.size()) ? brace_format(vm, call[0].string(), args) : Value();
}

// Whether there are characters, and each one satisfies `holds`.
template <bool (*holds)(char32_t)>
Value all_are(Interpreter& vm, Call& call) {
  const std::string_view bytes = call[0].view();
  if (!vm.charge_chars(bytes.size())) {
    return {};
  }
  bool all = !bytes.empty();
  for (size_t at = 0; at < bytes.size() && all;) {
    const Utf8Char c = decode_utf8(bytes.substr(at));
    all = holds(c.code_point);
    at += c.length;
  }
  return Value::boolean(all);
}

Value is_ascii(Interpreter&, Call& call) { return Value::boolean(call[0].string().ascii); }
Value is_printable_text(Interpreter& vm, Call& call) {
  return call[0].text().empty() ? Value::boolean(true) : all_are<is_printable>(vm, call);
}

// Some cased character, and all of that case.
template <bool (*is_case)(char32_t)>
Value in_case(Interpreter& vm, Call& call) {
  const std::string_view bytes = call[0].view();
  if (!vm.charge_chars(bytes.size())) {
    return {};
  }
  bool any = false;
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Char c = decode_utf8(bytes.substr(at));
    if (is_case(c.code_point)) {
      any = true;
    } else if (is_cased(c.code_point)) {
      return Value::boolean(false);
    }
    at += c.length;
  }
  return Value::boolean(any);
}

Value is_title(Interpreter& vm, Call& call) {
  const std::string_view bytes = call[0].view();
  if (!vm.charge_chars(bytes.size())) {
    return {};
  }
  bool any = false;
  bool in_word = false;
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Char c = decode_utf8(bytes.substr(at));
    const bool starts = is_upper(c.code_point) || is_titlecase(c.code_point);
    if (starts ? in_word : is_lower(c.code_point) && !in_word) {
      return Value::boolean(false);
    }
    in_word = is_cased(c.code_point);
    any = any || in_word;
    at += c.length;
  }
  return Value::boolean(any);
}

Value is_identifier(Interpreter&, Call& call) {
  const std::string_view bytes = call[0].view();
  bool valid = !bytes.empty();
  for (size_t at = 0; at < bytes.size() && valid;) {
    const Utf8Char c = decode_utf8(bytes.substr(at));
    valid = c.code_point == '_' || is_alpha(c.code_point) || (at > 0 && is_decimal(c.code_point));
    at += c.length;
  }
  return Value::boolean(valid);
}

constexpr BuiltinDef kMethods[] = {
    {"capitalize", capitalize, "_", 1},
    {"center", center, "_ _ _", 2},
    {"expandtabs", expand_tabs, "_ tabsize", 1},
    {"format", format, "_ *", 1},
    {"format_map", format_map, "_ _", 2},
    {"isalnum", all_are<is_alnum>, "_", 1},
    {"isalpha", all_are<is_alpha>, "_", 1},
    {"isascii", is_ascii, "_", 1},
    {"isdecimal", all_are<is_decimal>, "_", 1},
    {"isdigit", all_are<is_digit>, "_", 1},
    {"isidentifier", is_identifier, "_", 1},
    {"islower", in_case<is_lower>, "_", 1},
    {"isnumeric", all_are<is_numeric>, "_", 1},
    {"isprintable", is_printable_text, "_", 1},
    {"isspace", all_are<is_space>, "_", 1},
    {"istitle", is_title, "_", 1},
    {"isupper", in_case<is_upper>, "_", 1},
    {"join", join, "_ _", 2},
    {"ljust", left_justified, "_ _ _", 2},
    {"lower", lower, "_", 1},
    {"lstrip", strip_left, "_ _", 1},
    {"removeprefix", remove_prefix, "_ _", 2},
    {"removesuffix", remove_suffix, "_ _", 2},
    {"replace", replace_method, "_ _ _ _", 3},
    {"rjust", right_justified, "_ _ _", 2},
    {"rstrip", strip_right, "_ _", 1},
    {"strip", strip_both, "_ _", 1},
    {"swapcase", swap_case, "_", 1},
    {"title", title, "_", 1},
    {"upper", upper, "_", 1},
    {"zfill", zero_fill, "_ _", 2},
};

}  // namespace

BuiltinTable string_methods() { return {kMethods, std::size(kMethods)}; }

}  // namespace orrery::jinja
