#include "tokenizer/pattern.h"

namespace orrery::tokenizer {
namespace {

// \s+$ with $ before every line end: each run of spaces is looked at once. A match reaches to the
// end of the text, or to before the last \n of the run that is not its first character.
Regex::Match find_trailing_space(std::string_view text, size_t from) {
  for (size_t pos = from; pos < text.size();) {
    const size_t begin = pos;
    if (!is_space(next_char(text, pos))) continue;
    size_t last_line = 0;
    while (pos < text.size()) {
      size_t next = pos;
      if (!is_space(next_char(text, next))) break;
      if (text[pos] == '\n') last_line = pos;
      pos = next;
    }
    if (pos == text.size()) return {true, begin, pos};
    if (last_line > begin) return {true, begin, last_line};
  }
  return {};
}

}  // namespace

Pattern Pattern::literal(std::string text) {
  Pattern pattern;
  pattern.literal_ = std::move(text);
  return pattern;
}

Pattern Pattern::scanner(const ScanStyle& style) {
  Pattern pattern;
  pattern.kind_ = Kind::kScanner;
  pattern.style_ = style;
  return pattern;
}

Result<Pattern> Pattern::regex(std::string_view expression, std::string_view where) {
  if (const auto style = recognise_pattern(expression)) return scanner(*style);
  Pattern pattern;
  if (expression == R"(\s+$)") {
    pattern.kind_ = Kind::kTrailingSpace;
    return pattern;
  }
  pattern.kind_ = Kind::kRegex;
  ASSIGN_OR_RETURN(pattern.regex_, Regex::compile(expression, where));
  return pattern;
}

Result<Regex::Match> Pattern::find(std::string_view text, size_t from) const {
  switch (kind_) {
    case Kind::kLiteral: {
      const size_t begin = literal_.empty() ? std::string_view::npos : text.find(literal_, from);
      if (begin == std::string_view::npos) return Regex::Match{};
      return Regex::Match{true, begin, begin + literal_.size()};
    }
    case Kind::kScanner:
      if (from >= text.size()) return Regex::Match{};
      return Regex::Match{true, from, scan_function(*style_)(*style_, text, from)};
    case Kind::kTrailingSpace:
      return find_trailing_space(text, from);
    case Kind::kRegex:
      break;
  }
  return regex_->find(text, from);
}

}  // namespace orrery::tokenizer
