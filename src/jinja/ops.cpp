// Truth, equality, order, membership, arithmetic.
#include "jinja/ops.h"

#include <algorithm>
#include <cmath>

#include "jinja/loop.h"
#include "jinja/text_ops.h"

namespace orrery::jinja {

Value undefined_error(Interpreter& vm, const Value& value) {
  const Object* object = value.object();
  return vm.error(
      "{}", object != nullptr ? value.as<UndefinedObject>().message : "the value is undefined");
}

bool truthy(const Value& value) {
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return value.integer() != 0;
    case Kind::kFloat:
      return value.real() != 0;
    case Kind::kString:
      return !value.text().empty();
    default:
      return length_of(value).value_or(1) != 0;
  }
}

namespace {

bool equal_items(Interpreter& vm, const std::vector<Value>& a, const std::vector<Value>& b) {
  if (a.size() != b.size()) {
    return false;
  }
  for (size_t i = 0; i < a.size(); ++i) {
    if (!equal(vm, a[i], b[i])) {
      return false;
    }
  }
  return true;
}

bool equal_dicts(Interpreter& vm, const DictObject& a, const DictObject& b) {
  if (a.entries.size() != b.entries.size()) {
    return false;
  }
  for (const auto& [key, value] : a.entries) {
    const Value* other = b.find(key);
    if (other == nullptr || !equal(vm, value, *other)) {
      return false;
    }
  }
  return true;
}

constexpr int kNoOrder = 3;  // a type error, or a budget

int order_items(Interpreter& vm, const std::vector<Value>& a, const std::vector<Value>& b,
                const char* op);

// -1, 0, 1, 2 if unordered (NaN), kNoOrder
int order(Interpreter& vm, const Value& a, const Value& b, const char* op) {
  if (!vm.enter()) {
    return kNoOrder;
  }
  if (a.is_number() && b.is_number()) {
    return compare_numbers(a, b);
  }
  if (a.is_string() && b.is_string()) {
    if (!vm.charge_bytes(std::min(a.text().size(), b.text().size()))) {
      return kNoOrder;
    }
    const int sign = a.view().compare(b.view());
    return sign < 0 ? -1 : sign > 0 ? 1 : 0;
  }
  if (a.is_sequence() && a.kind() == b.kind()) {
    return order_items(vm, a.items(), b.items(), op);
  }
  if (a.is_undefined() || b.is_undefined()) {
    undefined_error(vm, a.is_undefined() ? a : b);
  } else {
    vm.error("'{}' not supported between instances of '{}' and '{}'", op, type_name(a),
             type_name(b));
  }
  return kNoOrder;
}

int order_items(Interpreter& vm, const std::vector<Value>& a, const std::vector<Value>& b,
                const char* op) {
  const size_t common = std::min(a.size(), b.size());
  for (size_t i = 0; i < common; ++i) {
    const bool same = equal(vm, a[i], b[i]);
    if (vm.failed()) {
      return kNoOrder;
    }
    if (!same) {
      return order(vm, a[i], b[i], op);
    }
  }
  return a.size() < b.size() ? -1 : a.size() > b.size() ? 1 : 0;
}

}  // namespace

bool equal(Interpreter& vm, const Value& a, const Value& b) {
  if (!vm.enter()) {
    return false;
  }
  if (a.is_number() && b.is_number()) {
    return compare_numbers(a, b) == 0;
  }
  if (a.kind() != b.kind()) {
    return false;
  }
  switch (a.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      return vm.charge_bytes(std::min(a.text().size(), b.text().size())) && a.view() == b.view();
    case Kind::kList:
    case Kind::kTuple:
      return equal_items(vm, a.items(), b.items());
    case Kind::kDict:
      return equal_dicts(vm, a.dict(), b.dict());
    case Kind::kRange:
      return compare_keys(a, b) == 0;
    default:
      return a.same_as(b);
  }
}

bool less(Interpreter& vm, const Value& a, const Value& b) { return order(vm, a, b, "<") == -1; }

