// What Python's str knows about code points: classes and case mappings. Pure functions.
#pragma once

#include <string>

namespace orrery::jinja {

bool is_alpha(char32_t c);
bool is_decimal(char32_t c);
bool is_digit(char32_t c);
bool is_numeric(char32_t c);
bool is_printable(char32_t c);
bool is_upper(char32_t c);
bool is_lower(char32_t c);
bool is_titlecase(char32_t c);  // the four digraphs and the Greek iota-adscript capitals
bool is_case_ignorable(char32_t c);
bool is_space(char32_t c);  // str.isspace, which is also \s of Python's re
inline bool is_alnum(char32_t c) {
  return is_alpha(c) || is_decimal(c) || is_digit(c) || is_numeric(c);
}
inline bool is_cased(char32_t c) { return is_upper(c) || is_lower(c) || is_titlecase(c); }

// Full mappings (one character may become three), without context: final sigma is the caller's.
void append_upper(char32_t c, std::string& out);
void append_lower(char32_t c, std::string& out);
void append_title(char32_t c, std::string& out);

}  // namespace orrery::jinja
