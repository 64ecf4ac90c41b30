#include "jinja/value.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/utf8.h"

namespace orrery::jinja {
namespace {

// Below this many entries a search looks at each.
constexpr size_t kSmallDict = 8;

bool is_ascii(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

int compare_int_float(int64_t i, double d) {
  if (std::isnan(d)) {
    return 2;
  }
  if (d >= 9223372036854775808.0) {
    return -1;
  }
  if (d < -9223372036854775808.0) {
    return 1;
  }
  const auto whole = static_cast<int64_t>(d);  // toward zero, exact
  if (i != whole) {
    return i < whole ? -1 : 1;
  }
  const double rest = d - static_cast<double>(whole);
  return rest > 0 ? -1 : rest < 0 ? 1 : 0;
}

int key_rank(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return 0;  // all Undefined are equal, and hash equal
    case Kind::kNone:
      return 1;
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      return 2;
    case Kind::kString:
      return 3;
    case Kind::kTuple:
      return 4;
    case Kind::kRange:
      return 5;
    default:
      return 6;  // by identity
  }
}

int compare_ints(int64_t a, int64_t b) { return a < b ? -1 : a > b ? 1 : 0; }

}  // namespace

StringObject::StringObject(Text content, bool is_markup)
    : Object(Kind::kString, 0),
      text(std::move(content)),
      ascii(is_ascii(text.view())),
      markup(is_markup),
      length_(ascii ? text.size() : SIZE_MAX) {}

size_t StringObject::length() const {
  if (length_ == SIZE_MAX) {
    length_ = static_cast<size_t>(
        std::count_if(text.bytes().begin(), text.bytes().end(), begins_character));
  }
  return length_;
}

size_t StringObject::byte_offset(size_t index) const {
  if (ascii) {
    return index;
  }
  size_t at = 0;
  for (; at < text.size(); ++at) {
    if (begins_character(text.bytes()[at])) {
      if (index == 0) {
        break;
      }
      --index;
    }
  }
  return at;
}

RangeObject::RangeObject(int64_t first, int64_t end, int64_t by)
    : Object(Kind::kRange, 0), start(first), stop(end), step(by) {
  // In unsigned arithmetic, since stop - start may exceed an int64_t; the caller bounds it.
  uint64_t count = 0;
  if (step > 0 && start < stop) {
    count = (static_cast<uint64_t>(stop) - static_cast<uint64_t>(start) - 1) /
                static_cast<uint64_t>(step) +
            1;
  } else if (step < 0 && start > stop) {
    count = (static_cast<uint64_t>(start) - static_cast<uint64_t>(stop) - 1) /
                (~static_cast<uint64_t>(step) + 1) +
            1;
  }
  length = static_cast<int64_t>(std::min<uint64_t>(count, INT64_MAX));
}

Value* NamespaceObject::find(std::string_view name) {
  for (auto& [key, value] : attributes) {
    if (key.is_string() && key.view() == name) {
      return &value;
    }
  }
  return nullptr;
}

const std::vector<uint32_t>& DictObject::order() const {
  if (order_.empty()) {
    order_.resize(entries.size());
    std::iota(order_.begin(), order_.end(), 0);
    std::sort(order_.begin(), order_.end(), [this](uint32_t a, uint32_t b) {
      return compare_keys(entries[a].first, entries[b].first) < 0;
    });
  }
  return order_;
}

const Value* DictObject::find(const Value& key) const {
  if (entries.size() <= kSmallDict) {
    for (const Entry& entry : entries) {
      if (compare_keys(entry.first, key) == 0) {
        return &entry.second;
      }
    }
    return nullptr;
  }
  const std::vector<uint32_t>& sorted = order();
  const auto it =
      std::lower_bound(sorted.begin(), sorted.end(), key, [this](uint32_t i, const Value& wanted) {
        return compare_keys(entries[i].first, wanted) < 0;
      });
  const bool found = it != sorted.end() && compare_keys(entries[*it].first, key) == 0;
  return found ? &entries[*it].second : nullptr;
}

const Value* DictObject::find(std::string_view key) const {
  if (entries.size() <= kSmallDict) {
    for (const Entry& entry : entries) {
      if (entry.first.is_string() && entry.first.view() == key) {
        return &entry.second;
      }
    }
    return nullptr;
  }
  return find(Value(new StringObject(Text(std::string(key)), false)));
}

const char* type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kFunction:
      return "function";
    case Kind::kString:
      return value.string().markup ? "Markup" : "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kRange:
      return "range";
    case Kind::kDictView:
      switch (value.as<DictViewObject>().view) {
        case ViewKind::kKeys:
          return "dict_keys";
        case ViewKind::kValues:
          return "dict_values";
        case ViewKind::kItems:
          return "dict_items";
      }
      return "dict_items";
    case Kind::kIterator:
      return value.as<IteratorObject>().type;
    case Kind::kNamespace:
      return "Namespace";
    case Kind::kMethod:
      return "builtin_function_or_method";
    case Kind::kMacro:
      return "Macro";
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kCycler:
      return "Cycler";
    case Kind::kJoiner:
      return "Joiner";
    case Kind::kActivation:
      return "frame";
  }
  return "object";
}

