#include "jinja/lexer.h"

#include <algorithm>
#include <charconv>

#include "base/utf8.h"
#include "jinja/unicode.h"

namespace orrery::jinja {
namespace {

constexpr size_t kNpos = std::string::npos;

bool is_digit_char(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

std::string normalize_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      i += i + 1 < source.size() && source[i + 1] == '\n' ? 1 : 0;
    } else {
      out += source[i];
    }
  }
  if (!out.empty() && out.back() == '\n') {
    out.pop_back();
  }
  return out;
}

// Bytes of whitespace (of any script) at the end of `text`.
size_t trailing_spaces(std::string_view text) {
  size_t end = text.size();
  while (end > 0) {
    size_t begin = end - 1;
    while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) {
      --begin;
    }
    if (!is_space(decode_utf8(text.substr(begin, end - begin)).code_point)) {
      break;
    }
    end = begin;
  }
  return text.size() - end;
}

int hex_digit(char c) {
  if (is_digit_char(c)) {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// \xHH, \uHHHH, \UHHHHHHHH: `at` is the first digit.
Status append_hex_escape(std::string_view body, size_t& at, size_t digits, std::string& out) {
  uint32_t code_point = 0;
  for (size_t i = 0; i < digits; ++i, ++at) {
    const int digit = at < body.size() ? hex_digit(body[at]) : -1;
    if (digit < 0) {
      return malformed("truncated escape in a string: expected {} hexadecimal digits", digits);
    }
    code_point = code_point * 16 + static_cast<uint32_t>(digit);
  }
  if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF)) {
    return malformed("escape in a string: U+{:04X} is not a character", code_point);
  }
  append_utf8(code_point, out);
  return {};
}

// Python writes the character after a stray backslash as an escape of its own before decoding, so
// that "\é" reads \xe9, four characters.
void append_stray_backslash(std::string_view body, size_t& at, std::string& out) {
  out += '\\';
  const Utf8Char c = decode_utf8(body.substr(at));
  if (c.code_point < 0x80) {
    out += body[at++];
    return;
  }
  at += c.length;
  const auto code = static_cast<uint32_t>(c.code_point);
  out += code < 0x100     ? fmt::format("x{:02x}", code)
         : code < 0x10000 ? fmt::format("u{:04x}", code)
                          : fmt::format("U{:08x}", code);
}

Status append_escape(std::string_view body, size_t& at, std::string& out) {
  static constexpr std::string_view kNames = "\\'\"abfnrtv";
  static constexpr std::string_view kValues = "\\'\"\a\b\f\n\r\t\v";
  const char c = body[at];
  if (const size_t simple = kNames.find(c); simple != kNpos) {
    out += kValues[simple];
    ++at;
    return {};
  }
  if (c == '\n') {
    ++at;
    return {};
  }
  if (c == 'x' || c == 'u' || c == 'U') {
    return append_hex_escape(body, ++at, c == 'x' ? 2 : c == 'u' ? 4 : 8, out);
  }
  if (c == 'N') {
    return unsupported("named character escapes (\\N{{...}}) in strings");
  }
  if (c >= '0' && c <= '7') {
    uint32_t code_point = 0;
    for (int i = 0; i < 3 && at < body.size() && body[at] >= '0' && body[at] <= '7'; ++i) {
      code_point = code_point * 8 + static_cast<uint32_t>(body[at++] - '0');
    }
    append_utf8(code_point, out);
    return {};
  }
  append_stray_backslash(body, at, out);
  return {};
}

}  // namespace

Lexer::Lexer(std::string_view source) : source_(normalize_newlines(source)) {}

void Lexer::advance_to(size_t at) {
  line_ += static_cast<uint32_t>(std::count(source_.begin() + static_cast<ptrdiff_t>(pos_),
                                            source_.begin() + static_cast<ptrdiff_t>(at), '\n'));
  line_starting_ = at > pos_ && source_[at - 1] == '\n';
  pos_ = at;
}

