// Filters, tests, methods and globals: native functions and how their arguments are named.
#pragma once

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "jinja/value.h"

namespace orrery::jinja {

class Interpreter;

struct Args {
  std::vector<Value> positional;
  std::vector<std::pair<Value, Value>> keywords;  // names are strings
};

// Arguments bound to parameters. Parameter 0 is what a filter or test is applied to, or a method's
// object. Those not given are missing.
struct Call {
  static constexpr size_t kMaxParams = 7;
  std::array<Value, kMaxParams> values;
  Args rest;  // beyond the named ones, for functions that take any

  const Value& operator[](size_t i) const { return values[i]; }
  bool has(size_t i) const { return !values[i].is_missing(); }
};

struct BuiltinDef {
  std::string_view name;
  Value (*function)(Interpreter& vm, Call& call);
  // Parameter names, separated by spaces; "_" for those that have none. A last "*" takes the rest.
  std::string_view params;
  size_t required;
};

// Null if there is none.
const BuiltinDef* find_filter(std::string_view name);
const BuiltinDef* find_test(std::string_view name);
const BuiltinDef* find_method(const Value& self, std::string_view name);
// -1 if there is none.
int find_global(std::string_view name);
const BuiltinDef& global_at(int index);

// The tables, by subject.
struct BuiltinTable {
  const BuiltinDef* begin;
  size_t size;
};
BuiltinTable text_filters();
BuiltinTable sequence_filters();
BuiltinTable mapping_filters();
BuiltinTable number_filters();
BuiltinTable string_methods();
BuiltinTable string_search_methods();

}  // namespace orrery::jinja
