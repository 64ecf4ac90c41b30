// Methods of containers, numbers, loops and cyclers, and where all methods are found.
#include <cmath>
#include <unordered_map>

#include "jinja/loop.h"
#include "jinja/params.h"

namespace orrery::jinja {
namespace {

Value count_items(Interpreter& vm, Call& call) {
  Cursor cursor;
  Value item;
  int64_t count = 0;
  if (!Cursor::open(vm, call[0], cursor)) {
    return {};
  }
  while (cursor.next(vm, item)) {
    count += equal(vm, item, call[1]) ? 1 : 0;
  }
  return Value::integer(count);
}

Value index_of(Interpreter& vm, Call& call) {
  const int64_t length = *length_of(call[0]);
  const auto bound = [&](size_t i, int64_t fallback) {
    const int64_t at = int_param(vm, call, i, fallback);
    return std::max<int64_t>(at < 0 ? at + length : at, 0);
  };
  const int64_t begin = bound(2, 0);
  const int64_t end = bound(3, length);
  Cursor cursor;
  Value item;
  if (vm.failed() || !Cursor::open(vm, call[0], cursor)) {
    return {};
  }
  for (int64_t i = 0; i < end && cursor.next(vm, item); ++i) {
    if (i >= begin && equal(vm, item, call[1])) {
      return Value::integer(i);
    }
  }
  return vm.error("the value is not in the {}", type_name(call[0]));
}

Value copy(Interpreter&, Call& call) { return call[0]; }

Value dict_view(Interpreter& vm, Call& call, ViewKind kind) {
  return vm.object(new DictViewObject(kind, call[0]));
}
Value keys(Interpreter& vm, Call& call) { return dict_view(vm, call, ViewKind::kKeys); }
Value values(Interpreter& vm, Call& call) { return dict_view(vm, call, ViewKind::kValues); }
Value items(Interpreter& vm, Call& call) { return dict_view(vm, call, ViewKind::kItems); }
Value get(Interpreter& vm, Call& call) {
  if (!hashable(vm, call[1]) || !vm.charge(1)) {
    return {};
  }
  const Value* found = call[0].dict().find(call[1]);
  return found != nullptr ? *found : call.has(2) ? call[2] : Value::none();
}

Value is_whole(Interpreter&, Call& call) {
  const double value = call[0].real();
  return Value::boolean(std::isfinite(value) && std::floor(value) == value);
}

Value bit_length(Interpreter&, Call& call) {
  const int64_t value = call[0].integer();
  uint64_t magnitude = value < 0 ? ~static_cast<uint64_t>(value) + 1 : static_cast<uint64_t>(value);
  int64_t bits = 0;
  for (; magnitude != 0; magnitude >>= 1) {
    ++bits;
  }
  return Value::integer(bits);
}

Value cycle(Interpreter& vm, Call& call) {
  const std::vector<Value>& choices = call.rest.positional;
  if (choices.empty() || !call.rest.keywords.empty()) {
    return vm.error("no items for cycling given");
  }
  const int64_t index = call[0].as<LoopObject>().index0;
  return choices[static_cast<size_t>(index) % choices.size()];
}

Value changed(Interpreter& vm, Call& call) {
  auto& loop = call[0].as<LoopObject>();
  const Value value = vm.tuple(std::move(call.rest.positional));
  if (vm.failed() || (!loop.last_changed.is_missing() && equal(vm, loop.last_changed, value))) {
    return Value::boolean(false);
  }
  if (loop.last_changed.is_missing()) {
    vm.keep_loop(Ref<LoopObject>(&loop));
  }
  loop.last_changed = value;
  return Value::boolean(true);
}

Value cycler_next(Interpreter&, Call& call) {
  auto& cycler = call[0].as<CyclerObject>();
  const std::vector<Value>& choices = cycler.items.items();
  const Value& item = choices[cycler.position];
  cycler.position = (cycler.position + 1) % choices.size();
  return item;
}
Value cycler_reset(Interpreter&, Call& call) {
  call[0].as<CyclerObject>().position = 0;
  return Value::none();
}

constexpr BuiltinDef kSequenceMethods[] = {
    {"count", count_items, "_ _", 2},
    {"index", index_of, "_ _ _ _", 2},
};
constexpr BuiltinDef kCopy{"copy", copy, "_", 1};
constexpr BuiltinDef kDictMethods[] = {
    {"copy", copy, "_", 1}, {"get", get, "_ _ _", 2},   {"items", items, "_", 1},
    {"keys", keys, "_", 1}, {"values", values, "_", 1},
};
constexpr BuiltinDef kIsInteger{"is_integer", is_whole, "_", 1};
constexpr BuiltinDef kBitLength{"bit_length", bit_length, "_", 1};
constexpr BuiltinDef kLoopMethods[] = {
    {"changed", changed, "_ *", 1},
    {"cycle", cycle, "_ *", 1},
};
constexpr BuiltinDef kCyclerMethods[] = {
    {"next", cycler_next, "_", 1},
    {"reset", cycler_reset, "_", 1},
};

template <size_t N>
const BuiltinDef* find_in(const BuiltinDef (&table)[N], std::string_view name) {
  for (const BuiltinDef& def : table) {
    if (def.name == name) {
      return &def;
    }
  }
  return nullptr;
}

const BuiltinDef* find_string_method(std::string_view name) {
  static const auto index = [] {
    std::unordered_map<std::string_view, const BuiltinDef*> made;
    for (const BuiltinTable& table : {string_methods(), string_search_methods()}) {
      for (size_t i = 0; i < table.size; ++i) {
        made.emplace(table.begin[i].name, &table.begin[i]);
      }
    }
    return made;
  }();
  const auto it = index.find(name);
  return it == index.end() ? nullptr : it->second;
}

}  // namespace

const BuiltinDef* find_method(const Value& self, std::string_view name) {
  switch (self.kind()) {
    case Kind::kString:
      return find_string_method(name);
    case Kind::kList:
      return name == kCopy.name ? &kCopy : find_in(kSequenceMethods, name);
    case Kind::kTuple:
    case Kind::kRange:
      return find_in(kSequenceMethods, name);
    case Kind::kDict:
      return find_in(kDictMethods, name);
    case Kind::kFloat:
      return name == kIsInteger.name ? &kIsInteger : nullptr;
    case Kind::kBool:
    case Kind::kInt:
      return name == kBitLength.name ? &kBitLength : nullptr;
    case Kind::kLoop:
      return find_in(kLoopMethods, name);
    case Kind::kCycler:
      return find_in(kCyclerMethods, name);
    default:
      return nullptr;
  }
}

}  // namespace orrery::jinja
