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

std::string describe(const Token& token) {
  switch (token.type) {
    case TokenType::kVariableEnd:
      return "end of print statement";
    case TokenType::kBlockEnd:
      return "end of statement block";
    case TokenType::kEof:
      return "end of template";
    case TokenType::kInteger:
      return "integer";
    case TokenType::kFloat:
      return "float";
    case TokenType::kString:
      return "string";
    default:
      return token.text;
  }
}

}  // namespace

Parser::Parser(std::string_view source, Program& program, int max_depth)
    : lexer_(source), program_(program), max_depth_(max_depth) {}

Status Parser::parse() {
  advance();
  program_.body = parse_until({});
  return error_;
}

Expr* Parser::fail(std::string message) {
  if (!failed()) {
    error_ = malformed("line {}: {}", current_.line, message);
  }
  return nullptr;
}

bool Parser::too_deep() {
  if (depth_ <= max_depth_ && !stack_.exceeded()) {
    return false;
  }
  if (!failed()) {
    error_ = resource_exhausted("line {}: nested deeper than {}", current_.line,
                                depth_ > max_depth_ ? max_depth_ : depth_);
  }
  return true;
}

void Parser::advance() {
  if (failed()) {
    return;
  }
  if (has_ahead_) {
    current_ = std::move(ahead_);
    has_ahead_ = false;
    return;
  }
  Result<Token> token = lexer_.next();
  if (!token.ok()) {
    error_ = token.status();
    current_ = Token();
    return;
  }
  current_ = std::move(token).value();
}

const Token& Parser::look() {
  if (!has_ahead_ && !failed()) {
    Result<Token> token = lexer_.next();
    if (token.ok()) {
      ahead_ = std::move(token).value();
    } else {
      error_ = token.status();
      ahead_ = Token();
    }
    has_ahead_ = true;
  }
  return ahead_;
}

bool Parser::skip_operator(std::string_view op) {
  if (failed() || !at_operator(op)) {
    return false;
  }
  advance();
  return true;
}
bool Parser::skip_name(std::string_view name) {
  if (failed() || !at_name(name)) {
    return false;
  }
  advance();
  return true;
}
bool Parser::expect_operator(std::string_view op) {
  if (!at_operator(op)) {
    fail(fmt::format("expected '{}', got '{}'", op, describe(current_)));
    return false;
  }
  advance();
  return !failed();
}
bool Parser::expect_name(std::string_view name) {
  if (!at_name(name)) {
    fail(fmt::format("expected '{}', got '{}'", name, describe(current_)));
    return false;
  }
  advance();
  return !failed();
}
bool Parser::expect(TokenType type) {
  if (!current_.is(type)) {
    Token wanted;
    wanted.type = type;
    fail(fmt::format("expected '{}', got '{}'", describe(wanted), describe(current_)));
    return false;
  }
  advance();
  return !failed();
}
std::string Parser::take_name() {
  if (!current_.is(TokenType::kName)) {
    fail(fmt::format("expected a name, got '{}'", describe(current_)));
    return {};
  }
  std::string name = std::move(current_.text);
  advance();
  return name;
}

Expr* Parser::add(ExprKind kind, uint32_t line) {
  Expr& expr = program_.exprs.emplace_back();
  expr.kind = kind;
  expr.line = line;
  return &expr;
}

uint32_t Parser::intern(std::string text) {
  const auto [it, is_new] =
      interned_.emplace(std::move(text), static_cast<uint32_t>(program_.strings.size()));
  if (is_new) {
    program_.strings.push_back(it->first);
  }
  return it->second;
}

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

Expr* Parser::parse_postfix(Expr* expr) {
  const int depth = depth_;
  while (!failed()) {
    if (at_operator(".") || at_operator("[")) {
      expr = parse_subscript(expr);
    } else if (at_operator("(")) {
      expr = parse_call_of(expr);
    } else {
      break;
    }
    ++depth_;  // each link is a level of the tree
    if (too_deep()) {
      break;
    }
  }
  depth_ = depth;
  return failed() ? nullptr : expr;
}

Expr* Parser::parse_filters(Expr* expr) {
  const int depth = depth_;
  while (!failed()) {
    if (at_operator("|")) {
      advance();
      expr = parse_filter(expr);
    } else if (at_name("is")) {
      expr = parse_test(expr);
    } else if (at_operator("(")) {
      expr = parse_call_of(expr);
    } else {
      break;
    }
    ++depth_;
    if (too_deep()) {
      break;
    }
  }
  depth_ = depth;
  return failed() ? nullptr : expr;
}

