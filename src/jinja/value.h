// The values a template computes with: Python's, as far as a sandboxed Jinja template sees them.
//
// Containers never change after they are made (the sandbox refuses append, update and the like), so
// each knows its depth, and the depth of what can be built is bounded. Namespaces, activations and
// loops do change; the interpreter keeps the first two alive until it ends and then empties them,
// which breaks every cycle. Reference counts are not atomic: the values of one rendering belong to
// one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jinja/text.h"

namespace orrery::jinja {

enum class Kind : uint8_t {
  kMissing,    // a variable that was not assigned; an argument that was not given
  kUndefined,  // jinja2.Undefined
  kNone,
  kBool,
  kInt,
  kFloat,
  kFunction,  // a global such as range; its index in builtins.h
  kString,
  kList,
  kTuple,
  kDict,
  kRange,
  kDictView,
  kIterator,
  kNamespace,
  kMethod,
  kMacro,
  kLoop,
  kCycler,
  kJoiner,
  kActivation,
};

class Object {
 public:
  Object(Kind the_kind, int the_depth) : kind(the_kind), depth(static_cast<uint16_t>(the_depth)) {}
  virtual ~Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  const Kind kind;
  const uint16_t depth;  // 1 + that of the deepest value inside; 0 for what holds none
  uint32_t refs = 0;
};

// A counted pointer.
template <typename T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) : object_(object) { retain(); }
  Ref(const Ref& other) : object_(other.object_) { retain(); }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr && --object_->refs == 0) {
      delete object_;
    }
  }
  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  void retain() {
    if (object_ != nullptr) {
      ++object_->refs;
    }
  }
  T* object_ = nullptr;
};

struct StringObject;
struct ListObject;
struct DictObject;

class Value {
 public:
  Value() : kind_(Kind::kMissing), int_(0) {}
  Value(const Value& other) : kind_(other.kind_), int_(other.int_) { retain(); }
  Value(Value&& other) noexcept : kind_(other.kind_), int_(other.int_) {
    other.kind_ = Kind::kMissing;
    other.int_ = 0;
  }
  Value& operator=(const Value& other) { return *this = Value(other); }
  Value& operator=(Value&& other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(int_, other.int_);
    return *this;
  }
  ~Value() {
    if (is_object() && --object_->refs == 0) {
      delete object_;
    }
  }
  explicit Value(Object* made) : kind_(made->kind), int_(0) {
    object_ = made;
    ++made->refs;
  }
  template <typename T>
  explicit Value(const Ref<T>& made) : Value(static_cast<Object*>(made.get())) {}

  static Value undefined() { return Value(Kind::kUndefined, 0); }
  static Value none() { return Value(Kind::kNone, 0); }
  static Value boolean(bool b) { return Value(Kind::kBool, b ? 1 : 0); }
  static Value integer(int64_t i) { return Value(Kind::kInt, i); }
  static Value real(double d) {
    Value value(Kind::kFloat, 0);
    value.float_ = d;
    return value;
  }
  static Value function(int index) { return Value(Kind::kFunction, index); }

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_missing() const { return kind_ == Kind::kMissing; }
  bool is_undefined() const { return kind_ == Kind::kUndefined; }
  bool is_none() const { return kind_ == Kind::kNone; }
  bool is_bool() const { return kind_ == Kind::kBool; }
  bool is_int() const { return kind_ == Kind::kInt; }
  bool is_integral() const { return kind_ == Kind::kInt || kind_ == Kind::kBool; }
  bool is_float() const { return kind_ == Kind::kFloat; }
  bool is_number() const { return is_integral() || is_float(); }
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_list() const { return kind_ == Kind::kList; }
  bool is_tuple() const { return kind_ == Kind::kTuple; }
  bool is_sequence() const { return is_list() || is_tuple(); }
  bool is_dict() const { return kind_ == Kind::kDict; }

  int64_t integer() const { return int_; }  // also of a bool, as Python's bool is an int
  double real() const { return is_float() ? float_ : static_cast<double>(int_); }
  // What the kind says; undefined values may have no object.
  template <typename T>
  T& as() const {
    return *static_cast<T*>(object_);
  }
  const StringObject& string() const { return as<StringObject>(); }
  const Text& text() const;
  std::string_view view() const;
  const std::vector<Value>& items() const;  // of a list or tuple
  const DictObject& dict() const { return as<DictObject>(); }
  const Object* object() const { return is_object() ? object_ : nullptr; }
  int depth() const { return is_object() ? object_->depth : 0; }
  bool same_as(const Value& other) const { return kind_ == other.kind_ && int_ == other.int_; }

