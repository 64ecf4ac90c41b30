#include "jinja/loop.h"

#include "base/utf8.h"
#include "jinja/ops.h"

namespace orrery::jinja {

bool Cursor::is_iterable(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kRange:
    case Kind::kDictView:
    case Kind::kIterator:
      return true;
    default:
      return false;
  }
}

bool Cursor::open(Interpreter& vm, const Value& container, Cursor& cursor) {
  if (!is_iterable(container)) {
    vm.error("'{}' object is not iterable", type_name(container));
    return false;
  }
  cursor.container_ = container;
  cursor.index_ = 0;
  return true;
}

bool Cursor::next(Interpreter& vm, Value& item) {
  if (!vm.charge(1)) {
    return false;
  }
  switch (container_.kind()) {
    case Kind::kString: {
      const Text& text = container_.text();
      if (index_ >= text.size()) {
        return false;
      }
      const size_t length = decode_utf8(text.view().substr(index_)).length;
      item = vm.text(text.slice(index_, index_ + length));
      index_ += length;
      return !vm.failed();
    }
    case Kind::kList:
    case Kind::kTuple:
      if (index_ >= container_.items().size()) {
        return false;
      }
      item = container_.items()[index_++];
      return true;
    case Kind::kDict:
      if (index_ >= container_.dict().entries.size()) {
        return false;
      }
      item = container_.dict().entries[index_++].first;
      return true;
    case Kind::kDictView: {
      const auto& view = container_.as<DictViewObject>();
      const auto& entries = view.of.dict().entries;
      if (index_ >= entries.size()) {
        return false;
      }
      const auto& [key, value] = entries[index_++];
      item = view.view == ViewKind::kKeys     ? key
             : view.view == ViewKind::kValues ? value
                                              : vm.tuple({key, value});
      return !vm.failed();
    }
    case Kind::kRange: {
      const auto& range = container_.as<RangeObject>();
      if (static_cast<int64_t>(index_) >= range.length) {
        return false;
      }
      item = Value::integer(range.at(static_cast<int64_t>(index_++)));
      return true;
    }
    case Kind::kIterator: {
      auto& iterator = container_.as<IteratorObject>();
      if (iterator.next >= iterator.items.size()) {
        return false;
      }
      item = iterator.items[iterator.next++];
      return true;
    }
    default:
      return false;
  }
}

std::optional<int64_t> length_of(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      return static_cast<int64_t>(value.string().length());
    case Kind::kList:
    case Kind::kTuple:
      return static_cast<int64_t>(value.items().size());
    case Kind::kDict:
      return static_cast<int64_t>(value.dict().entries.size());
    case Kind::kDictView:
      return static_cast<int64_t>(value.as<DictViewObject>().of.dict().entries.size());
    case Kind::kRange:
      return value.as<RangeObject>().length;
    default:
      return std::nullopt;
  }
}

bool collect_items(Interpreter& vm, const Value& container, std::vector<Value>& items) {
  Cursor cursor;
  if (!Cursor::open(vm, container, cursor)) {
    return false;
  }
  if (container.is_sequence()) {
    if (!vm.charge_values(container.items().size())) {
      return false;
    }
    items.insert(items.end(), container.items().begin(), container.items().end());
    return true;
  }
  Value item;
  while (cursor.next(vm, item)) {
    items.push_back(item);
  }
  return !vm.failed();
}

bool LoopObject::pull(Interpreter& vm, Value& item) {
  while (cursor.next(vm, item)) {
    if (def->test == nullptr || vm.loop_test(*this, item)) {
      return !vm.failed();
    }
    if (vm.failed()) {
      return false;
    }
  }
  return false;
}

bool LoopObject::peek(Interpreter& vm) {
  if (ahead_at_ < ahead_.size()) {
    return true;
  }
  Value item;
  if (!pull(vm, item)) {
    return false;
  }
  ahead_.assign(1, item);
  ahead_at_ = 0;
  return true;
}

bool LoopObject::advance(Interpreter& vm, Value& item) {
  if (ahead_at_ < ahead_.size()) {
    item = ahead_[ahead_at_++];
  } else if (!pull(vm, item)) {
    return false;
  }
  ++index0;
  if (def->extended) {
    before = std::move(current);
    current = item;
  }
  return true;
}

int64_t LoopObject::length(Interpreter& vm) {
  if (!length_) {
    length_ = def->test == nullptr ? length_of(items) : std::nullopt;
  }
  if (!length_) {
    // What has no length is read to its end.
    std::vector<Value> rest(ahead_.begin() + static_cast<ptrdiff_t>(ahead_at_), ahead_.end());
    Value item;
    while (pull(vm, item)) {
      rest.push_back(item);
    }
    length_ = static_cast<int64_t>(rest.size()) + index0 + 1;
    ahead_ = std::move(rest);
    ahead_at_ = 0;
  }
  return *length_;
}

Value LoopObject::attribute(Interpreter& vm, std::string_view name, bool& found) {
  found = true;
  if (name == "index") {
    return Value::integer(index0 + 1);
  }
  if (name == "index0") {
    return Value::integer(index0);
  }
  if (name == "first") {
    return Value::boolean(index0 == 0);
  }
  if (name == "last") {
    return Value::boolean(!peek(vm));
  }
  if (name == "length") {
    return Value::integer(length(vm));
  }
  if (name == "revindex") {
    return Value::integer(length(vm) - index0);
  }
  if (name == "revindex0") {
    return Value::integer(length(vm) - index0 - 1);
  }
  if (name == "depth") {
    return Value::integer(depth0 + 1);
  }
  if (name == "depth0") {
    return Value::integer(depth0);
  }
  if (name == "previtem") {
    return index0 == 0 ? vm.undefined("there is no previous item") : before;
  }
  if (name == "nextitem") {
    return peek(vm) ? ahead_[ahead_at_] : vm.undefined("there is no next item");
  }
  found = false;
  return {};
}

}  // namespace orrery::jinja