Expr* Parser::parse_subscript(Expr* expr) {
  const uint32_t line = current_.line;
  if (skip_operator(".")) {
    if (current_.is(TokenType::kName)) {
      Expr* node = add(ExprKind::kGetattr, line);
      node->a = expr;
      node->text = intern(take_name());
      return node;
    }
    if (!current_.is(TokenType::kInteger)) {
      return fail("expected a name or a number after '.'");
    }
    Expr* node = add(ExprKind::kGetitem, line);
    node->a = expr;
    node->b = add(ExprKind::kInt, line);
    node->b->integer = current_.integer;
    advance();
    return node;
  }
  advance();
  std::vector<Expr*> items;
  while (!failed() && !at_operator("]")) {
    if (!items.empty() && !expect_operator(",")) {
      return nullptr;
    }
    items.push_back(parse_subscript_item());
  }
  if (!expect_operator("]")) {
    return nullptr;
  }
  Expr* node = add(ExprKind::kGetitem, line);
  node->a = expr;
  if (items.size() == 1) {
    node->b = items[0];
  } else {
    for (const Expr* item : items) {
      if (item->kind == ExprKind::kSlice) {
        return fail("a slice among several subscripts");
      }
    }
    node->b = add(ExprKind::kTuple, line);
    node->b->items = std::move(items);
  }
  return node;
}

Expr* Parser::parse_subscript_item() {
  const uint32_t line = current_.line;
  Expr* start = nullptr;
  if (!skip_operator(":")) {
    start = parse_expression();
    if (failed() || !skip_operator(":")) {
      return start;
    }
  }
  Expr* slice = add(ExprKind::kSlice, line);
  slice->a = start;
  const auto at_end = [this] { return at_operator("]") || at_operator(","); };
  if (!at_operator(":") && !at_end()) {
    slice->b = parse_expression();
  }
  if (skip_operator(":") && !at_end()) {
    slice->c = parse_expression();
  }
  return failed() ? nullptr : slice;
}

std::unique_ptr<CallArgs> Parser::parse_call_args() {
  auto args = std::make_unique<CallArgs>();
  if (!expect_operator("(")) {
    return args;
  }
  bool needs_comma = false;
  const auto require = [this](bool allowed) {
    if (!allowed) {
      fail("invalid syntax for a function call");
    }
  };
  while (!failed() && !at_operator(")")) {
    if (needs_comma && (!expect_operator(",") || at_operator(")"))) {
      break;
    }
    needs_comma = true;
    if (skip_operator("*")) {
      require(args->star == nullptr && args->star_star == nullptr);
      args->star = parse_expression();
    } else if (skip_operator("**")) {
      require(args->star_star == nullptr);
      args->star_star = parse_expression();
    } else if (current_.is(TokenType::kName) && look().is_operator("=")) {
      require(args->star_star == nullptr);
      const uint32_t key = intern(take_name());
      for (const auto& keyword : args->keywords) {
        require(keyword.first != key);
      }
      advance();
      args->keywords.emplace_back(key, parse_expression());
    } else {
      require(args->star == nullptr && args->star_star == nullptr && args->keywords.empty());
      args->positional.push_back(parse_expression());
    }
  }
  expect_operator(")");
  return args;
}

Expr* Parser::parse_call_of(Expr* expr) {
  Expr* node = add(ExprKind::kCall, current_.line);
  node->a = expr;
  node->call = parse_call_args();
  return node;
}

std::string Parser::parse_dotted_name() {
  std::string name = take_name();
  while (skip_operator(".")) {
    name += '.';
    name += take_name();
  }
  return name;
}

Expr* Parser::parse_filter(Expr* expr) {
  Expr* node = add(ExprKind::kFilter, current_.line);
  node->a = expr;
  node->text = intern(parse_dotted_name());
  node->call = at_operator("(") ? parse_call_args() : std::make_unique<CallArgs>();
  return node;
}

Expr* Parser::parse_test(Expr* expr) {
  const uint32_t line = current_.line;
  advance();
  const bool negated = skip_name("not");
  Expr* node = add(ExprKind::kTest, line);
  node->a = expr;
  node->text = intern(parse_dotted_name());
  node->call = std::make_unique<CallArgs>();
  const bool starts_argument =
      (current_.is(TokenType::kName) && !at_name("else") && !at_name("or") && !at_name("and")) ||
      current_.is(TokenType::kString) || current_.is(TokenType::kInteger) ||
      current_.is(TokenType::kFloat) || at_operator("[") || at_operator("{");
  if (at_operator("(")) {
    node->call = parse_call_args();
  } else if (starts_argument) {
    if (at_name("is")) {
      return fail("tests with 'is' cannot be chained");
    }
    const DepthScope scope(depth_);
    if (too_deep()) {
      return nullptr;
    }
    node->call->positional.push_back(parse_postfix(parse_primary()));
  }
  if (!negated) {
    return node;
  }
  Expr* inverse = add(ExprKind::kNot, line);
  inverse->a = node;
  return inverse;
}

}  // namespace orrery::jinja
