// What may follow an expression: subscripts, calls, filters, tests.
#include "jinja/parser.h"

namespace orrery::jinja {

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
