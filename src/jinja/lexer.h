// Cuts a template into tokens, with the whitespace rules of Jinja under trim_blocks and
// lstrip_blocks, which chat templates are written for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace orrery::jinja {

enum class TokenType : uint8_t {
  kData,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,  // text holds it: "+", "**", "<=", ...
  kEof,
};

struct Token {
  TokenType type = TokenType::kEof;
  uint32_t line = 1;
  std::string text;  // data, a name, an operator, the decoded string
  int64_t integer = 0;
  double real = 0;

  bool is(TokenType wanted) const { return type == wanted; }
  bool is_name(std::string_view name) const { return type == TokenType::kName && text == name; }
  bool is_operator(std::string_view op) const { return type == TokenType::kOperator && text == op; }
};

// As error messages call it.
std::string describe(const Token& token);

class Lexer {
 public:
  // Line ends become \n, and one at the very end is dropped, as Jinja does by default.
  explicit Lexer(std::string_view source);

  Result<Token> next();
  uint32_t line() const { return line_; }

 private:
  enum class State : uint8_t { kRoot, kVariable, kBlock };

  Status next_in_root(Token& token, bool& produced);
  Status next_in_tag(Token& token, bool& produced);
  Status read_raw(Token& token, bool& produced);
  Status skip_comment();
  Status read_string(Token& token);
  Status read_number(Token& token);
  Status read_operator(Token& token);
  bool read_tag_end(Token& token);
  bool read_float(Token& token);
  size_t skip_digits(size_t at) const;

  // The text between pos_ and `tag`, stripped as the tag's sign ('-', '+' or 0) asks.
  std::string_view strip_before_tag(size_t tag, char sign, bool is_variable) const;
  // If "raw"/"endraw" stands at `at` after a block start: the position after its tag, else npos.
  size_t match_raw_tag(size_t at, std::string_view word, bool trims) const;
  char char_at(size_t at) const { return at < source_.size() ? source_[at] : '\0'; }
  bool starts_with(size_t at, std::string_view what) const {
    return source_.compare(at, what.size(), what) == 0;
  }
  size_t skip_spaces(size_t at) const;
  void advance_to(size_t at);  // counts lines

  std::string source_;
  size_t pos_ = 0;
  uint32_t line_ = 1;
  State state_ = State::kRoot;
  bool line_starting_ = true;
  std::string brackets_;  // closers that are due
};

}  // namespace orrery::jinja
