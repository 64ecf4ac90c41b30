// Filters whose result is text.
#include <algorithm>

#include "base/utf8.h"
#include "jinja/loop.h"
#include "jinja/params.h"
#include "jinja/text_ops.h"
#include "jinja/unicode.h"

namespace orrery::jinja {

namespace {

// Each escape costs an append or two.
bool charge_escapes(Interpreter& vm, const Text& text) {
  const auto special = [](char c) {
    return c == '&' || c == '<' || c == '>' || c == '\'' || c == '"';
  };
  const auto escapes = std::count_if(text.bytes().begin(), text.bytes().end(), special);
  return vm.charge_chars(text.size()) && vm.charge(2 * static_cast<uint64_t>(escapes));
}

}  // namespace

Text escaped(Interpreter& vm, const Value& value) {
  if (value.is_string() && value.string().markup) {
    return value.text();
  }
  const Text text = to_text(vm, value);
  return charge_escapes(vm, text) ? escape_html(text) : Text();
}

namespace {

bool is_markup(const Value& value) { return value.is_string() && value.string().markup; }

Value cased(Interpreter& vm, const Call& call, Case to) {
  const Text text = to_text(vm, call[0]);
  // Mapping a character beyond ASCII takes two binary searches.
  return vm.charge(text.size() / 2 + 1) ? vm.text(change_case(text, to), is_markup(call[0]))
                                        : Value();
}
Value upper(Interpreter& vm, Call& call) { return cased(vm, call, Case::kUpper); }
Value lower(Interpreter& vm, Call& call) { return cased(vm, call, Case::kLower); }
Value capitalize(Interpreter& vm, Call& call) { return cased(vm, call, Case::kCapitalize); }

Value title(Interpreter& vm, Call& call) {
  const Text text = to_text(vm, call[0]);
  return vm.charge(text.size() / 2 + 1) ? vm.text(title_filter(text)) : Value();
}

Value trim(Interpreter& vm, Call& call) {
  const Text text = to_text(vm, call[0]);
  std::optional<std::string_view> chars;
  if (is_given(call, 1)) {
    if (!is_string_param(vm, call, 1)) {
      return {};
    }
    chars = call[1].view();
  }
  return vm.charge_bytes(text.size() + (chars ? 128 * chars->size() : 0))
             ? vm.text(strip(text, chars, kBoth), is_markup(call[0]))
             : Value();
}

Value replace_filter(Interpreter& vm, Call& call) {
  const Text text = to_text(vm, call[0]);
  const Text from = to_text(vm, call[1]);
  const Text to = to_text(vm, call[2]);
  const int64_t count = is_given(call, 3) ? int_param(vm, call, 3, -1) : -1;
  return vm.failed() ? Value() : replaced(vm, text, from, to, count, false);
}

Value join(Interpreter& vm, Call& call) {
  const Text separator = call.has(1) ? to_text(vm, call[1]) : Text();
  Cursor cursor;
  if (!Cursor::open(vm, call[0], cursor)) {
    return {};
  }
  Text out;
  bool first = true;
  Value item;
  while (cursor.next(vm, item)) {
    if (is_given(call, 2)) {
      item = attribute_of(vm, item, call[2]);
    }
    if (!first && vm.charge_bytes(separator.size())) {
      out.append(separator);
    }
    first = false;
    append_str(vm, item, out);
    if (vm.failed()) {
      return {};
    }
  }
  return vm.text(std::move(out));
}

Value indent(Interpreter& vm, Call& call) {
  Text prefix;
  if (call[1].is_string()) {
    prefix = call[1].text();
  } else {
    const int64_t width = int_param(vm, call, 1, 4);
    if (!vm.charge_bytes(static_cast<uint64_t>(std::max<int64_t>(width, 0)))) {
      return {};
    }
    prefix.append(std::string(static_cast<size_t>(std::max<int64_t>(width, 0)), ' '));
  }
  if (!is_string_param(vm, call, 0) || !vm.charge_chars(call[0].text().size())) {
    return {};
  }
  // A line break is put after the text, so that its own last one makes an empty last line.
  Text source = call[0].text();
  source.append("\n");
  const std::vector<Text> lines = split_lines(source, false);
  const bool blank = bool_param(call, 3);
  Text out;
  if (bool_param(call, 2)) {
    out.append(prefix);
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    const bool indents = i > 0 && (blank || !lines[i].empty());
    if (!vm.charge_bytes(lines[i].size() + (indents ? prefix.size() : 0))) {
      return {};
    }
    out.append(i > 0 ? "\n" : "");
    if (indents) {
      out.append(prefix);
    }
    out.append(lines[i]);
  }
  return vm.text(std::move(out), is_markup(call[0]));
}

Value center(Interpreter& vm, Call& call) {
  const Text text = to_text(vm, call[0]);
  return centered(vm, text, int_param(vm, call, 1, 80), " ");
}

Value truncate(Interpreter& vm, Call& call) {
  const int64_t length = int_param(vm, call, 1, 255);
  const int64_t leeway = is_given(call, 4) ? int_param(vm, call, 4, 5) : 5;
  const Value end = call.has(3) ? call[3] : vm.string("...");
  if (vm.failed() || !is_string_param(vm, call, 0)) {
    return {};
  }
  if (!end.is_string()) {
    return vm.error("truncate: the end must be a str, got {}", type_name(end));
  }
  const auto end_length = static_cast<int64_t>(end.string().length());
  if (length < end_length || leeway < 0) {
    return vm.error("truncate: expected length >= {} and leeway >= 0", end_length);
  }
  if (static_cast<int64_t>(call[0].string().length()) <=
      length + std::min<int64_t>(leeway, 1 << 30)) {
    return call[0];
  }
  const Text& text = call[0].text();
  Text out = text.slice(0, call[0].string().byte_offset(static_cast<size_t>(length - end_length)));
  if (!bool_param(call, 2)) {
    const size_t space = out.view().rfind(' ');
    out = space == std::string_view::npos ? out : out.slice(0, space);
  }
  out.append(end.text());
  return vm.text(std::move(out));
}

Value escape(Interpreter& vm, Call& call) { return vm.text(escaped(vm, call[0]), true); }
Value force_escape(Interpreter& vm, Call& call) {
  const Text text = to_text(vm, call[0]);
  return charge_escapes(vm, text) ? vm.text(escape_html(text), true) : Value();
}
Value safe(Interpreter& vm, Call& call) { return vm.text(to_text(vm, call[0]), true); }
Value string_filter(Interpreter& vm, Call& call) {
  return call[0].is_string() ? call[0] : vm.text(to_text(vm, call[0]));
}

Value format(Interpreter& vm, Call& call) {
  Args& args = call.rest;
  if (!args.positional.empty() && !args.keywords.empty()) {
    return vm.error("format: can't handle positional and keyword arguments at the same time");
  }
  const Value format = call[0].is_string() ? call[0] : vm.text(to_text(vm, call[0]));
  const Value values = args.keywords.empty() ? vm.tuple(std::move(args.positional))
                                             : vm.dict(std::move(args.keywords));
  return vm.failed() ? Value() : percent_format(vm, format.string(), values);
}

Value word_count(Interpreter& vm, Call& call) {
  const Text text = to_text(vm, call[0]);
  if (!vm.charge_chars(text.size())) {
    return {};
  }
  int64_t words = 0;
  bool in_word = false;
  for (size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text.view().substr(at));
    const bool is_word = c.code_point == '_' || is_alnum(c.code_point);
    words += is_word && !in_word ? 1 : 0;
    in_word = is_word;
    at += c.length;
  }
  return Value::integer(words);
}

void append_quoted(Interpreter& vm, const Text& text, bool for_query, Text& out) {
  if (!vm.charge(text.size())) {
    return;
  }
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text.bytes()[i];
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '.' || c == '-' || c == '~' || (c == '/' && !for_query);
    const bool untrusted = text.any_untrusted(i, i + 1);
    if (plain) {
      out.append(std::string_view(&c, 1), untrusted);
    } else if (c == ' ' && for_query) {
      out.append("+", untrusted);
    } else {
      out.append(fmt::format("%{:02X}", static_cast<unsigned char>(c)), untrusted);
    }
  }
}

