// str's methods that search and split.
#include <algorithm>

#include "jinja/loop.h"
#include "jinja/params.h"
#include "jinja/text_ops.h"

namespace orrery::jinja {
namespace {

// The part of the string that the optional arguments i and i + 1 bound, in bytes. False if it is
// empty by their order, so that not even "" is found there.
bool window(Interpreter& vm, const Call& call, size_t i, ByteRange& range) {
  const StringObject& string = call[0].string();
  if (!string.ascii && !vm.charge_bytes(string.text.size())) {
    return false;
  }
  const auto length = static_cast<int64_t>(string.length());
  const auto bound = [&](size_t at, int64_t fallback) {
    const int64_t index = is_given(call, at) ? int_param(vm, call, at, fallback) : fallback;
    return index < 0 ? std::max<int64_t>(index + length, 0) : index;
  };
  const int64_t begin = bound(i, 0);
  const int64_t end = std::min(bound(i + 1, length), length);
  if (vm.failed() || begin > end) {
    return false;
  }
  range.begin = string.byte_offset(static_cast<size_t>(begin));
  range.end = string.byte_offset(static_cast<size_t>(end));
  return true;
}

// Searching from the right takes length times length of the pattern at worst.
bool charge_search(Interpreter& vm, const Text& text, const Text& what, bool from_right) {
  const bool slow = from_right && what.size() > 16;
  return vm.charge((text.size() + what.size()) / 16) &&
         (!slow || vm.charge(text.size() * what.size() / 32));
}

Value find_position(Interpreter& vm, const Call& call, bool from_right, bool must_find) {
  ByteRange range{0, 0};
  if (!is_string_param(vm, call, 1) ||
      !charge_search(vm, call[0].text(), call[1].text(), from_right)) {
    return {};
  }
  size_t found = std::string_view::npos;
  if (window(vm, call, 2, range)) {
    const std::string_view part = call[0].view().substr(range.begin, range.end - range.begin);
    found = from_right ? part.rfind(call[1].view()) : find_text(part, call[1].view());
  }
  if (found == std::string_view::npos) {
    return must_find ? vm.error("substring not found") : Value::integer(-1);
  }
  const size_t at = range.begin + found;
  return Value::integer(static_cast<int64_t>(
      call[0].string().ascii ? at : count_characters(call[0].view().substr(0, at))));
}
Value find(Interpreter& vm, Call& call) { return find_position(vm, call, false, false); }
Value rfind(Interpreter& vm, Call& call) { return find_position(vm, call, true, false); }
Value index(Interpreter& vm, Call& call) { return find_position(vm, call, false, true); }
Value rindex(Interpreter& vm, Call& call) { return find_position(vm, call, true, true); }

Value count(Interpreter& vm, Call& call) {
  ByteRange range{0, 0};
  if (!is_string_param(vm, call, 1) || !charge_search(vm, call[0].text(), call[1].text(), false)) {
    return {};
  }
  if (!window(vm, call, 2, range)) {
    return Value::integer(0);
  }
  const std::string_view part = call[0].view().substr(range.begin, range.end - range.begin);
  const size_t found =
      call[1].text().empty() ? count_characters(part) + 1 : count_occurrences(part, call[1].view());
  return vm.charge(found / 4) ? Value::integer(static_cast<int64_t>(found)) : Value();
}

Value affix_test(Interpreter& vm, const Call& call, bool at_start) {
  ByteRange range{0, 0};
  const std::vector<Value> single{call[1]};
  const std::vector<Value>& affixes = call[1].is_tuple() ? call[1].items() : single;
  const bool in_window = window(vm, call, 2, range);
  const std::string_view part = call[0].view().substr(range.begin, range.end - range.begin);
  for (const Value& affix : affixes) {
    if (!affix.is_string()) {
      return affix.is_undefined()
                 ? vm.error("startswith/endswith: expected str, got Undefined")
                 : vm.error("startswith/endswith: expected str or tuple of str, got {}",
                            type_name(affix));
    }
    const std::string_view text = affix.view();
    if (!vm.charge_bytes(text.size())) {
      return {};
    }
    const bool fits = in_window && text.size() <= part.size();
    if (fits && part.substr(at_start ? 0 : part.size() - text.size(), text.size()) == text) {
      return Value::boolean(true);
    }
  }
  return Value::boolean(false);
}
Value starts_with(Interpreter& vm, Call& call) { return affix_test(vm, call, true); }
Value ends_with(Interpreter& vm, Call& call) { return affix_test(vm, call, false); }

Value text_list(Interpreter& vm, std::vector<Text> parts, bool markup) {
  std::vector<Value> items;
  items.reserve(parts.size());
  for (Text& part : parts) {
    items.push_back(vm.text(std::move(part), markup));
    if (vm.failed()) {
      return {};
    }
  }
  return vm.list(std::move(items));
}

Value split_by(Interpreter& vm, const Call& call, bool from_right) {
  const int64_t max_splits = int_param(vm, call, 2, -1);
  const Text& text = call[0].text();
  const bool markup = call[0].string().markup;
  if (vm.failed() || !vm.charge_bytes(text.size())) {
    return {};
  }
  if (!is_given(call, 1)) {
    return vm.charge_chars(text.size())
               ? text_list(vm, split_space(text, max_splits, from_right), markup)
               : Value();
  }
  if (!is_string_param(vm, call, 1)) {
    return {};
  }
  const Text& separator = call[1].text();
  if (separator.empty()) {
    return vm.error("empty separator");
  }
  // Each part costs an allocation: they are paid for before they are made.
  if (!charge_search(vm, text, separator, from_right) ||
      !vm.charge(count_occurrences(text.view(), separator.view(), max_splits))) {
    return {};
  }
  return text_list(vm, split(text, separator.view(), max_splits, from_right), markup);
}
Value split_left(Interpreter& vm, Call& call) { return split_by(vm, call, false); }
Value split_right(Interpreter& vm, Call& call) { return split_by(vm, call, true); }

Value split_at_lines(Interpreter& vm, Call& call) {
  return vm.charge_chars(call[0].text().size())
             ? text_list(vm, split_lines(call[0].text(), bool_param(call, 1)),
                         call[0].string().markup)
             : Value();
}

Value parted(Interpreter& vm, const Call& call, bool from_right) {
  if (!is_string_param(vm, call, 1) ||
      !charge_search(vm, call[0].text(), call[1].text(), from_right)) {
    return {};
  }
  const Text& text = call[0].text();
  const Text& separator = call[1].text();
  if (separator.empty()) {
    return vm.error("empty separator");
  }
  const size_t found =
      from_right ? text.view().rfind(separator.view()) : find_text(text.view(), separator.view());
  if (found == std::string_view::npos) {
    const Value empty = vm.string("");
    return from_right ? vm.tuple({empty, empty, call[0]}) : vm.tuple({call[0], empty, empty});
  }
  const size_t after = found + separator.size();
  return vm.tuple({vm.text(text.slice(0, found)), vm.text(text.slice(found, after)),
                   vm.text(text.slice(after, text.size()))});
}
Value partition(Interpreter& vm, Call& call) { return parted(vm, call, false); }
Value rpartition(Interpreter& vm, Call& call) { return parted(vm, call, true); }

constexpr BuiltinDef kMethods[] = {
    {"count", count, "_ _ _ _", 2},
    {"endswith", ends_with, "_ _ _ _", 2},
    {"find", find, "_ _ _ _", 2},
    {"index", index, "_ _ _ _", 2},
    {"partition", partition, "_ _", 2},
    {"rfind", rfind, "_ _ _ _", 2},
    {"rindex", rindex, "_ _ _ _", 2},
    {"rpartition", rpartition, "_ _", 2},
    {"rsplit", split_right, "_ sep maxsplit", 1},
    {"split", split_left, "_ sep maxsplit", 1},
    {"splitlines", split_at_lines, "_ keepends", 1},
    {"startswith", starts_with, "_ _ _ _", 2},
};

}  // namespace

BuiltinTable string_search_methods() { return {kMethods, std::size(kMethods)}; }

}  // namespace orrery::jinja