size_t Lexer::skip_spaces(size_t at) const {
  while (at < source_.size()) {
    const Utf8Char c = decode_utf8(std::string_view(source_).substr(at));
    if (!is_space(c.code_point)) {
      break;
    }
    at += c.length;
  }
  return at;
}

Result<Token> Lexer::next() {
  Token token;
  bool produced = false;
  while (!produced) {
    if (state_ == State::kRoot) {
      RETURN_IF_ERROR(next_in_root(token, produced));
    } else {
      RETURN_IF_ERROR(next_in_tag(token, produced));
    }
  }
  return token;
}

std::string_view Lexer::strip_before_tag(size_t tag, char sign, bool is_variable) const {
  const std::string_view text = std::string_view(source_).substr(pos_, tag - pos_);
  if (sign == '-') {
    return text.substr(0, text.size() - trailing_spaces(text));
  }
  if (sign == '+' || is_variable) {
    return text;
  }
  const size_t newline = text.rfind('\n');
  const size_t line_begin = newline == kNpos ? 0 : newline + 1;
  if (line_begin == 0 && !line_starting_) {
    return text;
  }
  const std::string_view last_line = text.substr(line_begin);
  return trailing_spaces(last_line) == last_line.size() ? text.substr(0, line_begin) : text;
}

size_t Lexer::match_raw_tag(size_t at, std::string_view word, bool trims) const {
  at = skip_spaces(at);
  if (!starts_with(at, word)) {
    return kNpos;
  }
  at = skip_spaces(at + word.size());
  if (starts_with(at, "-%}")) {
    return skip_spaces(at + 3);
  }
  if (trims && starts_with(at, "+%}")) {
    return at + 3;
  }
  if (!starts_with(at, "%}")) {
    return kNpos;
  }
  at += 2;
  return trims && char_at(at) == '\n' ? at + 1 : at;
}

Status Lexer::next_in_root(Token& token, bool& produced) {
  token.line = line_;
  size_t tag = pos_;
  for (;; ++tag) {
    tag = source_.find('{', tag);
    if (tag == kNpos) {
      break;
    }
    const char c = char_at(tag + 1);
    if (c == '{' || c == '%' || c == '#') {
      break;
    }
  }
  if (tag == kNpos) {
    token.type = pos_ < source_.size() ? TokenType::kData : TokenType::kEof;
    token.text = source_.substr(pos_);
    advance_to(source_.size());
    produced = true;
    return {};
  }
  const char kind = source_[tag + 1];
  size_t end = tag + 2;
  const char sign = char_at(end) == '-' || char_at(end) == '+' ? char_at(end) : '\0';
  end += sign != '\0' ? 1 : 0;
  const std::string_view text = strip_before_tag(tag, sign, kind == '{');
  if (!text.empty()) {
    // The tag itself is read at the next call, from where the text was cut.
    token.type = TokenType::kData;
    token.text = std::string(text);
    produced = true;
  }
  const size_t raw = kind == '%' ? match_raw_tag(end, "raw", false) : kNpos;
  if (raw != kNpos) {
    advance_to(raw);
    Token inner;
    bool has_inner = false;
    RETURN_IF_ERROR(read_raw(inner, has_inner));
    if (has_inner) {
      token.type = TokenType::kData;
      token.text += inner.text;
      produced = true;
    }
    return {};
  }
  if (produced) {
    // Leave the tag, without the text before it, for the next call: nothing is left to strip.
    advance_to(tag);
    line_starting_ = false;
    return {};
  }
  advance_to(end);
  if (kind == '#') {
    return skip_comment();
  }
  token.type = kind == '{' ? TokenType::kVariableBegin : TokenType::kBlockBegin;
  token.line = line_;
  state_ = kind == '{' ? State::kVariable : State::kBlock;
  produced = true;
  return {};
}

