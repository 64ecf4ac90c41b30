// JSON in (the context) and out (the tojson filter, as Python's json.dumps writes it).
#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "base/utf8.h"
#include "jinja/loop.h"
#include "jinja/ops.h"

namespace orrery::jinja {
namespace {

struct Source {
  const Trust& trust;
  bool untrusted;
};

Value json_value(Interpreter& vm, const OrderedJson& json, const Source& source, int depth);

Value json_string(Interpreter& vm, const std::string& text, bool untrusted) {
  if (!is_valid_utf8(text)) {
    return vm.fail(malformed("context: a string is not valid UTF-8"));
  }
  return vm.text(Text(text, untrusted));
}

Value json_object(Interpreter& vm, const OrderedJson& json, const Source& source, int depth) {
  std::vector<DictObject::Entry> entries;
  entries.reserve(json.size());
  for (const auto& [key, member] : json.items()) {
    Source inner = source;
    if (depth == 1) {
      const auto& names = source.trust.variables;
      inner.untrusted = std::find(names.begin(), names.end(), key) == names.end();
    } else if (key == "role" && member.is_string()) {
      const auto& roles = source.trust.roles;
      const auto& role = member.get_ref<const std::string&>();
      inner.untrusted =
          source.untrusted && std::find(roles.begin(), roles.end(), role) == roles.end();
    }
    Value name = json_string(vm, key, depth > 1 && source.untrusted);
    Value value = json_value(vm, member, inner, depth);
    if (vm.failed()) {
      return {};
    }
    entries.emplace_back(std::move(name), std::move(value));
  }
  return vm.dict(std::move(entries));
}

Value json_value(Interpreter& vm, const OrderedJson& json, const Source& source, int depth) {
  switch (json.type()) {
    case OrderedJson::value_t::null:
      return Value::none();
    case OrderedJson::value_t::boolean:
      return Value::boolean(json.get<bool>());
    case OrderedJson::value_t::number_integer:
      return Value::integer(json.get<int64_t>());
    case OrderedJson::value_t::number_unsigned: {
      const auto number = json.get<uint64_t>();
      return number <= INT64_MAX ? Value::integer(static_cast<int64_t>(number))
                                 : vm.fail(invalid_argument(
                                       "context: the integer {} does not fit 64 bits", number));
    }
    case OrderedJson::value_t::number_float:
      return Value::real(json.get<double>());
    case OrderedJson::value_t::string:
      return json_string(vm, json.get_ref<const std::string&>(), source.untrusted);
    case OrderedJson::value_t::array: {
      std::vector<Value> items;
      if (!vm.enter() || !vm.depth_ok(depth + 1)) {
        return {};
      }
      items.reserve(json.size());
      for (const OrderedJson& item : json) {
        items.push_back(json_value(vm, item, source, depth + 1));
        if (vm.failed()) {
          return {};
        }
      }
      return vm.list(std::move(items));
    }
    case OrderedJson::value_t::object:
      return vm.enter() && vm.depth_ok(depth + 1) ? json_object(vm, json, source, depth + 1)
                                                  : Value();
    default:
      return vm.fail(invalid_argument("context: not a JSON value"));
  }
}

// Python's json escapes what JSON must, and with ensure_ascii all beyond ASCII, as UTF-16.
std::string json_escape(uint32_t code, bool ascii) {
  switch (code) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\f':
      return "\\f";
    case '\b':
      return "\\b";
    default:
      break;
  }
  if (code < 0x20 || (ascii && code >= 0x7F && code < 0x10000)) {
    return code == 0x7F ? std::string() : fmt::format("\\u{:04x}", code);
  }
  if (ascii && code >= 0x10000) {
    const uint32_t offset = code - 0x10000;
    return fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (offset >> 10), 0xDC00 + (offset & 0x3FF));
  }
  return {};
}

