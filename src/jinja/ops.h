// Python's operators, str() and repr() over values.
#pragma once

#include "jinja/interpreter.h"

namespace orrery::jinja {

// Fails with what an undefined value says about itself.
Value undefined_error(Interpreter& vm, const Value& value);
bool truthy(const Value& value);
// ==. False after an error (a budget) too.
bool equal(Interpreter& vm, const Value& a, const Value& b);
// a < b as sorted() asks; fails for what has no order.
bool less(Interpreter& vm, const Value& a, const Value& b);
Value compare(Interpreter& vm, Op op, const Value& a, const Value& b);
bool contains(Interpreter& vm, const Value& container, const Value& item);
bool identical(const Value& a, const Value& b);  // `is`
Value arithmetic(Interpreter& vm, Op op, const Value& a, const Value& b);
Value negate(Interpreter& vm, const Value& value);
Value unary_plus(Interpreter& vm, const Value& value);
bool hashable(Interpreter& vm, const Value& value);
// Stable, ascending by keys[i] (or descending, stable too); false after an error.
bool sort_by_keys(Interpreter& vm, const std::vector<Value>& keys, bool reverse,
                  std::vector<size_t>& order);

// str(value), appended.
void append_str(Interpreter& vm, const Value& value, Text& out);
void append_repr(Interpreter& vm, const Value& value, Text& out);
Text to_text(Interpreter& vm, const Value& value);
std::string float_repr(double value);

// obj.name and obj[key] as Jinja's sandbox looks them up: undefined if there is none.
Value get_attribute(Interpreter& vm, const Value& object, std::string_view name);
Value get_item(Interpreter& vm, const Value& object, const Value& key);
// obj[start:stop:step]; missing or None for what is left out.
Value slice(Interpreter& vm, const Value& object, const Value& start, const Value& stop,
            const Value& step);

// The attribute path that map, sort and the like take: "a.b.0", an index, or None for the item
// itself. `fallback`, if it is given, stands for what is undefined.
Value attribute_of(Interpreter& vm, const Value& item, const Value& attribute,
                   const Value& fallback = Value());

// str.replace and str.center, within the budget.
Value replaced(Interpreter& vm, const Text& text, const Text& from, const Text& to, int64_t count,
               bool markup);
Value centered(Interpreter& vm, const Text& text, int64_t width, std::string_view fill);

// "..." % args, "...".format(...)
Value percent_format(Interpreter& vm, const StringObject& format, const Value& args);
Value brace_format(Interpreter& vm, const StringObject& format, const Args& args);
// format(value, spec)
bool format_value(Interpreter& vm, const Value& value, std::string_view spec, Text& out);

// markupsafe.escape(str(value))
Text escaped(Interpreter& vm, const Value& value);

// json.dumps, and the context.
struct JsonStyle {
  bool ascii = false;
  bool sort_keys = false;
  bool pretty = false;
  Text indent, item_separator, key_separator;
};
void append_json(Interpreter& vm, const Value& value, const JsonStyle& style, int level, Text& out);
Value from_json(Interpreter& vm, const OrderedJson& json, const Trust& trust);

// datetime.strftime in the C locale, of a time without a zone.
std::string format_time(int64_t local_unix_seconds, std::string_view format);

}  // namespace orrery::jinja
