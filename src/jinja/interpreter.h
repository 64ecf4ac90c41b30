// Renders a Program: evaluates its tree over an activation of slots, within budgets.
//
// Errors: the first one is kept, and from then on every function returns at once with any value, so
// callers check failed() where they would go on with a wrong one. One Interpreter renders once, on
// one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "jinja/ast.h"
#include "jinja/budget.h"
#include "jinja/builtins.h"
#include "jinja/template.h"
#include "jinja/value.h"

namespace orrery::jinja {

// The variables of one call of a function.
struct Activation : Object {
  Activation(const FunctionInfo& the_info, Ref<Activation> the_parent)
      : Object(Kind::kActivation, 0), parent(std::move(the_parent)), slots(the_info.num_slots) {}
  Ref<Activation> parent;
  std::vector<Value> slots;
  bool kept = false;  // in Interpreter::kept_activations_
};

struct MacroObject : Object {
  MacroObject(const MacroDef* the_def, Ref<Activation> the_closure)
      : Object(Kind::kMacro, 0), def(the_def), closure(std::move(the_closure)) {}
  const MacroDef* def;
  Ref<Activation> closure;
};

struct LoopObject;

enum class Flow : uint8_t { kNormal, kBreak, kContinue };

class Interpreter {
 public:
  Interpreter(const Program& program, const RenderOptions& options);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  Result<Rendered> render(const OrderedJson& context);

  // --- errors and budgets (interpreter.cpp)
  bool failed() const { return failed_; }
  Value fail(Status status);
  template <typename... A>
  Value error(fmt::format_string<A...> format, A&&... args) {
    return failed_ ? Value() : raise(fmt::format(format, std::forward<A>(args)...));
  }
  // False, with an error, when the budget is spent.
  bool charge(uint64_t steps);
  bool charge_bytes(uint64_t bytes) { return charge(bytes / 32 + 1); }
  // For work on each character, which is slower than copying them.
  bool charge_chars(uint64_t bytes) { return charge(bytes / 4 + 1); }
  bool charge_values(uint64_t count) { return charge(count / 2 + 1); }
  // For recursive functions: a step, and a look at the stack.
  bool enter();

  // --- making values
  Value text(Text text, bool markup = false);
  Value string(std::string_view trusted) { return text(Text(std::string(trusted))); }
  Value list(std::vector<Value> items) { return sequence(Kind::kList, std::move(items)); }
  Value tuple(std::vector<Value> items) { return sequence(Kind::kTuple, std::move(items)); }
  Value dict(std::vector<DictObject::Entry> entries);  // refuses unhashable keys
  Value iterator(const char* type, std::vector<Value> items);
  Value undefined(std::string message);
  // Any other object, if it is not too deep.
  Value object(Object* object);
  bool depth_ok(int depth);
  Value keep_namespace(Ref<NamespaceObject> object);
  void keep_loop(const Ref<LoopObject>& loop);
  const Value& constant(uint32_t index);
  const std::string& name_of(uint32_t index) const { return program_.strings[index]; }

  // --- calls (calls.cpp)
  Value call(const Value& callee, Args args);
  Value call_builtin(const BuiltinDef& def, const Value* subject, Args args);
  // `definer` is the activation in which the loop stands.
  Value call_recursive_loop(const ForDef& def, const Ref<Activation>& definer, const Value& items,
                            int depth0);

  // --- of loops (exec.cpp)
  // Whether `item` passes the loop's filter.
  bool loop_test(LoopObject& loop, const Value& item);

  const RenderOptions& options() const { return options_; }

 private:
  Value raise(std::string message);
  Value sequence(Kind kind, std::vector<Value> items);
  Value resolve(uint32_t name);
  Ref<Activation> make_activation(const FunctionInfo& info, const Ref<Activation>& parent);
  void keep(const Ref<Activation>& activation);
  Value& slot(SlotRef ref);
  void enter_scope(const ScopeCode& code);
  void leave_scope(const ScopeCode& code);

  // Expressions (eval.cpp).
  Value eval(const Expr& expr);
  Value eval_name(const Expr& expr);
  Value eval_dict(const Expr& expr);
  Value eval_getitem(const Expr& expr);
  Value eval_call(const Expr& expr, const Value* caller);
  Value eval_filter(const Expr& expr, const Value* subject);
  Value eval_test(const Expr& expr);
  Value eval_chain(const Expr& expr);
  Value eval_logic(const Expr& expr);
  Value eval_concat(const Expr& expr);
  Value eval_compare(const Expr& expr);
  Value eval_conditional(const Expr& expr);
  bool eval_all(const std::vector<Expr*>& exprs, std::vector<Value>& out);
  bool eval_args(const CallArgs& call, Args& out);
  bool eval_star_star(const Expr& expr, Args& out);

  // Statements (exec.cpp).
  Flow exec(const Body& body);
  Flow exec(const Stmt& stmt);
  Flow exec_if(const Stmt& stmt);
  Flow exec_for(const Stmt& stmt);
  Flow exec_scoped(const Stmt& stmt);
  Flow run_loop(const ForDef& def, const Ref<Activation>& definer, const Value& items, int depth0);
  void exec_output(const Stmt& stmt);
  void exec_set(const Stmt& stmt);
  void exec_call(const Stmt& stmt);
  void assign(const Target& target, const Value& value);
  void check_namespaces(const Target& target);
  void write(const Value& value);
  void write(const Text& text);

  Value invoke_macro(const MacroObject& macro, Args args);
  bool bind_macro(const MacroDef& def, Args& args, Activation& activation);
  Value run_macro(const MacroDef& def, const Ref<Activation>& activation);

  const Program& program_;
  const RenderOptions& options_;
  StackBudget stack_;
  int64_t steps_left_;
  int call_depth_ = 0;
  uint32_t line_ = 0;
  bool failed_ = false;
  Status status_;

  Value context_;
  std::vector<Value> constants_;
  Ref<Activation> activation_;
  Text* out_ = nullptr;

  std::vector<Ref<Activation>> kept_activations_;
  std::vector<Ref<NamespaceObject>> kept_namespaces_;
  std::vector<Ref<LoopObject>> kept_loops_;
};

}  // namespace orrery::jinja