Value url_encode(Interpreter& vm, Call& call) {
  Text out;
  if (call[0].is_string() || !Cursor::is_iterable(call[0])) {
    append_quoted(vm, to_text(vm, call[0]), false, out);
    return vm.text(std::move(out));
  }
  const Value pairs =
      call[0].is_dict() ? vm.object(new DictViewObject(ViewKind::kItems, call[0])) : call[0];
  Cursor cursor;
  Value pair;
  if (vm.failed() || !Cursor::open(vm, pairs, cursor)) {
    return {};
  }
  bool first = true;
  while (cursor.next(vm, pair)) {
    std::vector<Value> items;
    if (!collect_items(vm, pair, items)) {
      return {};
    }
    if (items.size() != 2) {
      return vm.error("urlencode: expected pairs, got {} values", items.size());
    }
    out.append(first ? "" : "&");
    first = false;
    append_quoted(vm, to_text(vm, items[0]), true, out);
    out.append("=");
    append_quoted(vm, to_text(vm, items[1]), true, out);
  }
  return vm.text(std::move(out));
}

bool json_indent(Interpreter& vm, const Value& value, JsonStyle& style) {
  style.pretty = true;
  if (value.is_string()) {
    style.indent = value.text();
    return true;
  }
  if (!value.is_integral()) {
    vm.error("tojson: the indent must be an int or a str, got {}", type_name(value));
    return false;
  }
  const int64_t width = std::max<int64_t>(value.integer(), 0);
  if (!vm.charge_bytes(static_cast<uint64_t>(width))) {
    return false;
  }
  style.indent.append(std::string(static_cast<size_t>(width), ' '));
  return true;
}

