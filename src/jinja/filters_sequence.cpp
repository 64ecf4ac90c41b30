// Filters over sequences.
#include <algorithm>
#include <set>

#include "jinja/loop.h"
#include "jinja/params.h"
#include "jinja/text_ops.h"

namespace orrery::jinja {
namespace {

struct KeyLess {
  bool operator()(const Value& a, const Value& b) const { return compare_keys(a, b) < 0; }
};

// Strings are compared in lower case unless asked otherwise.
Value ignore_case(Interpreter& vm, const Value& value) {
  if (!value.is_string() || !vm.charge_chars(value.text().size())) {
    return value;
  }
  return vm.text(change_case(value.text(), Case::kLower));
}

// The value of an attribute path ("a.b.0"), an index, or the item itself (None).
Value key_of(Interpreter& vm, const Value& item, const Value& attribute, bool case_sensitive) {
  const Value key = attribute.is_missing() ? item : attribute_of(vm, item, attribute);
  return case_sensitive || vm.failed() ? key : ignore_case(vm, key);
}

bool keys_of(Interpreter& vm, const std::vector<Value>& items, const Value& attribute,
             bool case_sensitive, std::vector<Value>& keys) {
  for (const Value& item : items) {
    keys.push_back(key_of(vm, item, attribute, case_sensitive));
    if (vm.failed()) {
      return false;
    }
  }
  return true;
}

Value length(Interpreter& vm, Call& call) {
  if (call[0].is(Kind::kLoop)) {
    bool found = false;
    return call[0].as<LoopObject>().attribute(vm, "length", found);
  }
  const std::optional<int64_t> length = length_of(call[0]);
  return length ? Value::integer(*length)
                : vm.error("object of type '{}' has no len()", type_name(call[0]));
}

Value first(Interpreter& vm, Call& call) {
  Cursor cursor;
  Value item;
  if (!Cursor::open(vm, call[0], cursor)) {
    return {};
  }
  return cursor.next(vm, item) || vm.failed() ? item
                                              : vm.undefined("No first item, sequence was empty.");
}

Value last(Interpreter& vm, Call& call) {
  if (call[0].is(Kind::kIterator)) {
    return vm.error("'{}' object is not reversible", type_name(call[0]));
  }
  const std::optional<int64_t> length = length_of(call[0]);
  if (!length) {
    return vm.error("'{}' object is not reversible", type_name(call[0]));
  }
  if (*length == 0) {
    return vm.undefined("No last item, sequence was empty.");
  }
  if (call[0].is_dict() || call[0].is(Kind::kDictView)) {
    std::vector<Value> items;
    return collect_items(vm, call[0], items) ? items.back() : Value();
  }
  return get_item(vm, call[0], Value::integer(-1));
}

Value list_filter(Interpreter& vm, Call& call) {
  std::vector<Value> items;
  return collect_items(vm, call[0], items) ? vm.list(std::move(items)) : Value();
}

Value reverse(Interpreter& vm, Call& call) {
  if (call[0].is_string()) {
    return vm.charge_chars(call[0].text().size())
               ? vm.text(reversed(call[0].text()), call[0].string().markup)
               : Value();
  }
  std::vector<Value> items;
  if (!collect_items(vm, call[0], items)) {
    return {};
  }
  std::reverse(items.begin(), items.end());
  switch (call[0].kind()) {
    case Kind::kIterator:
      return vm.list(std::move(items));
    case Kind::kList:
      return vm.iterator("list_reverseiterator", std::move(items));
    case Kind::kDict:
      return vm.iterator("dict_reversekeyiterator", std::move(items));
    default:
      return vm.iterator("reversed", std::move(items));
  }
}

Value map(Interpreter& vm, Call& call) {
  std::vector<Value> out;
  Args& args = call.rest;
  if (!truthy(call[0])) {
    return vm.iterator("generator", {});
  }
  Value attribute;
  Value fallback;
  const BuiltinDef* filter = nullptr;
  const bool has_attribute =
      args.positional.empty() &&
      std::any_of(args.keywords.begin(), args.keywords.end(),
                  [](const auto& keyword) { return keyword.first.view() == "attribute"; });
  if (has_attribute) {
    for (const auto& [name, value] : args.keywords) {
      if (name.view() != "attribute" && name.view() != "default") {
        return vm.error("map: unexpected keyword argument '{}'", name.view());
      }
      (name.view() == "default" ? fallback : attribute) = value;
    }
  } else {
    if (args.positional.empty()) {
      return vm.error("map requires a filter argument");
    }
    const Value name = args.positional[0];
    filter = name.is_string() ? find_filter(name.view()) : nullptr;
    if (filter == nullptr) {
      return vm.error("no filter named {}", name.is_string() ? name.view() : "so");
    }
    args.positional.erase(args.positional.begin());
  }
  Cursor cursor;
  Value item;
  if (!Cursor::open(vm, call[0], cursor)) {
    return {};
  }
  while (cursor.next(vm, item)) {
    out.push_back(filter != nullptr ? vm.call_builtin(*filter, &item, args)
                                    : attribute_of(vm, item, attribute, fallback));
    if (vm.failed()) {
      return {};
    }
  }
  return vm.iterator("generator", std::move(out));
}

// select, reject, selectattr, rejectattr: `keep` is the verdict that keeps an item.
Value filtered(Interpreter& vm, Call& call, bool keep, bool by_attribute) {
  if (!truthy(call[0])) {
    return vm.iterator("generator", {});
  }
  std::vector<Value>& positional = call.rest.positional;
  Value attribute;
  if (by_attribute) {
    if (positional.empty()) {
      return vm.error("missing parameter for attribute name");
    }
    attribute = positional[0];
    positional.erase(positional.begin());
  }
  const BuiltinDef* test = nullptr;
  if (!positional.empty()) {
    const Value name = positional[0];
    test = name.is_string() ? find_test(name.view()) : nullptr;
    if (test == nullptr) {
      return vm.error("no test named {}", name.is_string() ? name.view() : "so");
    }
    positional.erase(positional.begin());
  }
  Cursor cursor;
  if (!Cursor::open(vm, call[0], cursor)) {
    return {};
  }
  std::vector<Value> out;
  Value item;
  while (cursor.next(vm, item)) {
    Value subject = by_attribute ? attribute_of(vm, item, attribute) : item;
    if (test != nullptr && !vm.failed()) {
      subject = vm.call_builtin(*test, &subject, call.rest);
    }
    if (vm.failed()) {
      return {};
    }
    if (truthy(subject) == keep) {
      out.push_back(item);
    }
  }
  return vm.iterator("generator", std::move(out));
}
Value select(Interpreter& vm, Call& call) { return filtered(vm, call, true, false); }
Value reject(Interpreter& vm, Call& call) { return filtered(vm, call, false, false); }
Value select_attr(Interpreter& vm, Call& call) { return filtered(vm, call, true, true); }
Value reject_attr(Interpreter& vm, Call& call) { return filtered(vm, call, false, true); }

// The key of sort: "a,b" sorts by several attributes.
Value sort_key(Interpreter& vm, const Value& item, const std::vector<Value>& attributes,
               bool case_sensitive) {
  std::vector<Value> keys;
  for (const Value& attribute : attributes) {
    keys.push_back(key_of(vm, item, attribute, case_sensitive));
    if (vm.failed()) {
      return {};
    }
  }
  return vm.list(std::move(keys));  // even one: equal keys, such as None, then need no order
}

Value sort(Interpreter& vm, Call& call) {
  std::vector<Value> attributes(1);
  if (is_given(call, 3)) {
    attributes[0] = call[3];
    if (call[3].is_string()) {
      attributes.clear();
      for (Text& part : split(call[3].text(), ",", -1, false)) {
        attributes.push_back(vm.text(std::move(part)));
      }
    }
  }
  std::vector<Value> items;
  std::vector<Value> keys;
  std::vector<size_t> order;
  if (!collect_items(vm, call[0], items)) {
    return {};
  }
  for (const Value& item : items) {
    keys.push_back(sort_key(vm, item, attributes, bool_param(call, 2)));
    if (vm.failed()) {
      return {};
    }
  }
  if (!sort_by_keys(vm, keys, bool_param(call, 1), order)) {
    return {};
  }
  std::vector<Value> sorted;
  for (const size_t i : order) {
    sorted.push_back(items[i]);
  }
  return vm.list(std::move(sorted));
}

Value unique(Interpreter& vm, Call& call) {
  Cursor cursor;
  if (!Cursor::open(vm, call[0], cursor)) {
    return {};
  }
  const Value attribute = is_given(call, 2) ? call[2] : Value();
  std::set<Value, KeyLess> seen;
  std::vector<Value> out;
  Value item;
  while (cursor.next(vm, item)) {
    const Value key = key_of(vm, item, attribute, bool_param(call, 1));
    if (vm.failed() || !hashable(vm, key) || !vm.charge(8)) {
      return {};
    }
    if (seen.insert(key).second) {
      out.push_back(item);
    }
  }
  return vm.iterator("generator", std::move(out));
}

Value extreme(Interpreter& vm, Call& call, bool smallest) {
  std::vector<Value> items;
  std::vector<Value> keys;
  const Value attribute = is_given(call, 2) ? call[2] : Value();
  if (!collect_items(vm, call[0], items) ||
      !keys_of(vm, items, attribute, bool_param(call, 1), keys)) {
    return {};
  }
  if (items.empty()) {
    return vm.undefined("No aggregated item, sequence was empty.");
  }
  size_t best = 0;
  for (size_t i = 1; i < items.size() && !vm.failed(); ++i) {
    const bool better = smallest ? less(vm, keys[i], keys[best])
                                 : truthy(compare(vm, Op::kGt, keys[i], keys[best]));
    best = better ? i : best;
  }
  return vm.failed() ? Value() : items[best];
}
Value min_filter(Interpreter& vm, Call& call) { return extreme(vm, call, true); }
Value max_filter(Interpreter& vm, Call& call) { return extreme(vm, call, false); }

Value sum(Interpreter& vm, Call& call) {
  Cursor cursor;
  if (!Cursor::open(vm, call[0], cursor)) {
    return {};
  }
  Value total = call.has(2) ? call[2] : Value::integer(0);
  if (total.is_string()) {
    return vm.error("sum() can't sum strings");
  }
  Value item;
  while (cursor.next(vm, item)) {
    if (is_given(call, 1)) {
      item = attribute_of(vm, item, call[1]);
    }
    total = vm.failed() ? Value() : arithmetic(vm, Op::kAdd, total, item);
    if (vm.failed()) {
      return {};
    }
  }
  return total;
}

Value batch(Interpreter& vm, Call& call) {
  std::vector<Value> out;
  std::vector<Value> row;
  const int64_t size = int_param(vm, call, 1, 1);
  Cursor cursor;
  if (vm.failed() || !Cursor::open(vm, call[0], cursor)) {
    return {};
  }
  Value item;
  while (cursor.next(vm, item)) {
    if (static_cast<int64_t>(row.size()) == size) {
      out.push_back(vm.list(std::exchange(row, {})));
    }
    row.push_back(item);
  }
  if (vm.failed()) {
    return {};
  }
  if (!row.empty()) {
    const auto count = static_cast<int64_t>(row.size());
    if (is_given(call, 2) && count < size) {
      if (!vm.charge_values(static_cast<uint64_t>(size - count))) {
        return {};
      }
      row.insert(row.end(), static_cast<size_t>(size - count), call[2]);
    }
    out.push_back(vm.list(std::move(row)));
  }
  return vm.iterator("generator", std::move(out));
}

Value slice_filter(Interpreter& vm, Call& call) {
  std::vector<Value> items;
  const int64_t slices = int_param(vm, call, 1, 1);
  if (vm.failed() || !collect_items(vm, call[0], items)) {
    return {};
  }
  if (slices == 0) {
    return vm.error("integer division or modulo by zero");
  }
  std::vector<Value> out;
  const auto count = static_cast<int64_t>(items.size());
  int64_t begin = 0;
  for (int64_t i = 0; i < slices; ++i) {
    const bool has_extra = i < count % slices;
    const int64_t end = begin + count / slices + (has_extra ? 1 : 0);
    std::vector<Value> row(items.begin() + begin, items.begin() + end);
    if (is_given(call, 2) && !has_extra) {
      row.push_back(call[2]);
    }
    out.push_back(vm.list(std::move(row)));
    if (!vm.charge(1)) {
      return {};
    }
    begin = end;
  }
  return vm.iterator("generator", std::move(out));
}

Value group_by(Interpreter& vm, Call& call) {
  std::vector<Value> items;
  std::vector<Value> keys;
  std::vector<size_t> order;
  const bool case_sensitive = bool_param(call, 3);
  if (!collect_items(vm, call[0], items)) {
    return {};
  }
  const Value fallback = is_given(call, 2) ? call[2] : Value();
  for (const Value& item : items) {
    const Value key = attribute_of(vm, item, call[1], fallback);
    keys.push_back(case_sensitive || vm.failed() ? key : ignore_case(vm, key));
    if (vm.failed()) {
      return {};
    }
  }
  if (!sort_by_keys(vm, keys, false, order)) {
    return {};
  }
  std::vector<Value> groups;
  for (size_t begin = 0; begin < order.size();) {
    std::vector<Value> members;
    size_t end = begin;
    while (end < order.size() &&
           (end == begin || equal(vm, keys[order[end]], keys[order[begin]]))) {
      members.push_back(items[order[end++]]);
    }
    const Value key =
        case_sensitive ? keys[order[begin]] : attribute_of(vm, members[0], call[1], fallback);
    const Value group = vm.tuple({key, vm.list(std::move(members))});
    if (vm.failed()) {
      return {};
    }
    group.as<ListObject>().group = true;
    groups.push_back(group);
    begin = end;
  }
  return vm.list(std::move(groups));
}

constexpr BuiltinDef kFilters[] = {
    {"batch", batch, "value linecount fill_with", 2},
    {"count", length, "_", 1},
    {"first", first, "seq", 1},
    {"groupby", group_by, "value attribute default case_sensitive", 2},
    {"last", last, "seq", 1},
    {"length", length, "_", 1},
    {"list", list_filter, "value", 1},
    {"map", map, "value *", 1},
    {"max", max_filter, "value case_sensitive attribute", 1},
    {"min", min_filter, "value case_sensitive attribute", 1},
    {"reject", reject, "value *", 1},
    {"rejectattr", reject_attr, "value *", 1},
    {"reverse", reverse, "value", 1},
    {"select", select, "value *", 1},
    {"selectattr", select_attr, "value *", 1},
    {"slice", slice_filter, "value slices fill_with", 2},
    {"sort", sort, "value reverse case_sensitive attribute", 1},
    {"sum", sum, "iterable attribute start", 1},
    {"unique", unique, "value case_sensitive attribute", 1},
};

}  // namespace

// By parts: "a.b.0" is item["a"]["b"][0].
Value attribute_of(Interpreter& vm, const Value& item, const Value& attribute,
                   const Value& fallback) {
  const auto step = [&](const Value& object, const Value& key) {
    const Value value = get_item(vm, object, key);
    return value.is_undefined() && !fallback.is_missing() && !fallback.is_none() ? fallback : value;
  };
  if (!attribute.is_string()) {
    return attribute.is_none() ? item : step(item, attribute);
  }
  Value value = item;
  const std::string_view path = attribute.view();
  for (size_t at = 0; at <= path.size() && !vm.failed();) {
    const size_t end = std::min(path.find('.', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    const bool is_index = !part.empty() && part.size() < 18 &&
                          part.find_first_not_of("0123456789") == std::string_view::npos;
    value = step(value, is_index ? Value::integer(std::stoll(std::string(part))) : vm.string(part));
    at = end + 1;
  }
  return value;
}

BuiltinTable sequence_filters() { return {kFilters, std::size(kFilters)}; }

}  // namespace orrery::jinja
