// obj.name, obj[key] and obj[a:b:c], as the immutable sandbox allows them.
#include <algorithm>

#include "base/utf8.h"
#include "jinja/loop.h"
#include "jinja/ops.h"

namespace orrery::jinja {
namespace {

std::string describe_object(const Value& object) {
  return object.is_none() ? "None" : fmt::format("{} object", type_name(object));
}

Value no_attribute(Interpreter& vm, const Value& object, std::string_view name) {
  return vm.undefined(fmt::format("'{}' has no attribute '{}'", describe_object(object), name));
}

// What would change a value in place, and what leads to Python's internals.
bool is_unsafe(const Value& object, std::string_view name) {
  static constexpr std::string_view kList[] = {"append", "clear",  "extend",  "insert",
                                               "pop",    "remove", "reverse", "sort"};
  static constexpr std::string_view kDict[] = {"clear", "pop", "popitem", "setdefault", "update"};
  static constexpr std::string_view kInternal[] = {
      "__class__",  "__doc__",    "__init__",    "__new__",          "__dir__",
      "__hash__",   "__repr__",   "__str__",     "__eq__",           "__ne__",
      "__lt__",     "__le__",     "__gt__",      "__ge__",           "__reduce__",
      "__sizeof__", "__format__", "__setattr__", "__getattribute__", "__delattr__"};
  const auto among = [name](const auto& names) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
  };
  return (object.is_list() && among(kList)) || (object.is_dict() && among(kDict)) ||
         (name.substr(0, 2) == "__" && among(kInternal));
}

Value macro_attribute(Interpreter& vm, const MacroDef& def, std::string_view name) {
  if (name == "name") {
    return def.anonymous ? Value::none() : vm.constant(def.name);
  }
  if (name == "arguments") {
    std::vector<Value> names;
    for (const uint32_t arg : def.arg_names) {
      names.push_back(vm.constant(arg));
    }
    return vm.tuple(std::move(names));
  }
  if (name == "catch_kwargs" || name == "catch_varargs" || name == "caller") {
    return Value::boolean(name == "caller"         ? def.uses_caller
                          : name == "catch_kwargs" ? def.uses_kwargs
                                                   : def.uses_varargs);
  }
  return {};
}

// Attributes that are not methods; missing if there is none.
Value plain_attribute(Interpreter& vm, const Value& object, std::string_view name) {
  switch (object.kind()) {
    case Kind::kLoop: {
      bool found = false;
      Value value = object.as<LoopObject>().attribute(vm, name, found);
      return found ? value : Value();
    }
    case Kind::kNamespace: {
      const Value* found = object.as<NamespaceObject>().find(name);
      return found != nullptr ? *found : Value();
    }
    case Kind::kMacro:
      return macro_attribute(vm, *object.as<MacroObject>().def, name);
    case Kind::kCycler: {
      const auto& cycler = object.as<CyclerObject>();
      return name == "current" ? cycler.items.items()[cycler.position]
             : name == "pos"   ? Value::integer(static_cast<int64_t>(cycler.position))
             : name == "items" ? cycler.items
                               : Value();
    }
    case Kind::kJoiner: {
      const auto& joiner = object.as<JoinerObject>();
      return name == "sep"    ? joiner.separator
             : name == "used" ? Value::boolean(joiner.used)
                              : Value();
    }
    case Kind::kRange: {
      const auto& range = object.as<RangeObject>();
      return name == "start"  ? Value::integer(range.start)
             : name == "stop" ? Value::integer(range.stop)
             : name == "step" ? Value::integer(range.step)
                              : Value();
    }
    case Kind::kTuple:
      if (object.as<ListObject>().group && (name == "grouper" || name == "list")) {
        return object.items()[name == "grouper" ? 0 : 1];
      }
      return {};
    case Kind::kBool:
    case Kind::kInt:
      return name == "real" || name == "numerator" ? Value::integer(object.integer())
             : name == "imag"                      ? Value::integer(0)
             : name == "denominator"               ? Value::integer(1)
                                                   : Value();
    case Kind::kFloat:
      return name == "real" ? object : name == "imag" ? Value::real(0) : Value();
    default:
      return {};
  }
}

// Python's getattr(); missing if there is no such attribute.
Value find_attribute(Interpreter& vm, const Value& object, std::string_view name) {
  if (is_unsafe(object, name)) {
    return vm.undefined(
        fmt::format("access to attribute '{}' of '{}' object is unsafe", name, type_name(object)));
  }
  if (const BuiltinDef* method = find_method(object, name)) {
    return vm.object(new MethodObject(object, method));
  }
  return plain_attribute(vm, object, name);
}

Value string_item(Interpreter& vm, const Value& object, int64_t index) {
  const StringObject& string = object.string();
  if (!string.ascii && !vm.charge_bytes(string.text.size())) {
    return {};
  }
  const size_t begin = string.byte_offset(static_cast<size_t>(index));
  const size_t length = decode_utf8(string.text.view().substr(begin)).length;
  return vm.text(string.text.slice(begin, begin + length), string.markup);
}

// obj[index]; missing if it is out of range or `object` has no such items.
Value indexed(Interpreter& vm, const Value& object, int64_t index) {
  const bool has_items = object.is_string() || object.is_sequence() || object.is(Kind::kRange);
  if (!has_items) {
    return {};
  }
  const int64_t length = *length_of(object);
  index += index < 0 ? length : 0;
  if (index < 0 || index >= length) {
    return {};
  }
  if (object.is_string()) {
    return string_item(vm, object, index);
  }
  return object.is(Kind::kRange) ? Value::integer(object.as<RangeObject>().at(index))
                                 : object.items()[static_cast<size_t>(index)];
}

// slice.indices(): the first index, how many, and the step.
struct Indices {
  int64_t start, count, step;
};

bool slice_bound(Interpreter& vm, const Value& value, std::optional<int64_t>& bound) {
  if (value.is_missing() || value.is_none()) {
    return true;
  }
  if (!value.is_integral()) {
    vm.error("slice indices must be integers or None, not {}", type_name(value));
    return false;
  }
  bound = value.integer();
  return true;
}

Indices slice_indices(int64_t length, std::optional<int64_t> start, std::optional<int64_t> stop,
                      int64_t step) {
  const int64_t low = step < 0 ? -1 : 0;
  const int64_t high = step < 0 ? length - 1 : length;
  const auto clamp = [&](int64_t index) {
    return index < 0 ? std::max(index + length, low) : std::min(index, high);
  };
  const int64_t first = start ? clamp(*start) : step < 0 ? high : low;
  const int64_t last = stop ? clamp(*stop) : step < 0 ? low : high;
  int64_t count = 0;
  if (step > 0 && first < last) {
    count = (last - first - 1) / step + 1;
  } else if (step < 0 && last < first) {
    count = (first - last - 1) / -std::max(step, -INT64_MAX) + 1;
  }
  return {first, count, step};
}

Value slice_string(Interpreter& vm, const StringObject& string, const Indices& at) {
  if (!vm.charge_bytes(string.ascii ? 0 : string.text.size())) {
    return {};
  }
  if (at.step == 1) {
    const size_t begin = string.byte_offset(static_cast<size_t>(at.start));
    const size_t end = string.ascii ? begin + static_cast<size_t>(at.count)
                                    : string.byte_offset(static_cast<size_t>(at.start + at.count));
    return vm.charge_bytes(end - begin) ? vm.text(string.text.slice(begin, end), string.markup)
                                        : Value();
  }
  if (!vm.charge(static_cast<uint64_t>(at.count) + string.length() / 4)) {
    return {};
  }
  std::vector<uint32_t> offsets;
  for (size_t i = 0; i < string.text.size(); ++i) {
    if ((static_cast<unsigned char>(string.text.bytes()[i]) & 0xC0) != 0x80) {
      offsets.push_back(static_cast<uint32_t>(i));
    }
  }
  offsets.push_back(static_cast<uint32_t>(string.text.size()));
  Text out;
  for (int64_t i = 0; i < at.count; ++i) {
    const auto index = static_cast<size_t>(at.start + i * at.step);
    out.append(string.text, offsets[index], offsets[index + 1]);
  }
  return vm.text(std::move(out), string.markup);
}

}  // namespace

