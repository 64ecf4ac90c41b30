// Reading the arguments of native functions.
#pragma once

#include <optional>

#include "jinja/ops.h"

namespace orrery::jinja {

// An int (or bool); `fallback` if the argument is missing. Fails for other types.
inline int64_t int_param(Interpreter& vm, const Call& call, size_t i, int64_t fallback) {
  if (!call.has(i)) {
    return fallback;
  }
  if (call[i].is_undefined()) {
    undefined_error(vm, call[i]);
    return fallback;
  }
  if (!call[i].is_integral()) {
    vm.error("'{}' object cannot be interpreted as an integer", type_name(call[i]));
    return fallback;
  }
  return call[i].integer();
}

inline bool bool_param(const Call& call, size_t i) { return call.has(i) && truthy(call[i]); }

// Missing and None are the same to most functions.
inline bool is_given(const Call& call, size_t i) { return call.has(i) && !call[i].is_none(); }

// Whether argument `i` is a str; fails if not.
inline bool is_string_param(Interpreter& vm, const Call& call, size_t i) {
  if (call[i].is_string()) {
    return true;
  }
  if (call[i].is_undefined()) {
    undefined_error(vm, call[i]);
  } else {
    vm.error("expected a str, got {}", type_name(call[i]));
  }
  return false;
}

}  // namespace orrery::jinja