Value to_json(Interpreter& vm, Call& call) {
  JsonStyle style;
  style.ascii = bool_param(call, 1);
  style.sort_keys = bool_param(call, 4);
  if (is_given(call, 2) && !json_indent(vm, call[2], style)) {
    return {};
  }
  style.item_separator.append(style.pretty ? "," : ", ");
  style.key_separator.append(": ");
  if (is_given(call, 3)) {
    std::vector<Value> pair;
    if (!collect_items(vm, call[3], pair)) {
      return {};
    }
    if (pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string()) {
      return vm.error("tojson: separators must be two strings");
    }
    style.item_separator = pair[0].text();
    style.key_separator = pair[1].text();
  }
  Text out;
  append_json(vm, call[0], style, 0, out);
  return vm.text(std::move(out));
}

constexpr BuiltinDef kFilters[] = {
    {"capitalize", capitalize, "s", 1},
    {"center", center, "value width", 1},
    {"e", escape, "_", 1},
    {"escape", escape, "_", 1},
    {"forceescape", force_escape, "value", 1},
    {"format", format, "value *", 1},
    {"indent", indent, "s width first blank", 1},
    {"join", join, "value d attribute", 1},
    {"lower", lower, "s", 1},
    {"replace", replace_filter, "s old new count", 3},
    {"safe", safe, "value", 1},
    {"string", string_filter, "_", 1},
    {"title", title, "s", 1},
    {"tojson", to_json, "x ensure_ascii indent separators sort_keys", 1},
    {"trim", trim, "value chars", 1},
    {"truncate", truncate, "s length killwords end leeway", 1},
    {"upper", upper, "s", 1},
    {"urlencode", url_encode, "value", 1},
    {"wordcount", word_count, "s", 1},
};

}  // namespace

BuiltinTable text_filters() { return {kFilters, std::size(kFilters)}; }

}  // namespace orrery::jinja
