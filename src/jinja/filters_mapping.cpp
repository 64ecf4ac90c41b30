// Filters over mappings and attributes, and default.
#include <algorithm>

#include "jinja/loop.h"
#include "jinja/params.h"
#include "jinja/text_ops.h"

namespace orrery::jinja {
namespace {

Value default_filter(Interpreter& vm, Call& call) {
  const bool replace = call[0].is_undefined() || (bool_param(call, 2) && !truthy(call[0]));
  if (!replace) {
    return call[0];
  }
  return call.has(1) ? call[1] : vm.string("");
}

Value items(Interpreter& vm, Call& call) {
  std::vector<Value> out;
  if (call[0].is_undefined()) {
    return vm.iterator("generator", {});
  }
  if (!call[0].is_dict()) {
    return vm.error("Can only get item pairs from a mapping.");
  }
  for (const auto& [key, value] : call[0].dict().entries) {
    out.push_back(vm.tuple({key, value}));
    if (vm.failed()) {
      return {};
    }
  }
  return vm.iterator("generator", std::move(out));
}

Value dict_sort(Interpreter& vm, Call& call) {
  const bool case_sensitive = bool_param(call, 1);
  bool by_value = false;
  if (call.has(2)) {
    by_value = call[2].is_string() && call[2].view() == "value";
    if (!by_value && !(call[2].is_string() && call[2].view() == "key")) {
      return vm.error("dictsort can only sort by 'key' or 'value'");
    }
  }
  if (!call[0].is_dict()) {
    return vm.error("'{}' object has no items", type_name(call[0]));
  }
  std::vector<Value> keys;
  const auto& entries = call[0].dict().entries;
  for (const auto& [key, value] : entries) {
    Value sort_key = by_value ? value : key;
    if (!case_sensitive && sort_key.is_string()) {
      sort_key = vm.text(change_case(sort_key.text(), Case::kLower));
    }
    keys.push_back(sort_key);
  }
  std::vector<size_t> order;
  if (!sort_by_keys(vm, keys, bool_param(call, 3), order)) {
    return {};
  }
  std::vector<Value> out;
  for (const size_t i : order) {
    out.push_back(vm.tuple({entries[i].first, entries[i].second}));
  }
  return vm.list(std::move(out));
}

Value attr(Interpreter& vm, Call& call) {
  if (!is_string_param(vm, call, 1)) {
    return {};
  }
  // Attributes only, not items: what a dict has under that name does not count.
  if (call[0].is_dict() && find_method(call[0], call[1].view()) == nullptr) {
    return vm.undefined(fmt::format("'dict object' has no attribute '{}'", call[1].view()));
  }
  return get_attribute(vm, call[0], call[1].view());
}

Value xml_attr(Interpreter& vm, Call& call) {
  if (!call[0].is_dict()) {
    return vm.error("'{}' object has no items", type_name(call[0]));
  }
  Text out;
  const bool spaced = !call.has(1) || truthy(call[1]);
  for (const auto& [key, value] : call[0].dict().entries) {
    if (value.is_none() || value.is_undefined()) {
      continue;
    }
    if (!key.is_string() || key.view().find_first_of(" \t\n\r\f\v/>=") != std::string_view::npos) {
      return vm.error("invalid character in attribute name");
    }
    out.append(spaced || !out.empty() ? " " : "");
    out.append(escaped(vm, key));
    out.append("=\"");
    out.append(escaped(vm, value));
    out.append("\"");
    if (vm.failed()) {
      return {};
    }
  }
  return vm.text(std::move(out));
}

constexpr BuiltinDef kFilters[] = {
    {"attr", attr, "obj name", 2},
    {"d", default_filter, "value default_value boolean", 1},
    {"default", default_filter, "value default_value boolean", 1},
    {"dictsort", dict_sort, "value case_sensitive by reverse", 1},
    {"items", items, "value", 1},
    {"xmlattr", xml_attr, "d autospace", 1},
};

}  // namespace

BuiltinTable mapping_filters() { return {kFilters, std::size(kFilters)}; }

}  // namespace orrery::jinja
