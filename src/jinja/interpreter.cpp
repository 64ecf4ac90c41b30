#include "jinja/interpreter.h"

#include "jinja/loop.h"
#include "jinja/ops.h"

namespace orrery::jinja {
namespace {

// An object costs about as much to make and destroy as this many nodes to evaluate.
constexpr uint64_t kAllocationSteps = 3;

}  // namespace

Interpreter::Interpreter(const Program& program, const RenderOptions& options)
    : program_(program),
      options_(options),
      steps_left_(options.limits.max_steps),
      constants_(program.strings.size()) {}

// Whatever may take part in a cycle is emptied while all of it is still held, so that no chain of
// destructors is longer than the depth of a value.
Interpreter::~Interpreter() {
  for (const Ref<Activation>& activation : kept_activations_) {
    std::vector<Value>().swap(activation->slots);
  }
  for (const Ref<NamespaceObject>& object : kept_namespaces_) {
    object->attributes.clear();
  }
  for (const Ref<LoopObject>& loop : kept_loops_) {
    loop->last_changed = Value();
  }
}

Result<Rendered> Interpreter::render(const OrderedJson& context) {
  context_ = from_json(*this, context, options_.trust);
  Text out;
  if (!failed_) {
    out_ = &out;
    activation_ = make_activation(program_.function, {});
    keep(activation_);
    enter_scope(program_.scope);
    exec(program_.body);
  }
  if (failed_) {
    return status_;
  }
  Rendered rendered;
  rendered.untrusted = out.untrusted();
  rendered.text = std::move(out).take_bytes();
  return rendered;
}

Value Interpreter::fail(Status status) {
  if (!failed_) {
    failed_ = true;
    status_ = std::move(status);
  }
  return {};
}

Value Interpreter::raise(std::string message) {
  return fail(invalid_argument("{}: line {}: {}", program_.name, line_, message));
}

bool Interpreter::charge(uint64_t steps) {
  if (failed_) {
    return false;
  }
  if (steps > static_cast<uint64_t>(steps_left_)) {
    fail(resource_exhausted("{}: line {}: the template takes more than {} steps", program_.name,
                            line_, options_.limits.max_steps));
    return false;
  }
  steps_left_ -= static_cast<int64_t>(steps);
  return true;
}

bool Interpreter::enter() {
  if (stack_.exceeded()) {
    fail(resource_exhausted("{}: line {}: nested too deep for the stack", program_.name, line_));
  }
  return charge(1);
}

bool Interpreter::depth_ok(int depth) {
  if (depth > options_.limits.max_depth) {
    fail(resource_exhausted("{}: line {}: a value nested deeper than {}", program_.name, line_,
                            options_.limits.max_depth));
    return false;
  }
  return true;
}

Value Interpreter::text(Text text, bool markup) {
  if (!charge(kAllocationSteps) || !charge_bytes(text.size())) {
    return {};
  }
  return Value(new StringObject(std::move(text), markup));
}

Value Interpreter::sequence(Kind kind, std::vector<Value> items) {
  const int depth = max_depth(items) + 1;
  if (!charge(kAllocationSteps) || !charge_values(items.size()) || !depth_ok(depth)) {
    return {};
  }
  return Value(new ListObject(kind, depth, std::move(items)));
}

Value Interpreter::dict(std::vector<DictObject::Entry> entries) {
  for (const auto& [key, value] : entries) {
    if (!hashable(*this, key)) {
      return {};
    }
  }
  const int depth = max_depth(entries) + 1;
  if (!charge(2 * entries.size() + kAllocationSteps) || !depth_ok(depth)) {
    return {};
  }
  return Value(new DictObject(depth, unique_entries(std::move(entries))));
}

Value Interpreter::iterator(const char* type, std::vector<Value> items) {
  const int depth = max_depth(items) + 1;
  if (!charge_values(items.size()) || !depth_ok(depth)) {
    return {};
  }
  return Value(new IteratorObject(type, depth, std::move(items)));
}

Value Interpreter::undefined(std::string message) {
  return charge(kAllocationSteps) ? Value(new UndefinedObject(std::move(message))) : Value();
}

Value Interpreter::object(Object* made) {
  Value value(made);
  return charge(kAllocationSteps) && depth_ok(value.depth()) ? value : Value();
}

Value Interpreter::keep_namespace(Ref<NamespaceObject> object) {
  kept_namespaces_.push_back(object);
  return Value(object);
}

void Interpreter::keep_loop(const Ref<LoopObject>& loop) { kept_loops_.push_back(loop); }

const Value& Interpreter::constant(uint32_t index) {
  Value& value = constants_[index];
  if (value.is_missing()) {
    value = Value(new StringObject(Text(program_.strings[index]), false));
  }
  return value;
}

Value Interpreter::resolve(uint32_t name) {
  const std::string& text = program_.strings[name];
  if (const Value* found = context_.dict().find(text)) {
    return *found;
  }
  const int global = find_global(text);
  return global >= 0 ? Value::function(global) : Value();
}

Ref<Activation> Interpreter::make_activation(const FunctionInfo& info,
                                             const Ref<Activation>& parent) {
  keep(parent);
  return Ref<Activation>(new Activation(info, parent));
}

void Interpreter::keep(const Ref<Activation>& activation) {
  if (activation && !activation->kept) {
    activation->kept = true;
    kept_activations_.push_back(activation);
  }
}

Value& Interpreter::slot(SlotRef ref) {
  Activation* at = activation_.get();
  for (int i = 0; i < ref.hops; ++i) {
    at = at->parent.get();
  }
  return at->slots[ref.slot];
}

void Interpreter::enter_scope(const ScopeCode& code) {
  for (const ScopeLoad& load : code) {
    Value& own = activation_->slots[load.slot];
    switch (load.kind) {
      case ScopeLoad::Kind::kParameter:
        break;
      case ScopeLoad::Kind::kResolve:
        own = resolve(load.name);
        break;
      case ScopeLoad::Kind::kAlias:
        own = Value(slot(load.outer));
        break;
      case ScopeLoad::Kind::kMissing:
        own = Value();
        break;
    }
  }
}

void Interpreter::leave_scope(const ScopeCode& code) {
  for (const ScopeLoad& load : code) {
    activation_->slots[load.slot] = Value();
  }
}

}  // namespace orrery::jinja
