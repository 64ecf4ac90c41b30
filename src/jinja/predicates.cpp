// Jinja's tests: what follows `is`.
#include <unordered_map>

#include "base/utf8.h"
#include "jinja/loop.h"
#include "jinja/params.h"
#include "jinja/unicode.h"

namespace orrery::jinja {
namespace {

Value defined(Interpreter&, Call& call) { return Value::boolean(!call[0].is_undefined()); }
Value undefined(Interpreter&, Call& call) { return Value::boolean(call[0].is_undefined()); }
Value none(Interpreter&, Call& call) { return Value::boolean(call[0].is_none()); }
Value boolean(Interpreter&, Call& call) { return Value::boolean(call[0].is_bool()); }
Value is_true(Interpreter&, Call& call) {
  return Value::boolean(call[0].is_bool() && call[0].integer() != 0);
}
Value is_false(Interpreter&, Call& call) {
  return Value::boolean(call[0].is_bool() && call[0].integer() == 0);
}
Value integer(Interpreter&, Call& call) { return Value::boolean(call[0].is_int()); }
Value is_float(Interpreter&, Call& call) { return Value::boolean(call[0].is_float()); }
Value number(Interpreter&, Call& call) { return Value::boolean(call[0].is_number()); }
Value string(Interpreter&, Call& call) { return Value::boolean(call[0].is_string()); }
Value mapping(Interpreter&, Call& call) { return Value::boolean(call[0].is_dict()); }
Value escaped_test(Interpreter&, Call& call) {
  return Value::boolean(call[0].is_string() && call[0].string().markup);
}

Value sequence(Interpreter&, Call& call) {
  const Value& value = call[0];
  return Value::boolean(value.is_string() || value.is_sequence() || value.is_dict() ||
                        value.is(Kind::kRange) || value.is_undefined());
}
Value iterable(Interpreter&, Call& call) {
  return Value::boolean(Cursor::is_iterable(call[0]) || call[0].is(Kind::kLoop));
}
Value callable(Interpreter&, Call& call) {
  switch (call[0].kind()) {
    case Kind::kUndefined:
    case Kind::kFunction:
    case Kind::kMethod:
    case Kind::kMacro:
    case Kind::kLoop:
    case Kind::kJoiner:
      return Value::boolean(true);
    default:
      return Value::boolean(false);
  }
}

// value % divisor == remainder
Value has_remainder(Interpreter& vm, const Value& value, const Value& divisor, int64_t remainder) {
  const Value rest = arithmetic(vm, Op::kMod, value, divisor);
  return vm.failed() ? Value() : Value::boolean(equal(vm, rest, Value::integer(remainder)));
}
Value odd(Interpreter& vm, Call& call) { return has_remainder(vm, call[0], Value::integer(2), 1); }
Value even(Interpreter& vm, Call& call) { return has_remainder(vm, call[0], Value::integer(2), 0); }
Value divisible_by(Interpreter& vm, Call& call) { return has_remainder(vm, call[0], call[1], 0); }

// str.isupper, str.islower: some cased character, and all of that case.
Value in_case(Interpreter& vm, const Call& call, bool (*is_case)(char32_t)) {
  const Text text = to_text(vm, call[0]);
  if (!vm.charge_chars(text.size())) {
    return {};
  }
  bool any = false;
  for (size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text.view().substr(at));
    if (is_case(c.code_point)) {
      any = true;
    } else if (is_cased(c.code_point)) {
      return Value::boolean(false);
    }
    at += c.length;
  }
  return Value::boolean(any);
}
Value lower(Interpreter& vm, Call& call) { return in_case(vm, call, is_lower); }
Value upper(Interpreter& vm, Call& call) { return in_case(vm, call, is_upper); }

Value same_as(Interpreter&, Call& call) { return Value::boolean(identical(call[0], call[1])); }
Value in(Interpreter& vm, Call& call) { return Value::boolean(contains(vm, call[1], call[0])); }
Value filter(Interpreter&, Call& call) {
  return Value::boolean(call[0].is_string() && find_filter(call[0].view()) != nullptr);
}
Value test(Interpreter&, Call& call) {
  return Value::boolean(call[0].is_string() && find_test(call[0].view()) != nullptr);
}

template <Op op>
Value comparison(Interpreter& vm, Call& call) {
  return compare(vm, op, call[0], call[1]);
}

constexpr BuiltinDef kTests[] = {
    {"!=", comparison<Op::kNe>, "_ _", 2},
    {"<", comparison<Op::kLt>, "_ _", 2},
    {"<=", comparison<Op::kLe>, "_ _", 2},
    {"==", comparison<Op::kEq>, "_ _", 2},
    {">", comparison<Op::kGt>, "_ _", 2},
    {">=", comparison<Op::kGe>, "_ _", 2},
    {"boolean", boolean, "value", 1},
    {"callable", callable, "_", 1},
    {"defined", defined, "value", 1},
    {"divisibleby", divisible_by, "value num", 2},
    {"eq", comparison<Op::kEq>, "_ _", 2},
    {"equalto", comparison<Op::kEq>, "_ _", 2},
    {"escaped", escaped_test, "value", 1},
    {"even", even, "value", 1},
    {"false", is_false, "value", 1},
    {"filter", filter, "value", 1},
    {"float", is_float, "value", 1},
    {"ge", comparison<Op::kGe>, "_ _", 2},
    {"greaterthan", comparison<Op::kGt>, "_ _", 2},
    {"gt", comparison<Op::kGt>, "_ _", 2},
    {"in", in, "value seq", 2},
    {"integer", integer, "value", 1},
    {"iterable", iterable, "value", 1},
    {"le", comparison<Op::kLe>, "_ _", 2},
    {"lessthan", comparison<Op::kLt>, "_ _", 2},
    {"lower", lower, "value", 1},
    {"lt", comparison<Op::kLt>, "_ _", 2},
    {"mapping", mapping, "value", 1},
    {"ne", comparison<Op::kNe>, "_ _", 2},
    {"none", none, "value", 1},
    {"number", number, "value", 1},
    {"odd", odd, "value", 1},
    {"sameas", same_as, "value other", 2},
    {"sequence", sequence, "value", 1},
    {"string", string, "value", 1},
    {"test", test, "value", 1},
    {"true", is_true, "value", 1},
    {"undefined", undefined, "value", 1},
    {"upper", upper, "value", 1},
};

using Index = std::unordered_map<std::string_view, const BuiltinDef*>;

void add_all(Index& index, BuiltinTable table) {
  for (size_t i = 0; i < table.size; ++i) {
    index.emplace(table.begin[i].name, &table.begin[i]);
  }
}

const BuiltinDef* find(const Index& index, std::string_view name) {
  const auto it = index.find(name);
  return it == index.end() ? nullptr : it->second;
}

}  // namespace

const BuiltinDef* find_test(std::string_view name) {
  static const Index index = [] {
    Index made;
    add_all(made, {kTests, std::size(kTests)});
    return made;
  }();
  return find(index, name);
}

const BuiltinDef* find_filter(std::string_view name) {
  static const Index index = [] {
    Index made;
    for (const BuiltinTable& table :
         {text_filters(), sequence_filters(), mapping_filters(), number_filters()}) {
      add_all(made, table);
    }
    return made;
  }();
  return find(index, name);
}

}  // namespace orrery::jinja
