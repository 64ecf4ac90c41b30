#include "jinja/scope.h"

#include <algorithm>

namespace orrery::jinja {

using LoadKind = ScopeLoad::Kind;

ScopeAnalyzer::ScopeAnalyzer(Program& program, int64_t max_steps)
    : program_(program),
      steps_left_(max_steps),
      loop_name_(id_of("loop")),
      caller_name_(id_of("caller")),
      kwargs_name_(id_of("kwargs")),
      varargs_name_(id_of("varargs")) {}

uint32_t ScopeAnalyzer::id_of(std::string_view name) {
  std::vector<std::string>& strings = program_.strings;
  const auto it = std::find(strings.begin(), strings.end(), name);
  const auto id = static_cast<uint32_t>(it - strings.begin());
  if (it == strings.end()) {
    strings.emplace_back(name);
  }
  return id;
}

bool ScopeAnalyzer::step(int64_t count) {
  steps_left_ -= count;
  if (failed()) {
    return false;
  }
  if (steps_left_ < 0 || stack_.exceeded()) {
    error_ = resource_exhausted("the template is too large or nested too deep to analyze");
    return false;
  }
  return true;
}

void ScopeAnalyzer::fail(uint32_t line, std::string message) {
  if (!failed()) {
    error_ = malformed("line {}: {}", line, message);
  }
}

ScopeAnalyzer::Function ScopeAnalyzer::make_function(Function* parent, FunctionInfo* info) {
  return {parent, static_cast<uint16_t>(parent == nullptr ? 0 : parent->depth + 1), info, {}};
}

ScopeAnalyzer::Symbols ScopeAnalyzer::inner(Symbols& parent, Function* function) {
  Symbols symbols;
  symbols.parent = &parent;
  symbols.function = function != nullptr ? function : parent.function;
  symbols.level = parent.level + 1;
  return symbols;
}

const ScopeAnalyzer::Ident* ScopeAnalyzer::find_ref(const Symbols& symbols, uint32_t name) const {
  for (const Symbols* at = &symbols; at != nullptr; at = at->parent) {
    if (const Ident* ident = at->refs.find(name)) {
      return ident;
    }
  }
  return nullptr;
}

ScopeAnalyzer::Ident ScopeAnalyzer::define(Symbols& symbols, uint32_t name, ScopeLoad load) {
  Function& function = *symbols.function;
  const auto [it, is_new] =
      function.slots.emplace(std::pair(symbols.level, name), function.info->num_slots);
  function.info->num_slots += is_new ? 1 : 0;
  const Ident ident{&function, it->second};
  load.slot = ident.slot;
  symbols.refs.set(name, ident);
  symbols.loads.set(ident.slot, load);
  return ident;
}

void ScopeAnalyzer::load(Symbols& symbols, uint32_t name) {
  if (find_ref(symbols, name) == nullptr) {
    define(symbols, name, {LoadKind::kResolve, 0, name, {}});
  }
}

void ScopeAnalyzer::store(Symbols& symbols, uint32_t name) {
  symbols.stores.set(name, true);
  if (symbols.refs.find(name) != nullptr) {
    return;
  }
  const Ident* outer = symbols.parent != nullptr ? find_ref(*symbols.parent, name) : nullptr;
  if (outer != nullptr) {
    define(symbols, name, {LoadKind::kAlias, 0, 0, slot_ref(*symbols.function, *outer)});
  } else {
    define(symbols, name, {LoadKind::kMissing, 0, 0, {}});
  }
}

uint32_t ScopeAnalyzer::declare_parameter(Symbols& symbols, uint32_t name) {
  symbols.stores.set(name, true);
  return define(symbols, name, {LoadKind::kParameter, 0, 0, {}}).slot;
}

// What only some branches assign keeps, in the others, what the name meant outside.
void ScopeAnalyzer::merge_branches(Symbols& symbols, std::vector<Symbols>& branches) {
  std::set<uint32_t> stored;
  for (Symbols& branch : branches) {
    if (!step(static_cast<int64_t>(branch.refs.size() + branch.loads.size()))) {
      return;
    }
    for (const auto& [name, stores] : branch.stores) {
      if (symbols.stores.find(name) == nullptr) {
        stored.insert(name);
      }
    }
  }
  for (Symbols& branch : branches) {
    for (const auto& [name, ident] : branch.refs) {
      symbols.refs.set(name, ident);
    }
    for (const auto& [slot, load] : branch.loads) {
      symbols.loads.set(slot, load);
    }
    for (const auto& [name, stores] : branch.stores) {
      symbols.stores.set(name, stores);
    }
  }
  for (const uint32_t name : stored) {
    const Ident* target = find_ref(symbols, name);
    const Ident* outer = symbols.parent != nullptr ? find_ref(*symbols.parent, name) : nullptr;
    if (outer != nullptr) {
      symbols.loads.set(target->slot,
                        {LoadKind::kAlias, target->slot, 0, slot_ref(*symbols.function, *outer)});
    } else {
      symbols.loads.set(target->slot, {LoadKind::kResolve, target->slot, name, {}});
    }
  }
}

ScopeCode ScopeAnalyzer::code_of(const Symbols& symbols) const {
  ScopeCode code;
  for (const auto& [slot, load] : symbols.loads) {
    code.push_back(load);
  }
  return code;
}

SlotRef ScopeAnalyzer::slot_ref(const Function& user, const Ident& ident) const {
  return {static_cast<uint16_t>(user.depth - ident.function->depth), ident.slot};
}

void ScopeAnalyzer::collect(const CallArgs& call, Symbols& symbols) {
  for (const Expr* arg : call.positional) {
    collect(arg, symbols);
  }
  for (const auto& keyword : call.keywords) {
    collect(keyword.second, symbols);
  }
  collect(call.star, symbols);
  collect(call.star_star, symbols);
}

void ScopeAnalyzer::collect(const Expr* expr, Symbols& symbols) {
  if (expr == nullptr || !step()) {
    return;
  }
  if (expr->kind == ExprKind::kName) {
    load(symbols, expr->text);
    return;
  }
  collect(expr->a, symbols);
  collect(expr->b, symbols);
  collect(expr->c, symbols);
  for (const Expr* item : expr->items) {
    collect(item, symbols);
  }
  if (expr->call != nullptr) {
    collect(*expr->call, symbols);
  }
}

void ScopeAnalyzer::collect(const Target& target, Symbols& symbols, bool as_parameter) {
  switch (target.kind) {
    case Target::Kind::kName:
      if (as_parameter) {
        declare_parameter(symbols, target.name);
      } else {
        store(symbols, target.name);
      }
      break;
    case Target::Kind::kAttribute:
      load(symbols, target.name);
      break;
    case Target::Kind::kTuple:
      for (const Target& item : target.items) {
        collect(item, symbols, as_parameter);
      }
      break;
  }
}

void ScopeAnalyzer::collect_if(const Stmt& stmt, Symbols& symbols) {
  // Jinja takes all elifs as one branch, tests included, and a missing branch as an empty one.
  std::vector<Symbols> branches;
  collect(stmt.branches[0].test, symbols);
  const auto add_branch = [&]() -> Symbols& {
    step(static_cast<int64_t>(symbols.refs.size() + symbols.loads.size()));
    return branches.emplace_back(symbols);
  };
  branches.reserve(3);
  collect(stmt.branches[0].body, add_branch());
  Symbols& elifs = add_branch();
  for (size_t i = 1; i < stmt.branches.size(); ++i) {
    const Branch& branch = stmt.branches[i];
    if (branch.test == nullptr) {
      continue;
    }
    // Each elif is an if of its own inside that branch.
    collect(branch.test, elifs);
    step(static_cast<int64_t>(elifs.refs.size() + elifs.loads.size()));
    std::vector<Symbols> nested{elifs, elifs};
    collect(branch.body, nested[0]);
    merge_branches(elifs, nested);
  }
  Symbols& otherwise = add_branch();
  if (stmt.branches.back().test == nullptr) {
    collect(stmt.branches.back().body, otherwise);
  }
  merge_branches(symbols, branches);
}

void ScopeAnalyzer::collect(const Stmt& stmt, Symbols& symbols) {
  if (!step()) {
    return;
  }
  switch (stmt.kind) {
    case StmtKind::kOutput:
    case StmtKind::kWith:  // its targets and body are a scope of their own
      for (const Expr* expr : stmt.exprs) {
        collect(expr, symbols);
      }
      break;
    case StmtKind::kIf:
      collect_if(stmt, symbols);
      break;
    case StmtKind::kFor:
      collect(stmt.loop->iterable, symbols);
      break;
    case StmtKind::kSet:
      collect(stmt.value, symbols);
      collect(stmt.targets[0], symbols, false);
      break;
    case StmtKind::kSetBlock:
    case StmtKind::kMacro:
      collect(stmt.targets[0], symbols, false);
      break;
    case StmtKind::kCall:
    case StmtKind::kFilter:
      collect(stmt.value, symbols);
      break;
    case StmtKind::kGeneration:
    case StmtKind::kScope:
    case StmtKind::kBreak:
    case StmtKind::kContinue:
      break;
  }
}

void ScopeAnalyzer::collect(const Body& body, Symbols& symbols) {
  for (const Stmt* stmt : body) {
    collect(*stmt, symbols);
  }
}

}  // namespace orrery::jinja