bool identical(const Value& a, const Value& b) {
  if (a.is_int() && b.is_int()) {
    return a.integer() == b.integer();
  }
  return a.kind() == b.kind() && !a.is_float() && a.same_as(b);
}

Value compare(Interpreter& vm, Op op, const Value& a, const Value& b) {
  switch (op) {
    case Op::kEq:
      return Value::boolean(equal(vm, a, b));
    case Op::kNe:
      return Value::boolean(!equal(vm, a, b));
    case Op::kIn:
      return Value::boolean(contains(vm, b, a));
    case Op::kNotIn:
      return Value::boolean(!contains(vm, b, a));
    case Op::kLt:
      return Value::boolean(order(vm, a, b, "<") == -1);
    case Op::kGt:
      return Value::boolean(order(vm, a, b, ">") == 1);
    case Op::kLe: {
      const int sign = order(vm, a, b, "<=");
      return Value::boolean(sign == -1 || sign == 0);
    }
    default: {
      const int sign = order(vm, a, b, ">=");
      return Value::boolean(sign == 1 || sign == 0);
    }
  }
}

bool hashable(Interpreter& vm, const Value& value) {
  if (value.is_list() || value.is_dict() || value.is(Kind::kDictView)) {
    vm.error("unhashable type: '{}'", type_name(value));
    return false;
  }
  if (value.is_tuple()) {
    for (const Value& item : value.items()) {
      if (!vm.charge(1) || !hashable(vm, item)) {
        return false;
      }
    }
  }
  return true;
}

bool contains(Interpreter& vm, const Value& container, const Value& item) {
  if (container.is_string()) {
    if (!item.is_string()) {
      vm.error("'in <string>' requires string as left operand, not {}", type_name(item));
      return false;
    }
    return vm.charge_bytes(container.text().size() + item.text().size()) &&
           find_text(container.view(), item.view()) != std::string_view::npos;
  }
  const bool by_key =
      container.is_dict() ||
      (container.is(Kind::kDictView) && container.as<DictViewObject>().view == ViewKind::kKeys);
  if (by_key) {
    const DictObject& dict =
        container.is_dict() ? container.dict() : container.as<DictViewObject>().of.dict();
    return hashable(vm, item) && vm.charge(4) && dict.find(item) != nullptr;
  }
  Cursor cursor;
  if (!Cursor::is_iterable(container)) {
    vm.error("argument of type '{}' is not iterable", type_name(container));
    return false;
  }
  if (!Cursor::open(vm, container, cursor)) {
    return false;
  }
  Value element;
  while (cursor.next(vm, element)) {
    if (equal(vm, element, item)) {
      return true;
    }
  }
  return false;
}

// A merge sort, since the comparison may fail in the middle and std::sort then may run wild.
bool sort_by_keys(Interpreter& vm, const std::vector<Value>& keys, bool reverse,
                  std::vector<size_t>& order) {
  const size_t n = keys.size();
  order.resize(n);
  for (size_t i = 0; i < n; ++i) {
    // sorted(reverse=True) keeps equal elements in order: it reverses, sorts and reverses.
    order[i] = reverse ? n - 1 - i : i;
  }
  std::vector<size_t> merged(n);
  for (size_t width = 1; width < n; width *= 2) {
    for (size_t begin = 0; begin < n; begin += 2 * width) {
      const size_t middle = std::min(begin + width, n);
      const size_t end = std::min(begin + 2 * width, n);
      size_t left = begin;
      size_t right = middle;
      for (size_t out = begin; out < end; ++out) {
        bool take_right = left == middle;
        if (!take_right && right < end) {
          take_right = less(vm, keys[order[right]], keys[order[left]]);
          if (vm.failed()) {
            return false;
          }
        }
        merged[out] = order[take_right ? right++ : left++];
      }
    }
    order.swap(merged);
  }
  if (reverse) {
    std::reverse(order.begin(), order.end());
  }
  return true;
}

}  // namespace orrery::jinja
