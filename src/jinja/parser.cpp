// Tokens and the helpers of the grammar; statements, expressions and what follows an expression
// have files of their own.
#include "jinja/parser.h"

namespace orrery::jinja {

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

}  // namespace orrery::jinja
