// Which variable a name means: Jinja decides this while it compiles, frame by frame, and its rules
// are visible to templates (what an assignment in a loop does, what a branch may leave undefined).
// This pass gives every name its slot, every scope its entry code, and every filter and test its
// function.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "jinja/ast.h"
#include "jinja/budget.h"

namespace orrery::jinja {

// A sorted vector: the analysis copies symbol tables at every branch, which node-based maps make
// slow.
template <typename T>
class FlatMap {
 public:
  using Entry = std::pair<uint32_t, T>;
  const T* find(uint32_t key) const {
    const auto it = lower(key);
    return it != entries_.end() && it->first == key ? &it->second : nullptr;
  }
  void set(uint32_t key, const T& value) {
    const auto it = lower(key);
    if (it != entries_.end() && it->first == key) {
      entries_[static_cast<size_t>(it - entries_.begin())].second = value;
    } else {
      entries_.insert(it, {key, value});
    }
  }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  size_t size() const { return entries_.size(); }

 private:
  typename std::vector<Entry>::const_iterator lower(uint32_t key) const {
    return std::lower_bound(
        entries_.begin(), entries_.end(), key,
        [](const Entry& entry, uint32_t wanted) { return entry.first < wanted; });
  }
  std::vector<Entry> entries_;
};

class ScopeAnalyzer {
 public:
  ScopeAnalyzer(Program& program, int64_t max_steps);
  // Errors: kMalformed for unknown filters and tests (outside of branches, where they fail only if
  // reached) and assignments to `loop`; kResourceExhausted.
  Status run();

 private:
  // A function of its own (the template, a macro, a recursive loop, a loop's filter): the slots of
  // one activation. Scopes at the same level of one function share the slot of a name.
  struct Function {
    Function* parent;
    uint16_t depth;
    FunctionInfo* info;
    std::map<std::pair<int, uint32_t>, uint32_t> slots;
  };
  struct Ident {
    const Function* function;
    uint32_t slot;
  };
  struct Symbols {
    Symbols* parent;
    Function* function;
    int level;
    FlatMap<Ident> refs;
    FlatMap<ScopeLoad> loads;  // by slot
    FlatMap<bool> stores;
  };

  bool step(int64_t count = 1);
  void fail(uint32_t line, std::string message);
  bool failed() const { return !error_.ok(); }
  Function make_function(Function* parent, FunctionInfo* info);
  Symbols inner(Symbols& parent, Function* function = nullptr);

  // The variables of a scope.
  const Ident* find_ref(const Symbols& symbols, uint32_t name) const;
  Ident define(Symbols& symbols, uint32_t name, ScopeLoad load);
  void load(Symbols& symbols, uint32_t name);
  void store(Symbols& symbols, uint32_t name);
  uint32_t declare_parameter(Symbols& symbols, uint32_t name);
  void merge_branches(Symbols& symbols, std::vector<Symbols>& branches);
  ScopeCode code_of(const Symbols& symbols) const;
  SlotRef slot_ref(const Function& user, const Ident& ident) const;

  // First pass over a scope: what it loads and stores.
  void collect(const Expr* expr, Symbols& symbols);
  void collect(const CallArgs& call, Symbols& symbols);
  void collect(const Target& target, Symbols& symbols, bool as_parameter);
  void collect(const Stmt& stmt, Symbols& symbols);
  void collect_if(const Stmt& stmt, Symbols& symbols);
  void collect(const Body& body, Symbols& symbols);

  // Second pass: slots.
  void resolve(Expr* expr, Symbols& symbols, bool soft);
  void resolve(CallArgs& call, Symbols& symbols, bool soft);
  void resolve(Target& target, Symbols& symbols);
  void resolve(Stmt& stmt, Symbols& symbols, bool soft);
  void resolve(const Body& body, Symbols& symbols, bool soft);
  void resolve_for(Stmt& stmt, Symbols& symbols, bool soft);
  void resolve_macro(Stmt& stmt, Symbols& symbols);
  void resolve_scope(Stmt& stmt, Symbols& symbols, bool soft);
  void find_builtin(Expr& expr, bool soft);

  // Of `names`, those that `body` reads before it assigns them.
  std::set<uint32_t> undeclared(const Body& body, std::set<uint32_t> names);
  template <typename Visitor>
  void walk(const Expr* expr, Visitor& visit);
  template <typename Visitor>
  void walk(const Target& target, Visitor& visit);
  template <typename Visitor>
  void walk(const Stmt& stmt, Visitor& visit);
  template <typename Visitor>
  void walk(const Body& body, Visitor& visit);

  uint32_t id_of(std::string_view name);

  Program& program_;
  int64_t steps_left_;
  Status error_;
  StackBudget stack_;
  uint32_t loop_name_, caller_name_, kwargs_name_, varargs_name_;
};

}  // namespace orrery::jinja