Value get_attribute(Interpreter& vm, const Value& object, std::string_view name) {
  if (object.is_undefined()) {
    return undefined_error(vm, object);
  }
  Value value = find_attribute(vm, object, name);
  if (!value.is_missing() || vm.failed()) {
    return value;
  }
  if (object.is_dict()) {
    if (const Value* found = object.dict().find(name)) {
      return *found;
    }
  }
  return no_attribute(vm, object, name);
}

Value get_item(Interpreter& vm, const Value& object, const Value& key) {
  if (object.is_undefined()) {
    return undefined_error(vm, object);
  }
  if (object.is_dict()) {
    const bool has_hash = !key.is_list() && !key.is_dict();
    const Value* found = has_hash ? object.dict().find(key) : nullptr;
    if (found != nullptr) {
      return *found;
    }
  } else if (key.is_integral()) {
    Value item = indexed(vm, object, key.integer());
    if (!item.is_missing() || vm.failed()) {
      return item;
    }
  }
  if (!key.is_string()) {
    Text repr;
    append_repr(vm, key, repr);
    return vm.undefined(fmt::format("{} has no element {}", describe_object(object), repr.view()));
  }
  Value value = find_attribute(vm, object, key.view());
  return value.is_missing() && !vm.failed() ? no_attribute(vm, object, key.view()) : value;
}

