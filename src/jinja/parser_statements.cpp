// The statements of the grammar; expressions are in parser_expressions.cpp.
#include <algorithm>

#include "jinja/parser.h"

namespace orrery::jinja {

Stmt* Parser::add_statement(StmtKind kind) {
  Stmt& stmt = program_.stmts.emplace_back();
  stmt.kind = kind;
  stmt.line = current_.line;
  return &stmt;
}

// Ends at the name of one of `end_tags`, which stays current, or, if there are none, at the end.
Body Parser::parse_until(std::initializer_list<std::string_view> end_tags) {
  Body body;
  Stmt* output = nullptr;
  const DepthScope scope(depth_);
  if (too_deep()) {
    return body;
  }
  while (!failed()) {
    if (current_.is(TokenType::kEof)) {
      if (end_tags.size() != 0) {
        fail(fmt::format("unexpected end of template, expected '{}'", *(end_tags.end() - 1)));
      }
      break;
    }
    if (current_.is(TokenType::kBlockBegin)) {
      advance();
      if (std::any_of(end_tags.begin(), end_tags.end(),
                      [this](std::string_view tag) { return at_name(tag); })) {
        break;
      }
      output = nullptr;
      parse_statement(body);
      if (!failed()) {
        expect(TokenType::kBlockEnd);
      }
      continue;
    }
    if (output == nullptr) {
      output = add_statement(StmtKind::kOutput);
      body.push_back(output);
    }
    if (current_.is(TokenType::kData)) {
      Expr* data = add(ExprKind::kString, current_.line);
      data->text = intern(std::move(current_.text));
      output->exprs.push_back(data);
      advance();
    } else {
      advance();  // kVariableBegin
      output->exprs.push_back(parse_tuple(true, {}, false));
      if (!failed()) {
        expect(TokenType::kVariableEnd);
      }
    }
  }
  return body;
}

Body Parser::parse_block(std::initializer_list<std::string_view> end_tags) {
  skip_operator(":");
  if (!expect(TokenType::kBlockEnd)) {
    return {};
  }
  return parse_until(end_tags);
}

Body Parser::parse_block_to(std::string_view end_tag) {
  Body body = parse_block({end_tag});
  advance();
  return body;
}

void Parser::parse_statement(Body& body) {
  if (!current_.is(TokenType::kName)) {
    fail("expected the name of a tag");
    return;
  }
  const std::string name = current_.text;
  Stmt* stmt = nullptr;
  if (name == "for") {
    stmt = parse_for();
  } else if (name == "if") {
    stmt = parse_if();
  } else if (name == "set") {
    stmt = parse_set();
  } else if (name == "with") {
    stmt = parse_with();
  } else if (name == "macro") {
    stmt = parse_macro();
  } else if (name == "call") {
    stmt = parse_call();
  } else if (name == "filter") {
    stmt = parse_filter_block();
  } else if (name == "print") {
    stmt = parse_print();
  } else if (name == "autoescape") {
    stmt = parse_autoescape();
  } else if (name == "generation") {
    stmt = parse_generation();
  } else if (name == "break" || name == "continue") {
    stmt = parse_loop_control(name == "break" ? StmtKind::kBreak : StmtKind::kContinue);
  } else if (name == "include" || name == "import" || name == "from" || name == "extends" ||
             name == "block") {
    if (!failed()) {
      error_ = unsupported("line {}: a chat template stands alone: no '{}'", current_.line, name);
    }
  } else {
    fail(fmt::format("unknown tag '{}'", name));
  }
  if (!failed()) {
    body.push_back(stmt);
  }
}

bool Parser::parse_target_item(Target& target, bool allow_attribute) {
  target.line = current_.line;
  if (skip_operator("(")) {
    const DepthScope scope(depth_);
    if (too_deep() || !parse_target(target, false, {})) {
      return false;
    }
    return expect_operator(")");
  }
  const std::string name = take_name();
  if (name == "true" || name == "false" || name == "none" || name == "True" || name == "False" ||
      name == "None") {
    fail(fmt::format("can't assign to '{}'", name));
  }
  target.name = intern(name);
  if (allow_attribute && skip_operator(".")) {
    target.kind = Target::Kind::kAttribute;
    target.attribute = intern(take_name());
  }
  return !failed();
}

// A name, an attribute of a namespace, or a tuple of them.
bool Parser::parse_target(Target& target, bool allow_attribute, std::string_view end_name) {
  target.line = current_.line;
  std::vector<Target> items;
  bool is_tuple = false;
  while (!failed()) {
    if (!items.empty() && !expect_operator(",")) {
      return false;
    }
    if (at_tuple_end(end_name)) {
      break;
    }
    if (!parse_target_item(items.emplace_back(), allow_attribute)) {
      return false;
    }
    if (!at_operator(",")) {
      break;
    }
    is_tuple = true;
  }
  if (items.empty()) {
    fail("expected a name to assign to");
    return false;
  }
  if (is_tuple) {
    target.kind = Target::Kind::kTuple;
    target.items = std::move(items);
  } else {
    target = std::move(items[0]);
  }
  return !failed();
}

Stmt* Parser::parse_for() {
  Stmt* stmt = add_statement(StmtKind::kFor);
  stmt->loop = std::make_unique<ForDef>();
  ForDef& loop = *stmt->loop;
  advance();
  if (!parse_target(loop.target, false, "in") || !expect_name("in")) {
    return nullptr;
  }
  loop.iterable = parse_tuple(false, "recursive", false);
  if (skip_name("if")) {
    loop.test = parse_expression();
  }
  loop.recursive = skip_name("recursive");
  const int outer_loops = loops_;
  loops_ = loop.recursive ? 1 : loops_ + 1;
  loop.body = parse_block({"endfor", "else"});
  loops_ = loop.recursive ? 0 : outer_loops;
  if (skip_name("else")) {
    loop.else_body = parse_block({"endfor"});
  }
  loops_ = outer_loops;
  return expect_name("endfor") ? stmt : nullptr;
}

Stmt* Parser::parse_if() {
  Stmt* stmt = add_statement(StmtKind::kIf);
  do {
    advance();  // if, elif
    Expr* test = parse_tuple(false, {}, false);
    stmt->branches.push_back({test, parse_block({"elif", "else", "endif"})});
  } while (!failed() && at_name("elif"));
  if (skip_name("else")) {
    stmt->branches.push_back({nullptr, parse_block({"endif"})});
  }
  return expect_name("endif") ? stmt : nullptr;
}

Stmt* Parser::parse_set() {
  Stmt* stmt = add_statement(StmtKind::kSet);
  advance();
  if (!parse_target(stmt->targets.emplace_back(), true, {})) {
    return nullptr;
  }
  if (skip_operator("=")) {
    stmt->value = parse_tuple(true, {}, false);
    return stmt;
  }
  stmt->kind = StmtKind::kSetBlock;
  const int depth = depth_;
  while (skip_operator("|")) {
    stmt->value = parse_filter(stmt->value);
    ++depth_;
    if (too_deep()) {
      return nullptr;
    }
  }
  depth_ = depth;
  stmt->body = parse_block_to("endset");
  return stmt;
}

Stmt* Parser::parse_with() {
  Stmt* stmt = add_statement(StmtKind::kWith);
  advance();
  while (!failed() && !current_.is(TokenType::kBlockEnd)) {
    if (!stmt->targets.empty() && !expect_operator(",")) {
      return nullptr;
    }
    if (!parse_target(stmt->targets.emplace_back(), false, {}) || !expect_operator("=")) {
      return nullptr;
    }
    stmt->exprs.push_back(parse_expression());
  }
  stmt->body = parse_block_to("endwith");
  return stmt;
}

void Parser::parse_signature(MacroDef& macro) {
  expect_operator("(");
  while (!failed() && !at_operator(")")) {
    if (!macro.arg_names.empty() && !expect_operator(",")) {
      return;
    }
    const std::string name = take_name();
    const uint32_t id = intern(name);
    if (std::find(macro.arg_names.begin(), macro.arg_names.end(), id) != macro.arg_names.end()) {
      fail(fmt::format("duplicate argument '{}'", name));
    }
    macro.arg_names.push_back(id);
    if (skip_operator("=")) {
      macro.defaults.push_back(parse_expression());
    } else if (!macro.defaults.empty()) {
      fail("non-default argument follows default argument");
    }
  }
  expect_operator(")");
}

Body Parser::parse_function_body(std::string_view end_tag) {
  const int outer_loops = std::exchange(loops_, 0);
  Body body = parse_block_to(end_tag);
  loops_ = outer_loops;
  return body;
}

Stmt* Parser::parse_macro() {
  Stmt* stmt = add_statement(StmtKind::kMacro);
  stmt->macro = std::make_unique<MacroDef>();
  advance();
  Target& target = stmt->targets.emplace_back();
  target.line = current_.line;
  target.name = intern(take_name());
  stmt->macro->name = target.name;
  parse_signature(*stmt->macro);
  stmt->macro->body = parse_function_body("endmacro");
  return stmt;
}

Stmt* Parser::parse_call() {
  Stmt* stmt = add_statement(StmtKind::kCall);
  stmt->macro = std::make_unique<MacroDef>();
  stmt->macro->anonymous = true;
  advance();
  if (at_operator("(")) {
    parse_signature(*stmt->macro);
  }
  stmt->value = parse_expression();
  if (!failed() && stmt->value->kind != ExprKind::kCall) {
    fail("expected a call after 'call'");
  }
  stmt->macro->body = parse_function_body("endcall");
  return stmt;
}

Stmt* Parser::parse_generation() {
  Stmt* stmt = add_statement(StmtKind::kGeneration);
  stmt->macro = std::make_unique<MacroDef>();
  stmt->macro->anonymous = true;
  advance();
  stmt->macro->body = parse_function_body("endgeneration");
  return stmt;
}

Stmt* Parser::parse_filter_block() {
  Stmt* stmt = add_statement(StmtKind::kFilter);
  advance();
  const int depth = depth_;
  do {
    stmt->value = parse_filter(stmt->value);
    ++depth_;
    if (too_deep()) {
      return nullptr;
    }
  } while (skip_operator("|"));
  depth_ = depth;
  stmt->body = parse_block_to("endfilter");
  return stmt;
}

Stmt* Parser::parse_print() {
  Stmt* stmt = add_statement(StmtKind::kOutput);
  advance();
  while (!failed() && !current_.is(TokenType::kBlockEnd)) {
    if (!stmt->exprs.empty() && !expect_operator(",")) {
      return nullptr;
    }
    stmt->exprs.push_back(parse_expression());
  }
  return stmt;
}

// Chat templates are rendered without escaping; the tag may only ask for that.
Stmt* Parser::parse_autoescape() {
  Stmt* stmt = add_statement(StmtKind::kScope);
  advance();
  const Expr* option = parse_expression();
  if (failed()) {
    return nullptr;
  }
  if (option->kind != ExprKind::kBool || option->boolean) {
    error_ = unsupported("line {}: autoescape other than 'false'", stmt->line);
    return nullptr;
  }
  stmt->body = parse_block_to("endautoescape");
  return stmt;
}

Stmt* Parser::parse_loop_control(StmtKind kind) {
  Stmt* stmt = add_statement(kind);
  if (loops_ == 0) {
    fail(fmt::format("'{}' outside of a loop", current_.text));
    return nullptr;
  }
  advance();
  return stmt;
}

}  // namespace orrery::jinja
