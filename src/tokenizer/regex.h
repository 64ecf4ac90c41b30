// Regular expressions of tokenizer files, run by PCRE2 with JIT.
//
// tokenizer.json is written for Oniguruma with Ruby syntax, whose meaning differs from PCRE2's in
// places where both accept the pattern: class intersection `[a-z&&[^c]]`, nested classes, `\h`
// (hexadecimal), `\w`, `\v`, line anchors, `{n,m}+`, script properties. translate_oniguruma()
// rewrites these and refuses whatever it does not know, so that no pattern is silently misread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace orrery::tokenizer {

// The PCRE2 pattern (for UTF | UCP | MULTILINE) with the meaning that `pattern` has in Oniguruma.
// Errors: kUnsupported naming the construct and its offset.
Result<std::string> translate_oniguruma(std::string_view pattern, std::string_view where);

class Regex {
 public:
  // From Oniguruma's syntax. Errors: kUnsupported, kMalformed.
  static Result<Regex> compile(std::string_view pattern, std::string_view where);
  // From PCRE2's own syntax.
  static Result<Regex> compile_pcre2(const std::string& pattern, std::string_view where);

  struct Match {
    bool found = false;
    size_t begin = 0, end = 0;
  };
  // The leftmost match that starts at or after `from`. `text` must be valid UTF-8. Errors:
  // kResourceExhausted if PCRE2's match limit (1,000,000 per start) is exceeded. Thread-safe.
  Result<Match> find(std::string_view text, size_t from) const;

 private:
  explicit Regex(std::shared_ptr<void> code) : code_(std::move(code)) {}
  std::shared_ptr<void> code_;  // pcre2_code
};

}  // namespace orrery::tokenizer