Status Lexer::read_raw(Token& token, bool& produced) {
  for (size_t tag = source_.find("{%", pos_); tag != kNpos; tag = source_.find("{%", tag + 1)) {
    size_t at = tag + 2;
    const char sign = char_at(at) == '-' || char_at(at) == '+' ? char_at(at) : '\0';
    at += sign != '\0' ? 1 : 0;
    const size_t end = match_raw_tag(at, "endraw", true);
    if (end == kNpos) {
      continue;
    }
    token.text = std::string(strip_before_tag(tag, sign, false));
    token.type = TokenType::kData;
    produced = !token.text.empty();
    advance_to(end);
    return {};
  }
  return malformed("line {}: missing end of raw directive", line_);
}

Status Lexer::skip_comment() {
  const size_t close = source_.find("#}", pos_);
  if (close == kNpos) {
    return malformed("line {}: missing end of comment tag", line_);
  }
  const char sign = close > pos_ ? source_[close - 1] : '\0';
  size_t end = close + 2;
  if (sign == '-') {
    end = skip_spaces(end);
  } else if (sign != '+' && char_at(end) == '\n') {
    ++end;
  }
  advance_to(end);
  return {};
}

bool Lexer::read_tag_end(Token& token) {
  if (!brackets_.empty()) {
    return false;
  }
  const std::string_view close = state_ == State::kBlock ? "%}" : "}}";
  const char c = char_at(pos_);
  size_t end = pos_;
  if (c == '-' && starts_with(pos_ + 1, close)) {
    end = skip_spaces(pos_ + 3);
  } else if (state_ == State::kBlock && c == '+' && starts_with(pos_ + 1, close)) {
    end = pos_ + 3;
  } else if (starts_with(pos_, close)) {
    end = pos_ + 2;
    end += state_ == State::kBlock && char_at(end) == '\n' ? 1 : 0;
  } else {
    return false;
  }
  token.type = state_ == State::kBlock ? TokenType::kBlockEnd : TokenType::kVariableEnd;
  advance_to(end);
  state_ = State::kRoot;
  return true;
}

Status Lexer::next_in_tag(Token& token, bool& produced) {
  token.line = line_;
  produced = true;
  if (pos_ >= source_.size()) {
    token.type = TokenType::kEof;
    return {};
  }
  if (read_tag_end(token)) {
    return {};
  }
  if (const size_t end = skip_spaces(pos_); end != pos_) {
    advance_to(end);
    produced = false;
    return {};
  }
  const char c = source_[pos_];
  if (is_digit_char(c)) {
    return read_number(token);
  }
  if (is_name_start(c)) {
    size_t end = pos_;
    while (is_name_start(char_at(end)) || is_digit_char(char_at(end))) {
      const Utf8Char letter = decode_utf8(std::string_view(source_).substr(end));
      if (letter.code_point >= 0x80 && !is_alnum(letter.code_point) &&
          !is_case_ignorable(letter.code_point)) {
        break;
      }
      end += letter.length;
    }
    if (end == pos_) {
      return malformed("line {}: unexpected character in a tag", line_);
    }
    token.type = TokenType::kName;
    token.text = source_.substr(pos_, end - pos_);
    advance_to(end);
    return {};
  }
  if (c == '\'' || c == '"') {
    return read_string(token);
  }
  return read_operator(token);
}

Status Lexer::read_string(Token& token) {
  const char quote = source_[pos_];
  size_t end = pos_ + 1;
  while (end < source_.size() && source_[end] != quote) {
    end += source_[end] == '\\' ? 2 : 1;
  }
  if (end >= source_.size()) {
    return malformed("line {}: a string without its closing quote", line_);
  }
  const std::string_view body = std::string_view(source_).substr(pos_ + 1, end - pos_ - 1);
  token.type = TokenType::kString;
  for (size_t at = 0; at < body.size();) {
    if (body[at] != '\\') {
      token.text += body[at++];
      continue;
    }
    ++at;
    if (Status status = append_escape(body, at, token.text); !status.ok()) {
      return status.with_context(fmt::format("line {}", line_));
    }
  }
  advance_to(end + 1);
  return {};
}

