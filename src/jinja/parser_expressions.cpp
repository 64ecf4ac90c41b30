// The expressions of the grammar, from the loosest operator down to a literal.
#include "jinja/parser.h"

namespace orrery::jinja {
namespace {

constexpr int kOrPrecedence = 1;
constexpr int kAndPrecedence = 2;
constexpr int kNotPrecedence = 3;
constexpr int kComparePrecedence = 4;
constexpr int kAddPrecedence = 5;
constexpr int kConcatPrecedence = 6;
constexpr int kMulPrecedence = 7;
constexpr int kPowPrecedence = 8;

struct OperatorRow {
  std::string_view text;
  int precedence;
  Op op;
};
constexpr OperatorRow kOperators[] = {
    {"==", kComparePrecedence, Op::kEq}, {"!=", kComparePrecedence, Op::kNe},
    {"<", kComparePrecedence, Op::kLt},  {"<=", kComparePrecedence, Op::kLe},
    {">", kComparePrecedence, Op::kGt},  {">=", kComparePrecedence, Op::kGe},
    {"+", kAddPrecedence, Op::kAdd},     {"-", kAddPrecedence, Op::kSub},
    {"~", kConcatPrecedence, Op::kAdd},  {"*", kMulPrecedence, Op::kMul},
    {"/", kMulPrecedence, Op::kDiv},     {"//", kMulPrecedence, Op::kFloorDiv},
    {"%", kMulPrecedence, Op::kMod},     {"**", kPowPrecedence, Op::kPow},
};

ExprKind chain_kind(int precedence) {
  switch (precedence) {
    case kOrPrecedence:
      return ExprKind::kOr;
    case kAndPrecedence:
      return ExprKind::kAnd;
    case kComparePrecedence:
      return ExprKind::kCompare;
    case kConcatPrecedence:
      return ExprKind::kConcat;
    default:
      return ExprKind::kArithmetic;
  }
}

}  // namespace

Expr* Parser::parse_expression(bool with_conditional) {
  const DepthScope scope(depth_);
  if (failed() || too_deep()) {
    return nullptr;
  }
  Expr* expr = parse_binary(kOrPrecedence);
  while (with_conditional && skip_name("if")) {
    Expr* node = add(ExprKind::kConditional, current_.line);
    node->a = expr;
    node->b = parse_binary(kOrPrecedence);
    if (skip_name("else")) {
      node->c = parse_expression(true);
    }
    expr = node;
    if (const DepthScope link(depth_); too_deep()) {
      return nullptr;
    }
  }
  return failed() ? nullptr : expr;
}

bool Parser::at_tuple_end(std::string_view end_name) const {
  return current_.is(TokenType::kVariableEnd) || current_.is(TokenType::kBlockEnd) ||
         at_operator(")") || (!end_name.empty() && at_name(end_name));
}

Expr* Parser::parse_tuple(bool with_conditional, std::string_view end_name, bool in_parentheses) {
  const uint32_t line = current_.line;
  std::vector<Expr*> items;
  bool is_tuple = false;
  while (!failed()) {
    if (!items.empty() && !expect_operator(",")) {
      return nullptr;
    }
    if (at_tuple_end(end_name)) {
      break;
    }
    items.push_back(parse_expression(with_conditional));
    if (!at_operator(",")) {
      break;
    }
    is_tuple = true;
  }
  if (failed()) {
    return nullptr;
  }
  if (!is_tuple) {
    if (!items.empty()) {
      return items[0];
    }
    if (!in_parentheses) {
      return fail(fmt::format("expected an expression, got '{}'", describe(current_)));
    }
  }
  Expr* tuple = add(ExprKind::kTuple, line);
  tuple->items = std::move(items);
  return tuple;
}

int Parser::binary_operator(Op& op) {
  if (current_.is(TokenType::kOperator)) {
    for (const OperatorRow& row : kOperators) {
      if (row.text == current_.text) {
        op = row.op;
        return row.precedence;
      }
    }
    return 0;
  }
  if (!current_.is(TokenType::kName)) {
    return 0;
  }
  if (current_.text == "or") {
    return kOrPrecedence;
  }
  if (current_.text == "and") {
    return kAndPrecedence;
  }
  if (current_.text == "in") {
    op = Op::kIn;
    return kComparePrecedence;
  }
  if (current_.text == "not" && look().is_name("in")) {
    op = Op::kNotIn;
    return kComparePrecedence;
  }
  return 0;
}

void Parser::skip_binary_operator(Op op) {
  advance();
  if (op == Op::kNotIn) {
    advance();
  }
}

// Precedence climbing; a run of operators of one precedence becomes one node, so that a long sum is
// no deep tree.
Expr* Parser::parse_binary(int min_precedence) {
  Expr* left = nullptr;
  if (min_precedence <= kNotPrecedence && at_name("not")) {
    const DepthScope scope(depth_);
    if (too_deep()) {
      return nullptr;
    }
    const uint32_t line = current_.line;
    advance();
    left = add(ExprKind::kNot, line);
    left->a = parse_binary(kNotPrecedence);
  } else {
    left = parse_unary(true);
  }
  while (!failed()) {
    Op op = Op::kAdd;
    const int precedence = binary_operator(op);
    if (precedence == 0 || precedence < min_precedence) {
      break;
    }
    Expr* chain = add(chain_kind(precedence), current_.line);
    chain->items.push_back(left);
    while (!failed() && binary_operator(op) == precedence) {
      skip_binary_operator(op);
      chain->ops.push_back(op);
      op = Op::kAdd;
      chain->items.push_back(parse_binary(precedence + 1));
    }
    left = chain;
  }
  return failed() ? nullptr : left;
}

Expr* Parser::parse_unary(bool with_filters) {
  const DepthScope scope(depth_);
  if (failed() || too_deep()) {
    return nullptr;
  }
  Expr* expr = nullptr;
  if (at_operator("-") || at_operator("+")) {
    expr = add(at_operator("-") ? ExprKind::kNegate : ExprKind::kPlus, current_.line);
    advance();
    expr->a = parse_unary(false);
  } else {
    expr = parse_primary();
  }
  expr = parse_postfix(expr);
  return with_filters ? parse_filters(expr) : expr;
}

Expr* Parser::parse_primary() {
  const uint32_t line = current_.line;
  Expr* expr = nullptr;
  switch (current_.type) {
    case TokenType::kName: {
      const std::string& name = current_.text;
      if (name == "true" || name == "True" || name == "false" || name == "False") {
        expr = add(ExprKind::kBool, line);
        expr->boolean = name[0] == 't' || name[0] == 'T';
      } else if (name == "none" || name == "None") {
        expr = add(ExprKind::kNone, line);
      } else {
        expr = add(ExprKind::kName, line);
        expr->text = intern(name);
      }
      advance();
      return expr;
    }
    case TokenType::kString: {
      std::string text;
      while (!failed() && current_.is(TokenType::kString)) {
        text += current_.text;
        advance();
      }
      expr = add(ExprKind::kString, line);
      expr->text = intern(std::move(text));
      return expr;
    }
    case TokenType::kInteger:
      expr = add(ExprKind::kInt, line);
      expr->integer = current_.integer;
      advance();
      return expr;
    case TokenType::kFloat:
      expr = add(ExprKind::kFloat, line);
      expr->real = current_.real;
      advance();
      return expr;
    default:
      break;
  }
  if (skip_operator("(")) {
    expr = parse_tuple(true, {}, true);
    return expect_operator(")") ? expr : nullptr;
  }
  if (at_operator("[")) {
    return parse_list();
  }
  if (at_operator("{")) {
    return parse_dict();
  }
  return fail(fmt::format("unexpected '{}'", describe(current_)));
}

Expr* Parser::parse_list() {
  Expr* list = add(ExprKind::kList, current_.line);
  advance();
  while (!failed() && !at_operator("]")) {
    if (!list->items.empty() && (!expect_operator(",") || at_operator("]"))) {
      break;
    }
    list->items.push_back(parse_expression());
  }
  return expect_operator("]") ? list : nullptr;
}

Expr* Parser::parse_dict() {
  Expr* dict = add(ExprKind::kDict, current_.line);
  advance();
  while (!failed() && !at_operator("}")) {
    if (!dict->items.empty() && (!expect_operator(",") || at_operator("}"))) {
      break;
    }
    dict->items.push_back(parse_expression());
    if (!expect_operator(":")) {
      return nullptr;
    }
    dict->items.push_back(parse_expression());
  }
  return expect_operator("}") ? dict : nullptr;
}

}  // namespace orrery::jinja
