// + - * / // % ** and the signs.
#include <algorithm>
#include <cmath>

#include "jinja/ops.h"

namespace orrery::jinja {
namespace {

constexpr const char* kSymbols[] = {"+", "-", "*", "/", "//", "%", "**"};

Value type_error(Interpreter& vm, Op op, const Value& a, const Value& b) {
  return vm.error("unsupported operand type(s) for {}: '{}' and '{}'",
                  kSymbols[static_cast<int>(op)], type_name(a), type_name(b));
}

Value too_large(Interpreter& vm) { return vm.error("the integer result does not fit 64 bits"); }

double floor_mod(double a, double b) {
  double mod = std::fmod(a, b);
  if (mod != 0) {
    mod += (b < 0) != (mod < 0) ? b : 0;
  } else {
    mod = std::copysign(0.0, b);
  }
  return mod;
}

// As CPython's float_divmod, whose quotient is exact where a plain floor(a / b) is not.
double floor_div(double a, double b) {
  const double mod = std::fmod(a, b);
  double div = (a - mod) / b;
  if (mod != 0 && (b < 0) != (mod < 0)) {
    div -= 1;
  }
  if (div == 0) {
    return std::copysign(0.0, a / b);
  }
  const double whole = std::floor(div);
  return div - whole > 0.5 ? whole + 1 : whole;
}

Value int_pow(Interpreter& vm, int64_t base, int64_t exponent) {
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) {
      return too_large(vm);
    }
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) {
      return too_large(vm);
    }
  }
  return Value::integer(result);
}

Value float_arithmetic(Interpreter& vm, Op op, double a, double b) {
  const bool divides = op == Op::kDiv || op == Op::kFloorDiv || op == Op::kMod;
  if (divides && b == 0) {
    return vm.error("division by zero");
  }
  switch (op) {
    case Op::kAdd:
      return Value::real(a + b);
    case Op::kSub:
      return Value::real(a - b);
    case Op::kMul:
      return Value::real(a * b);
    case Op::kDiv:
      return Value::real(a / b);
    case Op::kFloorDiv:
      return Value::real(floor_div(a, b));
    case Op::kMod:
      return Value::real(floor_mod(a, b));
    default:
      break;
  }
  if (a == 0 && b < 0) {
    return vm.error("0.0 cannot be raised to a negative power");
  }
  if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b)) {
    return vm.error("a power with a complex result");
  }
  const double power = std::pow(a, b);
  if (std::isinf(power) && std::isfinite(a) && std::isfinite(b)) {
    return vm.error("the result of ** is too large");
  }
  return Value::real(power);
}

Value int_arithmetic(Interpreter& vm, Op op, int64_t a, int64_t b) {
  int64_t result = 0;
  const bool divides = op == Op::kDiv || op == Op::kFloorDiv || op == Op::kMod;
  if (divides && b == 0) {
    return vm.error("division by zero");
  }
  switch (op) {
    case Op::kAdd:
      return __builtin_add_overflow(a, b, &result) ? too_large(vm) : Value::integer(result);
    case Op::kSub:
      return __builtin_sub_overflow(a, b, &result) ? too_large(vm) : Value::integer(result);
    case Op::kMul:
      return __builtin_mul_overflow(a, b, &result) ? too_large(vm) : Value::integer(result);
    case Op::kDiv:
      return Value::real(static_cast<double>(a) / static_cast<double>(b));
    case Op::kPow:
      return b < 0 ? float_arithmetic(vm, op, static_cast<double>(a), static_cast<double>(b))
                   : int_pow(vm, a, b);
    default:
      break;
  }
  if (b == -1) {  // INT64_MIN / -1 traps
    return op == Op::kMod                          ? Value::integer(0)
           : __builtin_sub_overflow(0, a, &result) ? too_large(vm)
                                                   : Value::integer(result);
  }
  const int64_t mod = a % b;
  const bool adjust = mod != 0 && (mod < 0) != (b < 0);
  return Value::integer(op == Op::kMod ? mod + (adjust ? b : 0) : a / b - (adjust ? 1 : 0));
}

