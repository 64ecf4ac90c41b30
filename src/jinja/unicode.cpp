#include "jinja/unicode.h"

#include <algorithm>

#include "base/utf8.h"
#include "jinja/unicode_tables.h"

namespace orrery::jinja {
namespace {

template <typename Range>
const Range* find(const Range* table, size_t size, char32_t c) {
  const Range* end = table + size;
  const Range* it = std::upper_bound(
      table, end, c, [](char32_t value, const Range& range) { return value < range.first; });
  if (it == table) {
    return nullptr;
  }
  --it;
  const bool inside = c <= it->last && (c - it->first) % it->stride == 0;
  return inside ? it : nullptr;
}

struct CaseTable {
  const CaseRange* ranges;
  size_t size;
  const CaseSpecial* specials;
  size_t specials_size;
};

void append_mapped(const CaseTable& table, char32_t c, std::string& out) {
  if (const CaseRange* range = find(table.ranges, table.size, c)) {
    append_utf8(static_cast<char32_t>(static_cast<int64_t>(c) + range->delta), out);
    return;
  }
  const CaseSpecial* end = table.specials + table.specials_size;
  const CaseSpecial* special = std::lower_bound(
      table.specials, end, c,
      [](const CaseSpecial& entry, char32_t value) { return entry.code_point < value; });
  if (special != end && special->code_point == c) {
    out += special->utf8;
    return;
  }
  append_utf8(c, out);
}

}  // namespace

bool is_alpha(char32_t c) {
  if (c < 0x80) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  }
  return find(kAlpha, kAlpha_size, c) != nullptr;
}
bool is_decimal(char32_t c) {
  return c < 0x80 ? c >= '0' && c <= '9' : find(kDecimal, kDecimal_size, c) != nullptr;
}
bool is_digit(char32_t c) {
  return c < 0x80 ? c >= '0' && c <= '9' : find(kDigit, kDigit_size, c) != nullptr;
}
bool is_numeric(char32_t c) {
  return c < 0x80 ? c >= '0' && c <= '9' : find(kNumeric, kNumeric_size, c) != nullptr;
}
bool is_printable(char32_t c) {
  return c < 0x7F ? c >= 0x20 : find(kUnprintable, kUnprintable_size, c) == nullptr;
}
bool is_upper(char32_t c) {
  return c < 0x80 ? c >= 'A' && c <= 'Z' : find(kUpper, kUpper_size, c) != nullptr;
}
bool is_lower(char32_t c) {
  return c < 0x80 ? c >= 'a' && c <= 'z' : find(kLower, kLower_size, c) != nullptr;
}
bool is_titlecase(char32_t c) {
  return c == 0x1C5 || c == 0x1C8 || c == 0x1CB || c == 0x1F2 || (c >= 0x1F88 && c <= 0x1F8F) ||
         (c >= 0x1F98 && c <= 0x1F9F) || (c >= 0x1FA8 && c <= 0x1FAF) || c == 0x1FBC ||
         c == 0x1FCC || c == 0x1FFC;
}
bool is_case_ignorable(char32_t c) {
  return find(kCaseIgnorable, kCaseIgnorable_size, c) != nullptr;
}
bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

void append_upper(char32_t c, std::string& out) {
  if (c < 0x80) {
    out += static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
    return;
  }
  append_mapped({kToUpper, kToUpper_size, kToUpperSpecial, kToUpperSpecial_size}, c, out);
}
void append_lower(char32_t c, std::string& out) {
  if (c < 0x80) {
    out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    return;
  }
  append_mapped({kToLower, kToLower_size, kToLowerSpecial, kToLowerSpecial_size}, c, out);
}
void append_title(char32_t c, std::string& out) {
  if (c < 0x80) {
    append_upper(c, out);
    return;
  }
  append_mapped({kToTitle, kToTitle_size, kToTitleSpecial, kToTitleSpecial_size}, c, out);
}

}  // namespace orrery::jinja
