// Walking through a value, and the `loop` variable of a for loop.
#pragma once

#include <optional>

#include "jinja/interpreter.h"

namespace orrery::jinja {

// Python's iter(): over sequences, strings by character, keys of mappings, views, ranges, iterators
// (which it consumes), nothing for undefined values.
class Cursor {
 public:
  Cursor() = default;
  // Fails for what is not iterable.
  static bool open(Interpreter& vm, const Value& container, Cursor& cursor);
  static bool is_iterable(const Value& value);
  // False at the end, and after an error.
  bool next(Interpreter& vm, Value& item);

 private:
  Value container_;
  size_t index_ = 0;  // of an element; of a byte in a string
};

// len(); absent for what has none.
std::optional<int64_t> length_of(const Value& value);
// list(value): false after an error.
bool collect_items(Interpreter& vm, const Value& container, std::vector<Value>& items);

// jinja2.runtime.LoopContext
struct LoopObject : Object {
  LoopObject(const ForDef* the_def, Ref<Activation> the_definer, Value the_items, int the_depth0)
      : Object(Kind::kLoop, the_items.depth() + 1),
        def(the_def),
        definer(std::move(the_definer)),
        items(std::move(the_items)),
        depth0(the_depth0) {}

  // The next element that passes the loop's filter.
  bool advance(Interpreter& vm, Value& item);
  Value attribute(Interpreter& vm, std::string_view name, bool& found);

  const ForDef* def;
  Ref<Activation> definer;  // of a recursive loop: where it stands
  Value items;
  Cursor cursor;
  Ref<Activation> filter;  // the variables of the loop's test, if it has one
  bool filter_entered = false;
  int64_t index0 = -1;
  int depth0;
  Value current, before;
  Value last_changed;

 private:
  bool pull(Interpreter& vm, Value& item);
  bool peek(Interpreter& vm);
  int64_t length(Interpreter& vm);

  std::vector<Value> ahead_;  // read, but not yet given out
  size_t ahead_at_ = 0;
  std::optional<int64_t> length_;
};

}  // namespace orrery::jinja