 private:
  Value(Kind the_kind, int64_t i) : kind_(the_kind), int_(i) {}
  bool is_object() const {
    return kind_ >= Kind::kString || (kind_ == Kind::kUndefined && int_ != 0);
  }
  void retain() {
    if (is_object()) {
      ++object_->refs;
    }
  }

  Kind kind_;
  union {
    int64_t int_;
    double float_;
    Object* object_;
  };
};
static_assert(sizeof(Value) == 16);

struct UndefinedObject : Object {
  explicit UndefinedObject(std::string the_message)
      : Object(Kind::kUndefined, 0), message(std::move(the_message)) {}
  std::string message;  // why, for whoever uses it
};

struct StringObject : Object {
  StringObject(Text text, bool markup);
  Text text;
  bool ascii;
  bool markup;  // markupsafe.Markup: escapes what is joined to it
  // Characters, as Python counts them.
  size_t length() const;
  // The byte at which character `index` <= length() begins.
  size_t byte_offset(size_t index) const;

 private:
  mutable size_t length_;
};

struct ListObject : Object {  // also a tuple
  ListObject(Kind the_kind, int the_depth, std::vector<Value> the_items)
      : Object(the_kind, the_depth), items(std::move(the_items)) {}
  std::vector<Value> items;
  bool group = false;  // of the groupby filter: (grouper, list), by name too
};

struct DictObject : Object {
  using Entry = std::pair<Value, Value>;
  // `entries` with distinct keys, all hashable.
  DictObject(int the_depth, std::vector<Entry> the_entries)
      : Object(Kind::kDict, the_depth), entries(std::move(the_entries)) {}
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
  const std::vector<Entry> entries;

 private:
  const std::vector<uint32_t>& order() const;
  mutable std::vector<uint32_t> order_;  // entries by key, made at the first search
};

struct RangeObject : Object {
  RangeObject(int64_t start, int64_t stop, int64_t step);
  const int64_t start, stop, step;
  int64_t length;
  int64_t at(int64_t index) const { return start + index * step; }
};

enum class ViewKind : uint8_t { kKeys, kValues, kItems };
struct DictViewObject : Object {
  DictViewObject(ViewKind the_view, Value the_of)
      : Object(Kind::kDictView, the_of.depth() + 1), view(the_view), of(std::move(the_of)) {}
  const ViewKind view;
  const Value of;
};

struct IteratorObject : Object {
  IteratorObject(const char* the_type, int the_depth, std::vector<Value> the_items)
      : Object(Kind::kIterator, the_depth), type(the_type), items(std::move(the_items)) {}
  const char* type;
  std::vector<Value> items;
  size_t next = 0;
};

struct NamespaceObject : Object {
  NamespaceObject() : Object(Kind::kNamespace, 0) {}
  Value* find(std::string_view name);
  std::vector<std::pair<Value, Value>> attributes;
};

struct BuiltinDef;
struct MethodObject : Object {
  MethodObject(Value the_self, const BuiltinDef* the_def)
      : Object(Kind::kMethod, the_self.depth() + 1), self(std::move(the_self)), def(the_def) {}
  const Value self;
  const BuiltinDef* def;
};

struct CyclerObject : Object {
  CyclerObject(Value the_items)
      : Object(Kind::kCycler, the_items.depth() + 1), items(std::move(the_items)) {}
  const Value items;  // a tuple, not empty
  size_t position = 0;
};

struct JoinerObject : Object {
  JoinerObject(Value the_separator)
      : Object(Kind::kJoiner, the_separator.depth() + 1), separator(std::move(the_separator)) {}
  const Value separator;
  bool used = false;
};

inline const Text& Value::text() const { return string().text; }
inline std::string_view Value::view() const { return string().text.view(); }
inline const std::vector<Value>& Value::items() const { return as<ListObject>().items; }

// Python's type names: 'str', 'list', ...
const char* type_name(const Value& value);
int max_depth(const std::vector<Value>& values);
int max_depth(const std::vector<DictObject::Entry>& entries);

// A total order of hashable values in which equal ones (1, 1.0, True) are equal.
int compare_keys(const Value& a, const Value& b);
// -1, 0, 1; 2 if unordered (NaN).
int compare_numbers(const Value& a, const Value& b);
// Removes all but the last value of each key, at the place of its first, as Python's dict does.
std::vector<DictObject::Entry> unique_entries(std::vector<DictObject::Entry> entries);

}  // namespace orrery::jinja
