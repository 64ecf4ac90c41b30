// The functions that every template sees.
#include <algorithm>
#include <chrono>

#include "jinja/loop.h"
#include "jinja/params.h"

namespace orrery::jinja {
namespace {

constexpr int64_t kMaxRange = 100'000;  // as in Jinja's sandbox

Value range(Interpreter& vm, Call& call) {
  const bool has_start = call.has(1);
  const int64_t first = int_param(vm, call, 0, 0);
  const int64_t start = has_start ? first : 0;
  const int64_t stop = has_start ? int_param(vm, call, 1, 0) : first;
  const int64_t step = int_param(vm, call, 2, 1);
  if (vm.failed()) {
    return {};
  }
  if (step == 0) {
    return vm.error("range() arg 3 must not be zero");
  }
  const Value made = vm.object(new RangeObject(start, stop, step));
  if (!vm.failed() && made.as<RangeObject>().length > kMaxRange) {
    return vm.error("range too big: the sandbox blocks ranges larger than {}", kMaxRange);
  }
  return made;
}

// dict(mapping or pairs, **more)
bool dict_entries(Interpreter& vm, Call& call, std::vector<DictObject::Entry>& entries) {
  std::vector<Value>& positional = call.rest.positional;
  if (positional.size() > 1) {
    vm.error("dict expected at most 1 argument, got {}", positional.size());
    return false;
  }
  if (!positional.empty() && positional[0].is_dict()) {
    entries = positional[0].dict().entries;
    if (!vm.charge(entries.size())) {
      return false;
    }
  } else if (!positional.empty()) {
    Cursor cursor;
    Value item;
    if (!Cursor::open(vm, positional[0], cursor)) {
      return false;
    }
    while (cursor.next(vm, item)) {
      std::vector<Value> pair;
      if (!collect_items(vm, item, pair)) {
        return false;
      }
      if (pair.size() != 2) {
        vm.error("dict: expected pairs, got {} values", pair.size());
        return false;
      }
      entries.emplace_back(pair[0], pair[1]);
    }
  }
  for (auto& keyword : call.rest.keywords) {
    entries.push_back(std::move(keyword));
  }
  return !vm.failed();
}

Value dict(Interpreter& vm, Call& call) {
  std::vector<DictObject::Entry> entries;
  return dict_entries(vm, call, entries) ? vm.dict(std::move(entries)) : Value();
}

Value namespace_function(Interpreter& vm, Call& call) {
  std::vector<DictObject::Entry> entries;
  if (!dict_entries(vm, call, entries)) {
    return {};
  }
  const Value attributes = vm.dict(std::move(entries));
  if (vm.failed()) {
    return {};
  }
  Ref<NamespaceObject> made(new NamespaceObject);
  made->attributes = attributes.dict().entries;
  return vm.keep_namespace(std::move(made));
}

Value cycler(Interpreter& vm, Call& call) {
  if (call.rest.positional.empty() || !call.rest.keywords.empty()) {
    return vm.error("at least one item has to be provided");
  }
  const Value items = vm.tuple(std::move(call.rest.positional));
  return vm.failed() ? Value() : vm.object(new CyclerObject(items));
}

Value joiner(Interpreter& vm, Call& call) {
  return vm.object(new JoinerObject(call.has(0) ? call[0] : vm.string(", ")));
}

Value raise_exception(Interpreter& vm, Call& call) {
  const Text message = to_text(vm, call[0]);
  return vm.error("{}", message.view());
}

Value strftime_now(Interpreter& vm, Call& call) {
  if (!is_string_param(vm, call, 0) || !vm.charge(8 * call[0].text().size())) {
    return {};
  }
  using std::chrono::duration_cast;
  using std::chrono::seconds;
  const RenderOptions& options = vm.options();
  const int64_t now = options.now_unix_seconds.value_or(
      duration_cast<seconds>(std::chrono::system_clock::now().time_since_epoch()).count());
  return vm.text(Text(format_time(now + options.utc_offset_seconds, call[0].view()),
                      !call[0].text().all_trusted()));
}

constexpr BuiltinDef kGlobals[] = {
    {"cycler", cycler, "*", 0},
    {"dict", dict, "*", 0},
    {"joiner", joiner, "sep", 0},
    {"namespace", namespace_function, "*", 0},
    {"raise_exception", raise_exception, "message", 1},
    {"range", range, "_ _ _", 1},
    {"strftime_now", strftime_now, "format", 1},
};

}  // namespace

int find_global(std::string_view name) {
  const auto* const it = std::find_if(std::begin(kGlobals), std::end(kGlobals),
                                      [name](const BuiltinDef& def) { return def.name == name; });
  return it == std::end(kGlobals) ? -1 : static_cast<int>(it - std::begin(kGlobals));
}

const BuiltinDef& global_at(int index) { return kGlobals[index]; }

}  // namespace orrery::jinja
