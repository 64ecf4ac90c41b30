// What a Split or a Replace looks for: a string, a regular expression, or one of two expressions
// that are matched by hand because a backtracking matcher needs quadratic time on them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tokenizer/regex.h"
#include "tokenizer/scanner.h"

namespace orrery::tokenizer {

class Pattern {
 public:
  static Pattern literal(std::string text);
  static Pattern scanner(const ScanStyle& style);
  // Oniguruma's syntax; known expressions become scanners.
  static Result<Pattern> regex(std::string_view expression, std::string_view where);

  // The leftmost match at or after `from` in valid UTF-8; may be empty.
  Result<Regex::Match> find(std::string_view text, size_t from) const;

  const std::optional<ScanStyle>& scan_style() const { return style_; }
  bool is_literal() const { return kind_ == Kind::kLiteral; }
  const std::string& literal_text() const { return literal_; }

 private:
  enum class Kind { kLiteral, kScanner, kTrailingSpace, kRegex };
  Kind kind_ = Kind::kLiteral;
  std::string literal_;
  std::optional<ScanStyle> style_;
  std::optional<Regex> regex_;
};

// Calls emit(match begin, match end) for all matches in order, without overlaps, an empty match at
// most once per place.
template <typename Emit>
Status for_each_match(const Pattern& pattern, std::string_view text, const Emit& emit);

}  // namespace orrery::tokenizer

#include "tokenizer/unicode.h"

namespace orrery::tokenizer {

template <typename Emit>
Status for_each_match(const Pattern& pattern, std::string_view text, const Emit& emit) {
  size_t from = 0;
  size_t last_end = SIZE_MAX;
  while (from <= text.size()) {
    ASSIGN_OR_RETURN(const Regex::Match match, pattern.find(text, from));
    if (!match.found) break;
    if (match.begin != match.end || match.begin != last_end) emit(match.begin, match.end);
    last_end = match.end;
    from = match.end;
    if (match.begin == match.end) from += from < text.size() ? char_length(text[from]) : 1;
  }
  return {};
}

}  // namespace orrery::tokenizer