Value repeat(Interpreter& vm, const Value& what, int64_t count) {
  const uint64_t times = count > 0 ? static_cast<uint64_t>(count) : 0;
  const uint64_t size = what.is_string() ? what.text().size() : what.items().size();
  // Both factors are below 2^63, their product may not be.
  uint64_t total = 0;
  if (__builtin_mul_overflow(times, size, &total)) {
    total = UINT64_MAX / 2;
  }
  if (!(what.is_string() ? vm.charge_bytes(total) : vm.charge_values(total))) {
    return {};
  }
  if (what.is_string()) {
    Text out;
    out.reserve(total);
    for (uint64_t i = 0; i < times && size > 0; ++i) {
      out.append(what.text());
    }
    return vm.text(std::move(out), what.string().markup);
  }
  std::vector<Value> items;
  items.reserve(total);
  for (uint64_t i = 0; i < times && size > 0; ++i) {
    items.insert(items.end(), what.items().begin(), what.items().end());
  }
  return what.is_list() ? vm.list(std::move(items)) : vm.tuple(std::move(items));
}

Value add_strings(Interpreter& vm, const Value& a, const Value& b) {
  const bool a_markup = a.string().markup;
  const bool b_markup = b.string().markup;
  Text out;
  out.reserve(a.text().size() + b.text().size());
  if (a_markup == b_markup) {
    out.append(a.text());
    out.append(b.text());
  } else {
    out.append(a_markup ? a.text() : escaped(vm, a));
    out.append(b_markup ? b.text() : escaped(vm, b));
  }
  return vm.text(std::move(out), a_markup || b_markup);
}

Value add_sequences(Interpreter& vm, const Value& a, const Value& b) {
  if (!vm.charge_values(a.items().size() + b.items().size())) {
    return {};
  }
  std::vector<Value> items;
  items.reserve(a.items().size() + b.items().size());
  items.insert(items.end(), a.items().begin(), a.items().end());
  items.insert(items.end(), b.items().begin(), b.items().end());
  return a.is_list() ? vm.list(std::move(items)) : vm.tuple(std::move(items));
}

bool repeatable(const Value& value) { return value.is_string() || value.is_sequence(); }

}  // namespace

Value arithmetic(Interpreter& vm, Op op, const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) {
    return int_arithmetic(vm, op, a.integer(), b.integer());
  }
  if (a.is_number() && b.is_number()) {
    return float_arithmetic(vm, op, a.real(), b.real());
  }
  if (op == Op::kMod && a.is_string()) {
    return percent_format(vm, a.string(), b);
  }
  if (a.is_undefined() || b.is_undefined()) {
    return undefined_error(vm, a.is_undefined() ? a : b);
  }
  if (op == Op::kAdd && a.is_string() && b.is_string()) {
    return add_strings(vm, a, b);
  }
  if (op == Op::kAdd && a.is_sequence() && a.kind() == b.kind()) {
    return add_sequences(vm, a, b);
  }
  if (op == Op::kMul && repeatable(a) && b.is_integral()) {
    return repeat(vm, a, b.integer());
  }
  if (op == Op::kMul && repeatable(b) && a.is_integral()) {
    return repeat(vm, b, a.integer());
  }
  return type_error(vm, op, a, b);
}

Value negate(Interpreter& vm, const Value& value) {
  if (value.is_float()) {
    return Value::real(-value.real());
  }
  if (value.is_integral()) {
    return int_arithmetic(vm, Op::kSub, 0, value.integer());
  }
  return value.is_undefined() ? undefined_error(vm, value)
                              : vm.error("bad operand type for unary -: '{}'", type_name(value));
}

Value unary_plus(Interpreter& vm, const Value& value) {
  if (value.is_number()) {
    return value.is_bool() ? Value::integer(value.integer()) : value;
  }
  return value.is_undefined() ? undefined_error(vm, value)
                              : vm.error("bad operand type for unary +: '{}'", type_name(value));
}

}  // namespace orrery::jinja