// Digits that underscores may separate; the position after them.
size_t Lexer::skip_digits(size_t at) const {
  while (is_digit_char(char_at(at)) || (char_at(at) == '_' && is_digit_char(char_at(at + 1)))) {
    ++at;
  }
  return at;
}

bool Lexer::read_float(Token& token) {
  if (pos_ > 0 && source_[pos_ - 1] == '.') {
    return false;
  }
  size_t end = skip_digits(pos_);
  bool is_float = false;
  if (char_at(end) == '.' && is_digit_char(char_at(end + 1))) {
    end = skip_digits(end + 1);
    is_float = true;
  }
  if (char_at(end) == 'e' || char_at(end) == 'E') {
    const bool has_sign = char_at(end + 1) == '+' || char_at(end + 1) == '-';
    const size_t digits = end + (has_sign ? 2 : 1);
    if (is_digit_char(char_at(digits))) {
      end = skip_digits(digits);
      is_float = true;
    }
  }
  if (!is_float) {
    return false;
  }
  std::string digits = source_.substr(pos_, end - pos_);
  digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
  token.type = TokenType::kFloat;
  token.real = std::strtod(digits.c_str(), nullptr);
  advance_to(end);
  return true;
}

Status Lexer::read_number(Token& token) {
  if (read_float(token)) {
    return {};
  }
  const auto digit_in = [this](size_t at, int base) {
    const int digit = hex_digit(char_at(at));
    return digit >= 0 && digit < base;
  };
  size_t begin = pos_;
  int base = 10;
  if (source_[pos_] == '0') {
    const char letter = static_cast<char>(char_at(pos_ + 1) | 0x20);
    const int prefix = letter == 'b' ? 2 : letter == 'o' ? 8 : letter == 'x' ? 16 : 0;
    const size_t first = pos_ + 2 + (char_at(pos_ + 2) == '_' ? 1 : 0);
    if (prefix != 0 && digit_in(first, prefix)) {
      base = prefix;
      begin = pos_ + 2;
    }
  }
  // A decimal that begins with 0 is zeros only.
  const int limit = base == 10 && source_[pos_] == '0' ? 1 : base;
  size_t end = begin;
  std::string digits;
  while (digit_in(end, limit) || (char_at(end) == '_' && digit_in(end + 1, limit))) {
    if (source_[end] != '_') {
      digits += source_[end];
    }
    ++end;
  }
  const auto [stop, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), token.integer, base);
  if (error != std::errc() || stop != digits.data() + digits.size()) {
    return malformed("line {}: the integer {} does not fit 64 bits", line_, digits.substr(0, 40));
  }
  token.type = TokenType::kInteger;
  advance_to(end);
  return {};
}

Status Lexer::read_operator(Token& token) {
  static constexpr std::string_view kLong[] = {"**", "//", "==", "!=", ">=", "<="};
  static constexpr std::string_view kShort = "+-/*%~[](){}><=.:|,;";
  const char c = source_[pos_];
  size_t length = kShort.find(c) != kNpos ? 1 : 0;
  for (const std::string_view op : kLong) {
    length = starts_with(pos_, op) ? 2 : length;
  }
  if (length == 0) {
    return malformed("line {}: unexpected character '{}' in a tag", line_, c);
  }
  token.type = TokenType::kOperator;
  token.text = source_.substr(pos_, length);
  if (c == '{' || c == '(' || c == '[') {
    brackets_ += c == '{' ? '}' : c == '(' ? ')' : ']';
  } else if (c == '}' || c == ')' || c == ']') {
    if (brackets_.empty() || brackets_.back() != c) {
      return malformed("line {}: unexpected '{}'{}", line_, c,
                       brackets_.empty() ? "" : fmt::format(", expected '{}'", brackets_.back()));
    }
    brackets_.pop_back();
  }
  advance_to(pos_ + length);
  return {};
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

}  // namespace orrery::jinja
