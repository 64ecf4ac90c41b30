// Expressions.
#include "jinja/interpreter.h"
#include "jinja/loop.h"
#include "jinja/ops.h"

namespace orrery::jinja {

Value Interpreter::eval(const Expr& expr) {
  line_ = expr.line;
  if (!enter()) {
    return {};
  }
  switch (expr.kind) {
    case ExprKind::kName:
      return eval_name(expr);
    case ExprKind::kString:
      return constant(expr.text);
    case ExprKind::kInt:
      return Value::integer(expr.integer);
    case ExprKind::kFloat:
      return Value::real(expr.real);
    case ExprKind::kBool:
      return Value::boolean(expr.boolean);
    case ExprKind::kNone:
      return Value::none();
    case ExprKind::kList:
    case ExprKind::kTuple: {
      std::vector<Value> items;
      if (!eval_all(expr.items, items)) {
        return {};
      }
      return expr.kind == ExprKind::kList ? list(std::move(items)) : tuple(std::move(items));
    }
    case ExprKind::kDict:
      return eval_dict(expr);
    case ExprKind::kGetattr: {
      const Value object = eval(*expr.a);
      return failed_ ? Value() : get_attribute(*this, object, name_of(expr.text));
    }
    case ExprKind::kGetitem:
      return eval_getitem(expr);
    case ExprKind::kSlice:
      return error("a slice outside of a subscript");
    case ExprKind::kCall:
      return eval_call(expr, nullptr);
    case ExprKind::kFilter:
      return eval_filter(expr, nullptr);
    case ExprKind::kTest:
      return eval_test(expr);
    case ExprKind::kNegate: {
      const Value value = eval(*expr.a);
      return failed_ ? Value() : negate(*this, value);
    }
    case ExprKind::kPlus: {
      const Value value = eval(*expr.a);
      return failed_ ? Value() : unary_plus(*this, value);
    }
    case ExprKind::kNot: {
      const Value value = eval(*expr.a);
      return Value::boolean(!failed_ && !truthy(value));
    }
    case ExprKind::kArithmetic:
      return eval_chain(expr);
    case ExprKind::kAnd:
    case ExprKind::kOr:
      return eval_logic(expr);
    case ExprKind::kConcat:
      return eval_concat(expr);
    case ExprKind::kCompare:
      return eval_compare(expr);
    case ExprKind::kConditional:
      return eval_conditional(expr);
  }
  return {};
}

Value Interpreter::eval_name(const Expr& expr) {
  const Value& value = slot(expr.slot);
  return value.is_missing() ? undefined(fmt::format("'{}' is undefined", name_of(expr.text)))
                            : value;
}

bool Interpreter::eval_all(const std::vector<Expr*>& exprs, std::vector<Value>& out) {
  out.reserve(exprs.size());
  for (const Expr* expr : exprs) {
    out.push_back(eval(*expr));
    if (failed_) {
      return false;
    }
  }
  return true;
}

Value Interpreter::eval_dict(const Expr& expr) {
  std::vector<DictObject::Entry> entries;
  for (size_t i = 0; i + 1 < expr.items.size(); i += 2) {
    Value key = eval(*expr.items[i]);
    Value value = failed_ ? Value() : eval(*expr.items[i + 1]);
    if (failed_) {
      return {};
    }
    entries.emplace_back(std::move(key), std::move(value));
  }
  return dict(std::move(entries));
}

Value Interpreter::eval_getitem(const Expr& expr) {
  const Value object = eval(*expr.a);
  if (failed_) {
    return {};
  }
  if (expr.b->kind != ExprKind::kSlice) {
    const Value key = eval(*expr.b);
    return failed_ ? Value() : get_item(*this, object, key);
  }
  const auto bound = [this](const Expr* part) { return part != nullptr ? eval(*part) : Value(); };
  const Value start = bound(expr.b->a);
  const Value stop = failed_ ? Value() : bound(expr.b->b);
  const Value step = failed_ ? Value() : bound(expr.b->c);
  return failed_ ? Value() : slice(*this, object, start, stop, step);
}

bool Interpreter::eval_star_star(const Expr& expr, Args& out) {
  const Value more = eval(expr);
  if (failed_) {
    return false;
  }
  if (!more.is_dict()) {
    error("argument after ** must be a mapping, not {}", type_name(more));
    return false;
  }
  for (const auto& [key, value] : more.dict().entries) {
    if (!key.is_string()) {
      error("keywords must be strings");
      return false;
    }
    for (const auto& [other, given] : out.keywords) {
      if (other.view() == key.view()) {
        error("got multiple values for keyword argument '{}'", key.view());
        return false;
      }
    }
    if (!charge(1 + out.keywords.size() / 8)) {
      return false;
    }
    out.keywords.emplace_back(key, value);
  }
  return true;
}

bool Interpreter::eval_args(const CallArgs& call, Args& out) {
  if (!eval_all(call.positional, out.positional)) {
    return false;
  }
  for (const auto& [name, expr] : call.keywords) {
    out.keywords.emplace_back(constant(name), eval(*expr));
    if (failed_) {
      return false;
    }
  }
  if (call.star != nullptr) {
    const Value more = eval(*call.star);
    if (failed_ || !collect_items(*this, more, out.positional)) {
      return false;
    }
  }
  return call.star_star == nullptr || eval_star_star(*call.star_star, out);
}

Value Interpreter::eval_call(const Expr& expr, const Value* caller) {
  Args args;
  const auto prepare = [&] {
    if (!eval_args(*expr.call, args)) {
      return false;
    }
    if (caller != nullptr) {
      args.keywords.emplace_back(string("caller"), *caller);
    }
    line_ = expr.line;
    return !failed_;
  };
  if (expr.a->kind == ExprKind::kGetattr) {
    // A method is called without making it a value first.
    const Value object = eval(*expr.a->a);
    if (failed_) {
      return {};
    }
    const std::string& name = name_of(expr.a->text);
    if (const BuiltinDef* method = find_method(object, name)) {
      return prepare() ? call_builtin(*method, &object, std::move(args)) : Value();
    }
    const Value callee = get_attribute(*this, object, name);
    return !failed_ && prepare() ? call(callee, std::move(args)) : Value();
  }
  const Value callee = eval(*expr.a);
  return !failed_ && prepare() ? call(callee, std::move(args)) : Value();
}

Value Interpreter::eval_filter(const Expr& expr, const Value* block) {
  // In a filter block the innermost filter is applied to the block's text.
  Value subject;
  if (expr.a == nullptr) {
    subject = *block;
  } else if (block != nullptr) {
    subject = enter() ? eval_filter(*expr.a, block) : Value();
  } else {
    subject = eval(*expr.a);
  }
  if (failed_) {
    return {};
  }
  line_ = expr.line;
  if (expr.def == nullptr) {
    return error("no filter named '{}'", name_of(expr.text));
  }
  Args args;
  if (!eval_args(*expr.call, args)) {
    return {};
  }
  line_ = expr.line;
  return call_builtin(*expr.def, &subject, std::move(args));
}

Value Interpreter::eval_test(const Expr& expr) {
  const Value subject = eval(*expr.a);
  if (failed_) {
    return {};
  }
  line_ = expr.line;
  if (expr.def == nullptr) {
    return error("no test named '{}'", name_of(expr.text));
  }
  Args args;
  if (!eval_args(*expr.call, args)) {
    return {};
  }
  line_ = expr.line;
  return call_builtin(*expr.def, &subject, std::move(args));
}

Value Interpreter::eval_chain(const Expr& expr) {
  Value value = eval(*expr.items[0]);
  for (size_t i = 0; i < expr.ops.size() && !failed_; ++i) {
    const Value operand = eval(*expr.items[i + 1]);
    line_ = expr.line;
    value = failed_ ? Value() : arithmetic(*this, expr.ops[i], value, operand);
  }
  return value;
}

Value Interpreter::eval_logic(const Expr& expr) {
  const bool stop_at = expr.kind == ExprKind::kOr;
  Value value;
  for (const Expr* item : expr.items) {
    value = eval(*item);
    if (failed_ || truthy(value) == stop_at) {
      break;
    }
  }
  return value;
}

Value Interpreter::eval_concat(const Expr& expr) {
  Text out;
  std::vector<Value> values;
  if (!eval_all(expr.items, values)) {
    return {};
  }
  for (const Value& value : values) {
    append_str(*this, value, out);
  }
  return text(std::move(out));
}

Value Interpreter::eval_compare(const Expr& expr) {
  Value left = eval(*expr.items[0]);
  Value result;
  for (size_t i = 0; i < expr.ops.size() && !failed_; ++i) {
    Value right = eval(*expr.items[i + 1]);
    if (failed_) {
      break;
    }
    line_ = expr.line;
    result = compare(*this, expr.ops[i], left, right);
    if (failed_ || !truthy(result)) {
      break;
    }
    left = std::move(right);
  }
  return result;
}

Value Interpreter::eval_conditional(const Expr& expr) {
  const Value test = eval(*expr.b);
  if (failed_) {
    return {};
  }
  if (truthy(test)) {
    return eval(*expr.a);
  }
  if (expr.c != nullptr) {
    return eval(*expr.c);
  }
  return undefined(fmt::format(
      "the inline if-expression on line {} evaluated to false and no else section was defined",
      expr.line));
}

}  // namespace orrery::jinja
