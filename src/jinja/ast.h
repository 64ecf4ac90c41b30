// The syntax tree of a template and the code of its scopes, made once, then only read: one Program
// may be rendered by several threads at the same time.
//
// Nodes lie in the Program's arenas, so that destroying a deep tree does not recurse.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::jinja {

struct BuiltinDef;

enum class ExprKind : uint8_t {
  kName,
  kString,
  kInt,
  kFloat,
  kBool,
  kNone,
  kList,
  kTuple,
  kDict,
  kGetattr,
  kGetitem,
  kSlice,
  kCall,
  kFilter,
  kTest,
  kNegate,
  kPlus,
  kNot,
  kArithmetic,  // items joined by ops, left to right, of one precedence
  kAnd,
  kOr,
  kConcat,
  kCompare,
  kConditional,
};

enum class Op : uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kFloorDiv,
  kMod,
  kPow,
  kEq,
  kNe,
  kLt,
  kLe,
  kGt,
  kGe,
  kIn,
  kNotIn,
};

// A variable: `hops` functions outward, then a slot there. What Jinja resolves while it compiles.
struct SlotRef {
  uint16_t hops = 0;
  uint32_t slot = 0;
};

struct Expr;

struct CallArgs {
  std::vector<Expr*> positional;
  std::vector<std::pair<uint32_t, Expr*>> keywords;  // index into Program::strings
  Expr* star = nullptr;
  Expr* star_star = nullptr;
};

struct Expr {
  ExprKind kind;
  uint32_t line;
  uint32_t text = 0;  // index into Program::strings: a name, an attribute, a literal
  SlotRef slot;       // kName
  union {
    int64_t integer = 0;
    double real;
    bool boolean;
  };
  // kGetattr, kGetitem, kCall, kFilter, kTest, kNegate, kPlus, kNot: `a` is what it is applied to
  // (null in a filter block). kGetitem: b. kSlice: a, b, c, each may be null. kConditional:
  // a if b else c.
  Expr* a = nullptr;
  Expr* b = nullptr;
  Expr* c = nullptr;
  std::vector<Expr*> items;  // elements; operands; keys and values in turn
  std::vector<Op> ops;
  std::unique_ptr<CallArgs> call;
  const BuiltinDef* def = nullptr;  // filter or test; null if there is none of that name
};

// What an assignment writes to.
struct Target {
  enum class Kind : uint8_t { kName, kAttribute, kTuple } kind = Kind::kName;
  uint32_t line = 0;
  uint32_t name = 0;       // index into Program::strings
  uint32_t attribute = 0;  // of a namespace
  SlotRef slot;
  std::vector<Target> items;
};

// What happens to a scope's own variables when it is entered; on leaving, all become missing.
struct ScopeLoad {
  enum class Kind : uint8_t { kParameter, kResolve, kAlias, kMissing } kind;
  uint32_t slot;
  uint32_t name = 0;  // kResolve
  SlotRef outer;      // kAlias
};
using ScopeCode = std::vector<ScopeLoad>;

struct FunctionInfo {
  uint32_t num_slots = 0;
};

struct Stmt;
using Body = std::vector<Stmt*>;

struct MacroDef {
  uint32_t name = 0;
  bool anonymous = false;
  std::vector<uint32_t> arg_names;
  std::vector<uint32_t> arg_slots;
  std::vector<Expr*> defaults;  // of the last arguments
  Body body;
  ScopeCode scope;
  FunctionInfo function;
  bool has_caller_arg = false;  // "caller" is among the arguments
  bool uses_caller = false, uses_kwargs = false, uses_varargs = false;
  uint32_t caller_slot = 0, kwargs_slot = 0, varargs_slot = 0;
};

struct ForDef {
  Target target;
  Expr* iterable = nullptr;
  Expr* test = nullptr;
  Target test_target;  // the same names, in the filter's own function
  ScopeCode test_scope;
  FunctionInfo test_function;
  Body body;
  Body else_body;
  ScopeCode scope;
  ScopeCode else_scope;
  bool recursive = false;
  bool extended = false;  // the body uses `loop`
  uint32_t loop_slot = 0;
  FunctionInfo function;  // of a recursive loop
};

enum class StmtKind : uint8_t {
  kOutput,
  kFor,
  kIf,
  kSet,
  kSetBlock,
  kMacro,
  kCall,
  kGeneration,
  kFilter,
  kWith,
  kScope,
  kBreak,
  kContinue,
};

struct Branch {
  Expr* test;  // null: else
  Body body;
};

struct Stmt {
  StmtKind kind;
  uint32_t line;
  std::vector<Expr*> exprs;      // kOutput; the values of kWith
  std::vector<Branch> branches;  // kIf
  Expr* value = nullptr;         // kSet, kCall; the filter of kSetBlock (or null) and of kFilter
  std::vector<Target> targets;   // kSet, kSetBlock: one; kWith: several; kMacro: its name
  Body body;
  ScopeCode scope;
  std::unique_ptr<ForDef> loop;
  std::unique_ptr<MacroDef> macro;  // kMacro, kCall, kGeneration
};

struct Program {
  std::string name;
  std::vector<std::string> strings;
  std::deque<Expr> exprs;
  std::deque<Stmt> stmts;
  Body body;
  ScopeCode scope;
  FunctionInfo function;
};

}  // namespace orrery::jinja
