// The second pass of the scope analysis: every name gets its slot, every filter its function.
#include <algorithm>

#include "jinja/builtins.h"
#include "jinja/scope.h"

namespace orrery::jinja {

template <typename Visitor>
void ScopeAnalyzer::walk(const Expr* expr, Visitor& visit) {
  if (expr == nullptr || !step()) {
    return;
  }
  if (expr->kind == ExprKind::kName) {
    visit(expr->text, true, expr->line);
    return;
  }
  walk(expr->a, visit);
  walk(expr->b, visit);
  walk(expr->c, visit);
  for (const Expr* item : expr->items) {
    walk(item, visit);
  }
  if (const CallArgs* call = expr->call.get(); call != nullptr) {
    for (const Expr* arg : call->positional) {
      walk(arg, visit);
    }
    for (const auto& keyword : call->keywords) {
      walk(keyword.second, visit);
    }
    walk(call->star, visit);
    walk(call->star_star, visit);
  }
}

template <typename Visitor>
void ScopeAnalyzer::walk(const Target& target, Visitor& visit) {
  if (target.kind == Target::Kind::kName) {
    visit(target.name, false, target.line);
  }
  for (const Target& item : target.items) {
    walk(item, visit);
  }
}

// In the order of the fields of Jinja's nodes: what is assigned first is no longer undeclared.
template <typename Visitor>
void ScopeAnalyzer::walk(const Stmt& stmt, Visitor& visit) {
  if (!step()) {
    return;
  }
  if (stmt.kind == StmtKind::kFor) {
    walk(stmt.loop->target, visit);
    walk(stmt.loop->iterable, visit);
    walk(stmt.loop->body, visit);
    walk(stmt.loop->else_body, visit);
    walk(stmt.loop->test, visit);
    return;
  }
  if (stmt.kind == StmtKind::kCall) {
    walk(stmt.value, visit);
  }
  if (stmt.macro != nullptr) {
    for (const uint32_t name : stmt.macro->arg_names) {
      visit(name, false, stmt.line);
    }
    for (const Expr* expr : stmt.macro->defaults) {
      walk(expr, visit);
    }
    walk(stmt.macro->body, visit);
    return;
  }
  for (const Branch& branch : stmt.branches) {
    walk(branch.test, visit);
    walk(branch.body, visit);
  }
  for (const Target& target : stmt.targets) {
    walk(target, visit);
  }
  for (const Expr* expr : stmt.exprs) {
    walk(expr, visit);
  }
  if (stmt.kind != StmtKind::kFilter) {
    walk(stmt.value, visit);
  }
  walk(stmt.body, visit);
  if (stmt.kind == StmtKind::kFilter) {
    walk(stmt.value, visit);
  }
}

template <typename Visitor>
void ScopeAnalyzer::walk(const Body& body, Visitor& visit) {
  for (const Stmt* stmt : body) {
    walk(*stmt, visit);
  }
}

std::set<uint32_t> ScopeAnalyzer::undeclared(const Body& body, std::set<uint32_t> names) {
  std::set<uint32_t> found;
  auto visit = [&](uint32_t name, bool is_load, uint32_t) {
    if (!is_load) {
      names.erase(name);
    } else if (names.count(name) != 0) {
      found.insert(name);
    }
  };
  walk(body, visit);
  return found;
}

Status ScopeAnalyzer::run() {
  Function function = make_function(nullptr, &program_.function);
  Symbols root{};
  root.function = &function;
  collect(program_.body, root);
  program_.scope = code_of(root);
  resolve(program_.body, root, false);
  return error_;
}

void ScopeAnalyzer::find_builtin(Expr& expr, bool soft) {
  const std::string& name = program_.strings[expr.text];
  const bool is_filter = expr.kind == ExprKind::kFilter;
  expr.def = is_filter ? find_filter(name) : find_test(name);
  if (expr.def == nullptr && !soft) {
    fail(expr.line, fmt::format("no {} named '{}'", is_filter ? "filter" : "test", name));
  }
}

void ScopeAnalyzer::resolve(CallArgs& call, Symbols& symbols, bool soft) {
  for (Expr* arg : call.positional) {
    resolve(arg, symbols, soft);
  }
  for (auto& keyword : call.keywords) {
    resolve(keyword.second, symbols, soft);
  }
  resolve(call.star, symbols, soft);
  resolve(call.star_star, symbols, soft);
}

void ScopeAnalyzer::resolve(Expr* expr, Symbols& symbols, bool soft) {
  if (expr == nullptr || !step()) {
    return;
  }
  if (expr->kind == ExprKind::kName) {
    const Ident* ident = find_ref(symbols, expr->text);
    if (ident == nullptr) {
      fail(expr->line, fmt::format("'{}' is unknown to its scope", program_.strings[expr->text]));
      return;
    }
    expr->slot = slot_ref(*symbols.function, *ident);
    return;
  }
  if (expr->kind == ExprKind::kFilter || expr->kind == ExprKind::kTest) {
    find_builtin(*expr, soft);
  }
  soft = soft || expr->kind == ExprKind::kConditional;
  resolve(expr->a, symbols, soft);
  resolve(expr->b, symbols, soft);
  resolve(expr->c, symbols, soft);
  for (Expr* item : expr->items) {
    resolve(item, symbols, soft);
  }
  if (expr->call != nullptr) {
    resolve(*expr->call, symbols, soft);
  }
}

void ScopeAnalyzer::resolve(Target& target, Symbols& symbols) {
  if (target.kind != Target::Kind::kTuple) {
    const Ident* ident = find_ref(symbols, target.name);
    if (ident == nullptr) {
      fail(target.line, fmt::format("'{}' is unknown to its scope", program_.strings[target.name]));
      return;
    }
    target.slot = slot_ref(*symbols.function, *ident);
  }
  for (Target& item : target.items) {
    resolve(item, symbols);
  }
}

void ScopeAnalyzer::resolve_for(Stmt& stmt, Symbols& symbols, bool soft) {
  ForDef& loop = *stmt.loop;
  Function own = make_function(symbols.function, &loop.function);
  Function* function = loop.recursive ? &own : symbols.function;
  Symbols body = inner(symbols, function);
  Symbols otherwise = inner(symbols, function);
  loop.extended = loop.recursive || !undeclared(loop.body, {loop_name_}).empty();
  if (loop.extended) {
    loop.loop_slot = declare_parameter(body, loop_name_);
  }
  collect(loop.target, body, true);
  collect(loop.body, body);
  collect(loop.else_body, otherwise);
  auto check = [this](uint32_t name, bool is_load, uint32_t line) {
    if (!is_load && name == loop_name_) {
      fail(line, "can't assign to the special variable 'loop' in a for loop");
    }
  };
  walk(stmt, check);
  if (loop.test != nullptr) {
    Function filter = make_function(function, &loop.test_function);
    Symbols test = inner(symbols, &filter);
    collect(loop.target, test, true);
    collect(loop.test, test);
    loop.test_target = loop.target;
    resolve(loop.test_target, test);
    resolve(loop.test, test, false);
    loop.test_scope = code_of(test);
  }
  loop.scope = code_of(body);
  loop.else_scope = code_of(otherwise);
  resolve(loop.iterable, symbols, soft);
  resolve(loop.target, body);
  resolve(loop.body, body, false);
  resolve(loop.else_body, otherwise, false);
}

void ScopeAnalyzer::resolve_macro(Stmt& stmt, Symbols& symbols) {
  MacroDef& macro = *stmt.macro;
  Function function = make_function(symbols.function, &macro.function);
  Symbols scope = inner(symbols, &function);
  for (const uint32_t name : macro.arg_names) {
    macro.arg_slots.push_back(declare_parameter(scope, name));
    macro.has_caller_arg = macro.has_caller_arg || name == caller_name_;
  }
  for (const Expr* expr : macro.defaults) {
    collect(expr, scope);
  }
  collect(macro.body, scope);
  const std::set<uint32_t> free =
      undeclared(macro.body, {caller_name_, kwargs_name_, varargs_name_});
  const auto is_arg = [&macro](uint32_t name) {
    return std::find(macro.arg_names.begin(), macro.arg_names.end(), name) != macro.arg_names.end();
  };
  if (free.count(caller_name_) != 0) {
    macro.uses_caller = true;
    if (!macro.has_caller_arg) {
      macro.caller_slot = declare_parameter(scope, caller_name_);
    } else {
      const size_t required = macro.arg_names.size() - macro.defaults.size();
      for (size_t i = 0; i < required; ++i) {
        if (macro.arg_names[i] == caller_name_) {
          fail(stmt.line, "the special argument 'caller' of a macro must have a default");
        }
      }
    }
  }
  if (free.count(kwargs_name_) != 0 && !is_arg(kwargs_name_)) {
    macro.uses_kwargs = true;
    macro.kwargs_slot = declare_parameter(scope, kwargs_name_);
  }
  if (free.count(varargs_name_) != 0 && !is_arg(varargs_name_)) {
    macro.uses_varargs = true;
    macro.varargs_slot = declare_parameter(scope, varargs_name_);
  }
  macro.scope = code_of(scope);
  for (Expr* expr : macro.defaults) {
    resolve(expr, scope, false);
  }
  resolve(macro.body, scope, false);
}

// Statements whose body is a scope inside the same function.
void ScopeAnalyzer::resolve_scope(Stmt& stmt, Symbols& symbols, bool soft) {
  Symbols scope = inner(symbols);
  if (stmt.kind == StmtKind::kWith) {
    for (const Target& target : stmt.targets) {
      collect(target, scope, true);
    }
  }
  collect(stmt.body, scope);
  if (stmt.kind == StmtKind::kFilter) {
    collect(stmt.value, scope);
  }
  stmt.scope = code_of(scope);
  for (Expr* expr : stmt.exprs) {
    resolve(expr, symbols, soft);
  }
  for (Target& target : stmt.targets) {
    resolve(target, stmt.kind == StmtKind::kWith ? scope : symbols);
  }
  resolve(stmt.body, scope, false);
  resolve(stmt.value, scope, false);
}

void ScopeAnalyzer::resolve(Stmt& stmt, Symbols& symbols, bool soft) {
  if (!step()) {
    return;
  }
  switch (stmt.kind) {
    case StmtKind::kOutput:
      for (Expr* expr : stmt.exprs) {
        resolve(expr, symbols, soft);
      }
      break;
    case StmtKind::kIf:
      for (Branch& branch : stmt.branches) {
        resolve(branch.test, symbols, true);
        resolve(branch.body, symbols, true);
      }
      break;
    case StmtKind::kFor:
      resolve_for(stmt, symbols, soft);
      break;
    case StmtKind::kSet:
      resolve(stmt.value, symbols, soft);
      resolve(stmt.targets[0], symbols);
      break;
    case StmtKind::kMacro:
      resolve(stmt.targets[0], symbols);
      resolve_macro(stmt, symbols);
      break;
    case StmtKind::kCall:
      resolve(stmt.value, symbols, soft);
      resolve_macro(stmt, symbols);
      break;
    case StmtKind::kGeneration:
      resolve_macro(stmt, symbols);
      break;
    case StmtKind::kSetBlock:
    case StmtKind::kFilter:
    case StmtKind::kWith:
    case StmtKind::kScope:
      resolve_scope(stmt, symbols, soft);
      break;
    case StmtKind::kBreak:
    case StmtKind::kContinue:
      break;
  }
}

void ScopeAnalyzer::resolve(const Body& body, Symbols& symbols, bool soft) {
  for (Stmt* stmt : body) {
    resolve(*stmt, symbols, soft);
  }
}

}  // namespace orrery::jinja
