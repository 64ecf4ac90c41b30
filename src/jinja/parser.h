// Tokens → syntax tree. The grammar is Jinja's, with the tags that chat templates may use: for, if,
// set, macro, call, filter, with, print, autoescape, raw, break, continue, generation.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "jinja/ast.h"
#include "jinja/budget.h"
#include "jinja/lexer.h"

namespace orrery::jinja {

class Parser {
 public:
  // Nesting of expressions and statements deeper than `max_depth` is refused.
  Parser(std::string_view source, Program& program, int max_depth);
  Status parse();

 private:
  // After an error every function returns at once; the status is read by parse().
  bool failed() const { return !error_.ok(); }
  Expr* fail(std::string message);
  bool too_deep();

  // Tokens: current_, and at most one looked ahead.
  void advance();
  const Token& look();
  bool at_operator(std::string_view op) const { return current_.is_operator(op); }
  bool at_name(std::string_view name) const { return current_.is_name(name); }
  bool skip_operator(std::string_view op);
  bool skip_name(std::string_view name);
  bool expect_operator(std::string_view op);
  bool expect_name(std::string_view name);
  bool expect(TokenType type);
  std::string take_name();

  // Statements (parser_statements.cpp).
  Body parse_until(std::initializer_list<std::string_view> end_tags);
  Body parse_block(std::initializer_list<std::string_view> end_tags);
  Body parse_block_to(std::string_view end_tag);
  void parse_statement(Body& body);
  Stmt* parse_for();
  Stmt* parse_if();
  Stmt* parse_set();
  Stmt* parse_with();
  Stmt* parse_macro();
  Stmt* parse_call();
  Stmt* parse_filter_block();
  Stmt* parse_print();
  Stmt* parse_autoescape();
  Stmt* parse_generation();
  Stmt* parse_loop_control(StmtKind kind);
  void parse_signature(MacroDef& macro);
  Body parse_function_body(std::string_view end_tag);
  bool parse_target(Target& target, bool allow_attribute, std::string_view end_name);
  bool parse_target_item(Target& target, bool allow_attribute);
  Stmt* add_statement(StmtKind kind);

  // Expressions (parser_expressions.cpp).
  Expr* parse_expression(bool with_conditional = true);
  Expr* parse_tuple(bool with_conditional, std::string_view end_name, bool in_parentheses);
  Expr* parse_binary(int min_precedence);
  Expr* parse_unary(bool with_filters);
  Expr* parse_primary();
  Expr* parse_list();
  Expr* parse_dict();
  bool at_tuple_end(std::string_view end_name) const;
  // Precedence and operator of the current token; 0 if it is none.
  int binary_operator(Op& op);
  void skip_binary_operator(Op op);

  // What follows them (parser_postfix.cpp).
  Expr* parse_postfix(Expr* expr);
  Expr* parse_filters(Expr* expr);
  Expr* parse_subscript(Expr* expr);
  Expr* parse_subscript_item();
  Expr* parse_call_of(Expr* expr);
  std::unique_ptr<CallArgs> parse_call_args();
  Expr* parse_filter(Expr* expr);
  Expr* parse_test(Expr* expr);
  std::string parse_dotted_name();

  Expr* add(ExprKind kind, uint32_t line);
  uint32_t intern(std::string text);

  Lexer lexer_;
  Program& program_;
  Status error_;
  Token current_;
  Token ahead_;
  bool has_ahead_ = false;
  StackBudget stack_;
  int depth_ = 0;
  int max_depth_;
  int loops_ = 0;  // enclosing for loops of this function, for break and continue
  std::unordered_map<std::string, uint32_t> interned_;
};

}  // namespace orrery::jinja
