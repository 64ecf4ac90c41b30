// str() and repr().
#include <charconv>
#include <cmath>

#include "base/utf8.h"
#include "jinja/loop.h"
#include "jinja/ops.h"
#include "jinja/unicode.h"

namespace orrery::jinja {
namespace {

void append_string_repr(Interpreter& vm, const Text& text, Text& out) {
  if (!vm.charge_chars(text.size())) {
    return;
  }
  const std::string_view bytes = text.view();
  const bool has_single = bytes.find('\'') != std::string_view::npos;
  const bool has_double = bytes.find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  out.append(std::string_view(&quote, 1));
  size_t plain = 0;  // where the text not yet copied begins
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Char c = decode_utf8(bytes.substr(at));
    const auto code = static_cast<uint32_t>(c.code_point);
    std::string escape;
    if (c.code_point == static_cast<unsigned char>(quote) || c.code_point == '\\') {
      escape = std::string{'\\', static_cast<char>(code)};
    } else if (code == '\n' || code == '\r' || code == '\t') {
      escape = std::string{'\\', code == '\n' ? 'n' : code == '\r' ? 'r' : 't'};
    } else if (!is_printable(c.code_point)) {
      escape = code < 0x100     ? fmt::format("\\x{:02x}", code)
               : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                                : fmt::format("\\U{:08x}", code);
    }
    if (!escape.empty() && vm.charge(2)) {
      out.append(text, plain, at);
      out.append(escape, text.any_untrusted(at, at + c.length));
      plain = at + c.length;
    }
    at += c.length;
  }
  out.append(text, plain, text.size());
  out.append(std::string_view(&quote, 1));
}

void append_items(Interpreter& vm, const std::vector<Value>& items, std::string_view open,
                  std::string_view close, Text& out) {
  out.append(open);
  for (size_t i = 0; i < items.size() && !vm.failed(); ++i) {
    out.append(i == 0 ? "" : ", ");
    append_repr(vm, items[i], out);
  }
  out.append(close);
}

template <typename Entries>
void append_entries(Interpreter& vm, const Entries& entries, Text& out) {
  out.append("{");
  bool first = true;
  for (const auto& [key, value] : entries) {
    if (vm.failed()) {
      return;
    }
    out.append(first ? "" : ", ");
    first = false;
    append_repr(vm, key, out);
    out.append(": ");
    append_repr(vm, value, out);
  }
  out.append("}");
}

void append_view(Interpreter& vm, const Value& value, Text& out) {
  std::vector<Value> items;
  if (collect_items(vm, value, items)) {
    out.append(type_name(value));
    append_items(vm, items, "([", "])", out);
  }
}

// The kinds whose text is a description. Python adds addresses to some, which no template can mean.
std::string describe(const Value& value) {
  switch (value.kind()) {
    case Kind::kRange: {
      const auto& range = value.as<RangeObject>();
      return range.step == 1
                 ? fmt::format("range({}, {})", range.start, range.stop)
                 : fmt::format("range({}, {}, {})", range.start, range.stop, range.step);
    }
    case Kind::kMacro: {
      const MacroDef& def = *value.as<MacroObject>().def;
      return def.anonymous ? "<Macro anonymous>" : "<Macro>";
    }
    case Kind::kLoop:
      return fmt::format("<LoopContext {}>", value.as<LoopObject>().index0 + 1);
    case Kind::kMethod:
      return fmt::format("<built-in method {}>", value.as<MethodObject>().def->name);
    case Kind::kFunction:
      return fmt::format("<function {}>", global_at(static_cast<int>(value.integer())).name);
    default:
      return fmt::format("<{} object>", type_name(value));
  }
}

}  // namespace

std::string float_repr(double value) {
  if (std::isnan(value)) {
    return "nan";
  }
  if (std::isinf(value)) {
    return value > 0 ? "inf" : "-inf";
  }
  char buffer[32];
  const auto end =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<size_t>(end.ptr - buffer));
  const size_t e = text.find('e');
  std::string digits;
  const bool negative = text[0] == '-';
  for (const char c : text.substr(0, e)) {
    if (c >= '0' && c <= '9') {
      digits += c;
    }
  }
  int exponent = 0;
  const size_t sign = text[e + 1] == '+' ? 1 : 0;
  std::from_chars(text.data() + e + 1 + sign, text.data() + text.size(), exponent);
  std::string out = negative ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    out += digits[0];
    if (digits.size() > 1) {
      out += '.' + digits.substr(1);
    }
    return out + fmt::format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0) {
    return out + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  }
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) {
    return out + digits + std::string(whole - digits.size(), '0') + ".0";
  }
  return out + digits.substr(0, whole) + '.' + digits.substr(whole);
}

void append_repr(Interpreter& vm, const Value& value, Text& out) {
  if (!vm.enter()) {
    return;
  }
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
      out.append("Undefined");
      return;
    case Kind::kString:
      out.append(value.string().markup ? "Markup(" : "");
      append_string_repr(vm, value.text(), out);
      out.append(value.string().markup ? ")" : "");
      return;
    case Kind::kList:
      append_items(vm, value.items(), "[", "]", out);
      return;
    case Kind::kTuple:
      append_items(vm, value.items(), "(", value.items().size() == 1 ? ",)" : ")", out);
      return;
    case Kind::kDict:
      append_entries(vm, value.dict().entries, out);
      return;
    case Kind::kDictView:
      append_view(vm, value, out);
      return;
    case Kind::kNamespace:
      out.append("<Namespace ");
      append_entries(vm, value.as<NamespaceObject>().attributes, out);
      out.append(">");
      return;
    case Kind::kMacro:
      if (const auto& macro = value.as<MacroObject>(); !macro.def->anonymous) {
        out.append("<Macro ");
        append_repr(vm, vm.constant(macro.def->name), out);
        out.append(">");
        return;
      }
      break;
    case Kind::kLoop: {
      auto& loop = value.as<LoopObject>();
      bool found = false;
      const Value length = loop.attribute(vm, "length", found);
      out.append(fmt::format("<LoopContext {}/{}>", loop.index0 + 1, length.integer()));
      return;
    }
    case Kind::kNone:
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      append_str(vm, value, out);
      return;
    default:
      break;
  }
  out.append(describe(value));
}

void append_str(Interpreter& vm, const Value& value, Text& out) {
  if (vm.failed()) {
    return;
  }
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
      return;
    case Kind::kNone:
      out.append("None");
      return;
    case Kind::kBool:
      out.append(value.integer() != 0 ? "True" : "False");
      return;
    case Kind::kInt:
      out.append(fmt::format_int(value.integer()).c_str());
      return;
    case Kind::kFloat:
      if (vm.charge(8)) {
        out.append(float_repr(value.real()));
      }
      return;
    case Kind::kString:
      if (vm.charge_bytes(value.text().size())) {
        out.append(value.text());
      }
      return;
    default:
      append_repr(vm, value, out);
  }
}

Text to_text(Interpreter& vm, const Value& value) {
  if (value.is_string()) {
    return value.text();
  }
  Text out;
  append_str(vm, value, out);
  return out;
}

}  // namespace orrery::jinja