void append_json_string(Interpreter& vm, const Text& text, bool ascii, Text& out) {
  if (!vm.charge_chars(text.size())) {
    return;
  }
  out.append("\"");
  const std::string_view bytes = text.view();
  size_t plain = 0;
  for (size_t at = 0; at < bytes.size();) {
    const auto byte = static_cast<unsigned char>(bytes[at]);
    if (byte >= 0x20 && byte != '"' && byte != '\\' && (byte < 0x80 || !ascii)) {
      ++at;
      continue;
    }
    const Utf8Char c = decode_utf8(bytes.substr(at));
    const std::string escape = json_escape(static_cast<uint32_t>(c.code_point), ascii);
    if (!escape.empty() && vm.charge(2)) {
      out.append(text, plain, at);
      out.append(escape, text.any_untrusted(at, at + c.length));
      plain = at + c.length;
    }
    at += c.length;
  }
  out.append(text, plain, text.size());
  out.append("\"");
}

std::string json_float(double value) {
  if (std::isnan(value)) {
    return "NaN";
  }
  return std::isinf(value) ? value > 0 ? "Infinity" : "-Infinity" : float_repr(value);
}

// Keys become strings, as json.dumps makes them.
void append_json_key(Interpreter& vm, const Value& key, const JsonStyle& style, Text& out) {
  if (key.is_string()) {
    append_json_string(vm, key.text(), style.ascii, out);
  } else if (key.is_none() || key.is_number()) {
    out.append("\"");
    append_json(vm, key, style, 0, out);
    out.append("\"");
  } else {
    vm.error("keys must be str, int, float, bool or None, not {}", type_name(key));
  }
}

void append_line_break(Interpreter& vm, const JsonStyle& style, int level, Text& out) {
  if (!style.pretty || !vm.charge_bytes(static_cast<uint64_t>(level) * style.indent.size())) {
    return;
  }
  out.append("\n");
  for (int i = 0; i < level; ++i) {
    out.append(style.indent);
  }
}

void append_json_array(Interpreter& vm, const std::vector<Value>& items, const JsonStyle& style,
                       int level, Text& out) {
  if (items.empty()) {
    out.append("[]");
    return;
  }
  out.append("[");
  for (size_t i = 0; i < items.size() && !vm.failed(); ++i) {
    if (i > 0) {
      out.append(style.item_separator);
    }
    append_line_break(vm, style, level + 1, out);
    append_json(vm, items[i], style, level + 1, out);
  }
  append_line_break(vm, style, level, out);
  out.append("]");
}

void append_json_object(Interpreter& vm, const DictObject& dict, const JsonStyle& style, int level,
                        Text& out) {
  if (dict.entries.empty()) {
    out.append("{}");
    return;
  }
  std::vector<size_t> order(dict.entries.size());
  for (size_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  if (style.sort_keys) {
    std::vector<Value> keys;
    for (const auto& entry : dict.entries) {
      keys.push_back(entry.first);
    }
    if (!sort_by_keys(vm, keys, false, order)) {
      return;
    }
  }
  out.append("{");
  for (size_t i = 0; i < order.size() && !vm.failed(); ++i) {
    const auto& [key, value] = dict.entries[order[i]];
    if (i > 0) {
      out.append(style.item_separator);
    }
    append_line_break(vm, style, level + 1, out);
    append_json_key(vm, key, style, out);
    out.append(style.key_separator);
    append_json(vm, value, style, level + 1, out);
  }
  append_line_break(vm, style, level, out);
  out.append("}");
}

}  // namespace

void append_json(Interpreter& vm, const Value& value, const JsonStyle& style, int level,
                 Text& out) {
  if (!vm.enter()) {
    return;
  }
  switch (value.kind()) {
    case Kind::kNone:
      out.append("null");
      return;
    case Kind::kBool:
      out.append(value.integer() != 0 ? "true" : "false");
      return;
    case Kind::kInt:
      append_str(vm, value, out);
      return;
    case Kind::kFloat:
      out.append(json_float(value.real()));
      return;
    case Kind::kString:
      append_json_string(vm, value.text(), style.ascii, out);
      return;
    case Kind::kList:
    case Kind::kTuple:
      append_json_array(vm, value.items(), style, level, out);
      return;
    case Kind::kDict:
      append_json_object(vm, value.dict(), style, level, out);
      return;
    default:
      vm.error("Object of type {} is not JSON serializable", type_name(value));
  }
}

Value from_json(Interpreter& vm, const OrderedJson& json, const Trust& trust) {
  if (!json.is_object()) {
    return vm.fail(invalid_argument("context: expected an object, got {}", json.type_name()));
  }
  return json_value(vm, json, {trust, true}, 0);
}

}  // namespace orrery::jinja
