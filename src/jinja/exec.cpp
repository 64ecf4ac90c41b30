// Statements.
#include "jinja/interpreter.h"
#include "jinja/loop.h"
#include "jinja/ops.h"

namespace orrery::jinja {

Flow Interpreter::exec(const Body& body) {
  for (const Stmt* stmt : body) {
    const Flow flow = exec(*stmt);
    if (failed_ || flow != Flow::kNormal) {
      return flow;
    }
  }
  return Flow::kNormal;
}

Flow Interpreter::exec(const Stmt& stmt) {
  line_ = stmt.line;
  if (!enter()) {
    return Flow::kNormal;
  }
  switch (stmt.kind) {
    case StmtKind::kOutput:
      exec_output(stmt);
      break;
    case StmtKind::kIf:
      return exec_if(stmt);
    case StmtKind::kFor:
      return exec_for(stmt);
    case StmtKind::kSet:
      exec_set(stmt);
      break;
    case StmtKind::kMacro: {
      keep(activation_);
      assign(stmt.targets[0], object(new MacroObject(stmt.macro.get(), activation_)));
      break;
    }
    case StmtKind::kCall:
    case StmtKind::kGeneration:
      exec_call(stmt);
      break;
    case StmtKind::kSetBlock:
    case StmtKind::kFilter:
    case StmtKind::kWith:
    case StmtKind::kScope:
      return exec_scoped(stmt);
    case StmtKind::kBreak:
      return Flow::kBreak;
    case StmtKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNormal;
}

void Interpreter::write(const Text& text) {
  if (!charge_bytes(text.size())) {
    return;
  }
  if (out_->size() + text.size() > options_.limits.max_output_bytes) {
    fail(resource_exhausted("{}: line {}: the output is longer than {} bytes", program_.name, line_,
                            options_.limits.max_output_bytes));
    return;
  }
  out_->append(text);
}

void Interpreter::write(const Value& value) {
  if (value.is_string()) {
    write(value.text());
    return;
  }
  Text text;
  append_str(*this, value, text);
  if (!failed_) {
    write(text);
  }
}

void Interpreter::exec_output(const Stmt& stmt) {
  for (const Expr* expr : stmt.exprs) {
    const Value value = eval(*expr);
    if (failed_) {
      return;
    }
    write(value);
  }
}

Flow Interpreter::exec_if(const Stmt& stmt) {
  for (const Branch& branch : stmt.branches) {
    if (branch.test == nullptr) {
      return exec(branch.body);
    }
    const Value test = eval(*branch.test);
    if (failed_) {
      return Flow::kNormal;
    }
    if (truthy(test)) {
      return exec(branch.body);
    }
  }
  return Flow::kNormal;
}

void Interpreter::check_namespaces(const Target& target) {
  if (target.kind == Target::Kind::kAttribute && !slot(target.slot).is(Kind::kNamespace)) {
    error("cannot assign attribute on non-namespace object");
  }
  for (const Target& item : target.items) {
    check_namespaces(item);
  }
}

void Interpreter::exec_set(const Stmt& stmt) {
  check_namespaces(stmt.targets[0]);
  const Value value = failed_ ? Value() : eval(*stmt.value);
  if (!failed_) {
    assign(stmt.targets[0], value);
  }
}

void Interpreter::assign(const Target& target, const Value& value) {
  if (failed_) {
    return;
  }
  line_ = target.line;
  switch (target.kind) {
    case Target::Kind::kName:
      slot(target.slot) = value;
      return;
    case Target::Kind::kAttribute: {
      const Value object = slot(target.slot);
      if (!object.is(Kind::kNamespace)) {
        error("cannot assign attribute on non-namespace object");
        return;
      }
      auto& space = object.as<NamespaceObject>();
      if (!charge(1 + space.attributes.size() / 8)) {
        return;
      }
      if (Value* found = space.find(name_of(target.attribute))) {
        *found = value;
      } else {
        space.attributes.emplace_back(constant(target.attribute), value);
      }
      return;
    }
    case Target::Kind::kTuple: {
      std::vector<Value> items;
      if (!collect_items(*this, value, items)) {
        return;
      }
      if (items.size() != target.items.size()) {
        error("cannot unpack: expected {} values, got {}", target.items.size(), items.size());
        return;
      }
      for (size_t i = 0; i < items.size(); ++i) {
        assign(target.items[i], items[i]);
      }
      return;
    }
  }
}

Flow Interpreter::exec_for(const Stmt& stmt) {
  const ForDef& def = *stmt.loop;
  const Value items = eval(*def.iterable);
  if (failed_) {
    return Flow::kNormal;
  }
  if (!def.recursive) {
    return run_loop(def, {}, items, 0);
  }
  const Value text = call_recursive_loop(def, activation_, items, 0);
  if (!failed_) {
    write(text);
  }
  return Flow::kNormal;
}

bool Interpreter::loop_test(LoopObject& loop, const Value& item) {
  if (!enter()) {
    return false;
  }
  const ForDef& def = *loop.def;
  Ref<Activation> outer = activation_;
  activation_ = loop.filter;
  if (!loop.filter_entered) {
    loop.filter_entered = true;
    enter_scope(def.test_scope);
  }
  assign(def.test_target, item);
  const Value passed = failed_ ? Value() : eval(*def.test);
  activation_ = outer;
  return !failed_ && truthy(passed);
}

Flow Interpreter::run_loop(const ForDef& def, const Ref<Activation>& definer, const Value& items,
                           int depth0) {
  Ref<LoopObject> loop(new LoopObject(&def, definer, items, depth0));
  if (def.test != nullptr) {
    loop->filter = make_activation(def.test_function, activation_);
  }
  if (!depth_ok(loop->depth) || !Cursor::open(*this, items, loop->cursor)) {
    return Flow::kNormal;
  }
  bool completed = false;
  Value item;
  while (loop->advance(*this, item)) {
    assign(def.target, item);
    if (def.extended) {
      activation_->slots[def.loop_slot] = Value(loop);
    }
    enter_scope(def.scope);
    const Flow flow = failed_ ? Flow::kBreak : exec(def.body);
    if (failed_ || flow == Flow::kBreak) {
      break;
    }
    // Jinja notes only iterations that reach the end of the body.
    completed = completed || flow == Flow::kNormal;
    if (!charge(1)) {
      break;
    }
  }
  leave_scope(def.scope);
  if (failed_ || completed || def.else_body.empty()) {
    return Flow::kNormal;
  }
  enter_scope(def.else_scope);
  const Flow flow = exec(def.else_body);
  leave_scope(def.else_scope);
  return flow;
}

// A body in a scope of its own: with, autoescape; captured: set and filter blocks.
Flow Interpreter::exec_scoped(const Stmt& stmt) {
  std::vector<Value> values;
  if (!eval_all(stmt.kind == StmtKind::kWith ? stmt.exprs : std::vector<Expr*>(), values)) {
    return Flow::kNormal;
  }
  enter_scope(stmt.scope);
  if (stmt.kind == StmtKind::kWith) {
    for (size_t i = 0; i < values.size(); ++i) {
      assign(stmt.targets[i], values[i]);
    }
  }
  const bool captures = stmt.kind == StmtKind::kSetBlock || stmt.kind == StmtKind::kFilter;
  Text captured;
  Text* const outer = out_;
  out_ = captures ? &captured : out_;
  const Flow flow = failed_ ? Flow::kNormal : exec(stmt.body);
  out_ = outer;
  if (captures && !failed_ && flow == Flow::kNormal) {
    Value block = text(std::move(captured));
    if (!failed_ && stmt.value != nullptr) {
      block = eval_filter(*stmt.value, &block);
    }
    if (!failed_ && stmt.kind == StmtKind::kFilter) {
      write(block);
    } else if (!failed_) {
      assign(stmt.targets[0], block);
    }
  }
  leave_scope(stmt.scope);
  return flow;
}

void Interpreter::exec_call(const Stmt& stmt) {
  keep(activation_);
  const Value caller = object(new MacroObject(stmt.macro.get(), activation_));
  if (failed_) {
    return;
  }
  const Value result =
      stmt.kind == StmtKind::kGeneration ? call(caller, {}) : eval_call(*stmt.value, &caller);
  if (!failed_) {
    write(result);
  }
}

}  // namespace orrery::jinja