int max_depth(const std::vector<Value>& values) {
  int depth = 0;
  for (const Value& value : values) {
    depth = std::max(depth, value.depth());
  }
  return depth;
}

int max_depth(const std::vector<DictObject::Entry>& entries) {
  int depth = 0;
  for (const auto& [key, value] : entries) {
    depth = std::max({depth, key.depth(), value.depth()});
  }
  return depth;
}

int compare_numbers(const Value& a, const Value& b) {
  if (!a.is_float() && !b.is_float()) {
    return compare_ints(a.integer(), b.integer());
  }
  if (a.is_float() && b.is_float()) {
    const double x = a.real();
    const double y = b.real();
    return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2;
  }
  if (b.is_float()) {
    return compare_int_float(a.integer(), b.real());
  }
  const int reversed = compare_int_float(b.integer(), a.real());
  return reversed == 2 ? 2 : -reversed;
}

int compare_keys(const Value& a, const Value& b) {
  const int rank = key_rank(a);
  if (const int by_rank = compare_ints(rank, key_rank(b)); by_rank != 0) {
    return by_rank;
  }
  switch (rank) {
    case 0:
    case 1:
      return 0;
    case 2: {
      const int order = compare_numbers(a, b);
      if (order != 2) {
        return order;
      }
      // NaNs are put after all numbers, together.
      const bool a_nan = a.is_float() && std::isnan(a.real());
      const bool b_nan = b.is_float() && std::isnan(b.real());
      return compare_ints(a_nan ? 1 : 0, b_nan ? 1 : 0);
    }
    case 3:
      return compare_ints(a.view().compare(b.view()), 0);
    case 4: {
      const std::vector<Value>& x = a.items();
      const std::vector<Value>& y = b.items();
      for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
        if (const int order = compare_keys(x[i], y[i]); order != 0) {
          return order;
        }
      }
      return compare_ints(static_cast<int64_t>(x.size()), static_cast<int64_t>(y.size()));
    }
    case 5: {
      const auto& x = a.as<RangeObject>();
      const auto& y = b.as<RangeObject>();
      if (x.length != y.length) {
        return compare_ints(x.length, y.length);
      }
      if (x.length == 0 || x.start != y.start) {
        return x.length == 0 ? 0 : compare_ints(x.start, y.start);
      }
      return x.length == 1 ? 0 : compare_ints(x.step, y.step);
    }
    default:
      if (a.kind() != b.kind()) {
        return compare_ints(static_cast<int64_t>(a.kind()), static_cast<int64_t>(b.kind()));
      }
      return a.same_as(b) ? 0 : compare_ints(a.integer(), b.integer());
  }
}

std::vector<DictObject::Entry> unique_entries(std::vector<DictObject::Entry> entries) {
  std::vector<uint32_t> order(entries.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&entries](uint32_t a, uint32_t b) {
    return compare_keys(entries[a].first, entries[b].first) < 0;
  });
  std::vector<bool> dropped(entries.size(), false);
  size_t first = 0;
  bool any = false;
  for (size_t i = 1; i < order.size(); ++i) {
    if (compare_keys(entries[order[i - 1]].first, entries[order[i]].first) != 0) {
      first = i;
      continue;
    }
    entries[order[first]].second = entries[order[i]].second;
    dropped[order[i]] = true;
    any = true;
  }
  if (!any) {
    return entries;
  }
  std::vector<DictObject::Entry> kept;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (!dropped[i]) {
      kept.push_back(std::move(entries[i]));
    }
  }
  return kept;
}

}  // namespace orrery::jinja