Value slice(Interpreter& vm, const Value& object, const Value& start, const Value& stop,
            const Value& step) {
  if (object.is_undefined()) {
    return undefined_error(vm, object);
  }
  std::optional<int64_t> first;
  std::optional<int64_t> last;
  std::optional<int64_t> by;
  if (!slice_bound(vm, start, first) || !slice_bound(vm, stop, last) ||
      !slice_bound(vm, step, by)) {
    return {};
  }
  if (by == 0) {
    return vm.error("slice step cannot be zero");
  }
  if (!object.is_string() && !object.is_sequence() && !object.is(Kind::kRange)) {
    return vm.error("'{}' object is not subscriptable by a slice", type_name(object));
  }
  const Indices at = slice_indices(*length_of(object), first, last, by.value_or(1));
  if (object.is_string()) {
    return slice_string(vm, object.string(), at);
  }
  if (object.is(Kind::kRange)) {
    const auto& range = object.as<RangeObject>();
    // A range has at most 100,000 elements: none of these overflow but the step, which is bounded
    // by them too unless the slice is of one element.
    const int64_t factor = std::clamp<int64_t>(at.step, -200'000, 200'000);
    const int64_t begin = range.start + at.start * range.step;
    int64_t stride = 0;
    int64_t end = 0;
    if (__builtin_mul_overflow(range.step, factor, &stride) ||
        __builtin_mul_overflow(stride, at.count, &end) ||
        __builtin_add_overflow(end, begin, &end)) {
      return vm.error("the range does not fit 64 bits");
    }
    return vm.object(new RangeObject(begin, end, stride));
  }
  if (!vm.charge_values(static_cast<uint64_t>(at.count))) {
    return {};
  }
  std::vector<Value> items;
  items.reserve(static_cast<size_t>(at.count));
  for (int64_t i = 0; i < at.count; ++i) {
    items.push_back(object.items()[static_cast<size_t>(at.start + i * at.step)]);
  }
  return object.is_list() ? vm.list(std::move(items)) : vm.tuple(std::move(items));
}

}  // namespace orrery::jinja
