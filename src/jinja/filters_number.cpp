// Filters over numbers.
#include <algorithm>
#include <cmath>

#include "jinja/numbers.h"
#include "jinja/params.h"

namespace orrery::jinja {
namespace {

Value abs_filter(Interpreter& vm, Call& call) {
  const Value& value = call[0];
  if (value.is_float()) {
    return Value::real(std::fabs(value.real()));
  }
  if (value.is_integral()) {
    return value.integer() < 0 ? negate(vm, value) : Value::integer(value.integer());
  }
  return value.is_undefined() ? undefined_error(vm, value)
                              : vm.error("bad operand type for abs(): '{}'", type_name(value));
}

constexpr double kInt64Limit = 9223372036854775808.0;

// int(float): nothing if it is not finite or does not fit.
std::optional<int64_t> truncated(double value) {
  if (!std::isfinite(value) || value >= kInt64Limit || value < -kInt64Limit) {
    return std::nullopt;
  }
  return static_cast<int64_t>(value);
}

Value int_of_text(Interpreter& vm, std::string_view text, int64_t base, const Value& fallback) {
  if (!vm.charge_chars(text.size())) {
    return {};
  }
  int64_t whole = 0;
  const int checked_base = base == 0 || (base >= 2 && base <= 36) ? static_cast<int>(base) : 1;
  const ParseResult result = parse_int(text, checked_base, whole);
  if (result == ParseResult::kOk) {
    return Value::integer(whole);
  }
  if (result == ParseResult::kTooLarge) {
    return vm.error("int: the integer does not fit 64 bits");
  }
  const std::optional<double> real = parse_float(text);
  if (!real || !std::isfinite(*real)) {
    return fallback;
  }
  const std::optional<int64_t> from_real = truncated(*real);
  return from_real ? Value::integer(*from_real) : vm.error("int: the value does not fit 64 bits");
}

Value int_filter(Interpreter& vm, Call& call) {
  const Value& value = call[0];
  const Value fallback = call.has(1) ? call[1] : Value::integer(0);
  const int64_t base = int_param(vm, call, 2, 10);
  if (vm.failed()) {
    return {};
  }
  switch (value.kind()) {
    case Kind::kString:
      return int_of_text(vm, value.view(), base, fallback);
    case Kind::kBool:
    case Kind::kInt:
      return Value::integer(value.integer());
    case Kind::kFloat: {
      if (std::isnan(value.real())) {
        return fallback;
      }
      const std::optional<int64_t> whole = truncated(value.real());
      return whole ? Value::integer(*whole) : vm.error("int: the float does not fit 64 bits");
    }
    case Kind::kUndefined:
      return undefined_error(vm, value);
    default:
      return fallback;
  }
}

Value float_filter(Interpreter& vm, Call& call) {
  const Value& value = call[0];
  const Value fallback = call.has(1) ? call[1] : Value::real(0);
  if (value.is_number()) {
    return Value::real(value.real());
  }
  if (value.is_undefined()) {
    return undefined_error(vm, value);
  }
  if (!value.is_string() || !vm.charge_chars(value.text().size())) {
    return fallback;
  }
  const std::optional<double> real = parse_float(value.view());
  return real ? Value::real(*real) : fallback;
}

// round(value, digits): to even in the exact binary value, as Python does.
double round_float(double value, int64_t digits) {
  if (!std::isfinite(value) || digits > 323) {
    return value;
  }
  if (digits < -308) {
    return std::copysign(0.0, value);
  }
  if (digits >= 0) {
    return std::strtod(fmt::format("{:.{}f}", value, digits).c_str(), nullptr);
  }
  const double unit = std::pow(10.0, static_cast<double>(-digits));
  return std::nearbyint(value / unit) * unit;
}

Value round_int(Interpreter& vm, int64_t value, int64_t digits) {
  if (digits >= 0) {
    return Value::integer(value);
  }
  if (digits < -18) {
    return Value::integer(0);
  }
  int64_t unit = 1;
  for (int64_t i = 0; i < -digits; ++i) {
    unit *= 10;
  }
  const int64_t rest = ((value % unit) + unit) % unit;
  int64_t result = 0;
  if (__builtin_sub_overflow(value, rest, &result)) {
    return vm.error("the integer result does not fit 64 bits");
  }
  const bool odd = (result / unit) % 2 != 0;
  const bool up = rest > unit / 2 || (rest == unit / 2 && odd);
  if (up && __builtin_add_overflow(result, unit, &result)) {
    return vm.error("the integer result does not fit 64 bits");
  }
  return Value::integer(result);
}

Value round_filter(Interpreter& vm, Call& call) {
  const int64_t digits = int_param(vm, call, 1, 0);
  const std::string_view method = call.has(2) && call[2].is_string() ? call[2].view() : "common";
  if (method != "common" && method != "ceil" && method != "floor") {
    return vm.error("method must be common, ceil or floor");
  }
  const Value& value = call[0];
  if (!value.is_number() || vm.failed()) {
    return value.is_undefined() ? undefined_error(vm, value)
                                : vm.error("type {} doesn't define round", type_name(value));
  }
  if (!vm.charge(8 + static_cast<uint64_t>(std::clamp<int64_t>(digits, 0, 400)) / 2)) {
    return {};
  }
  if (method == "common") {
    return value.is_float() ? Value::real(round_float(value.real(), digits))
                            : round_int(vm, value.integer(), digits);
  }
  const double factor = std::pow(10.0, static_cast<double>(digits));
  const double scaled = value.real() * factor;
  if (!std::isfinite(scaled) || factor == 0) {
    return vm.error("cannot round {} to {} digits", value.real(), digits);
  }
  return Value::real((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / factor);
}

Value file_size(Interpreter& vm, Call& call) {
  const Value real = [&] {
    if (call[0].is_string()) {
      const std::optional<double> parsed = parse_float(call[0].view());
      return parsed ? Value::real(*parsed) : Value();
    }
    return call[0].is_number() ? Value::real(call[0].real()) : Value();
  }();
  if (real.is_missing() || !std::isfinite(real.real())) {
    return vm.error("filesizeformat: expected a number, got {}", type_name(call[0]));
  }
  const double bytes = real.real();
  const bool binary = bool_param(call, 1);
  const double base = binary ? 1024 : 1000;
  if (bytes == 1) {
    return vm.string("1 Byte");
  }
  if (bytes < base) {
    return vm.string(fmt::format("{:.0f} Bytes", std::trunc(bytes)));
  }
  constexpr std::string_view kPrefixes = "kMGTPEZY";
  double unit = base;
  size_t i = 0;
  do {
    unit *= base;
  } while (bytes >= unit && ++i < kPrefixes.size());
  i = std::min(i, kPrefixes.size() - 1);
  if (i == kPrefixes.size() - 1) {
    unit = std::pow(base, static_cast<double>(kPrefixes.size() + 1));
  }
  const char prefix = binary && kPrefixes[i] == 'k' ? 'K' : kPrefixes[i];
  return vm.string(fmt::format("{:.1f} {}{}B", base * bytes / unit, prefix, binary ? "i" : ""));
}

constexpr BuiltinDef kFilters[] = {
    {"abs", abs_filter, "_", 1},
    {"filesizeformat", file_size, "value binary", 1},
    {"float", float_filter, "value default", 1},
    {"int", int_filter, "value default base", 1},
    {"round", round_filter, "value precision method", 1},
};

}  // namespace

BuiltinTable number_filters() { return {kFilters, std::size(kFilters)}; }

}  // namespace orrery::jinja
