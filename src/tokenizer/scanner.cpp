#include "tokenizer/scanner.h"

#include <fmt/format.h>

#include <array>

#include "tokenizer/unicode.h"

namespace orrery::tokenizer {
namespace {

enum Kind : uint8_t {
  kSign = 0,      // nothing of the others
  kUpper = 1,     // Lu Lt
  kLower = 2,     // Ll
  kCaseless = 4,  // Lm Lo
  kMark = 8,
  kNumber = 16,
  kBlank = 32,
};
constexpr uint8_t kLetter = kUpper | kLower | kCaseless;
constexpr uint8_t kHead = kUpper | kCaseless | kMark;  // o200k: what a word begins with
constexpr uint8_t kTail = kLower | kCaseless | kMark;  // and what it goes on with

constexpr std::array<uint8_t, 30> kKindOfCategory = {
    kSign,                                            // Cn
    kUpper,  kLower,  kUpper,  kCaseless, kCaseless,  // Lu Ll Lt Lm Lo
    kMark,   kMark,   kMark,                          // Mn Mc Me
    kNumber, kNumber, kNumber,                        // Nd Nl No
};

constexpr std::array<uint8_t, 128> make_ascii() {
  std::array<uint8_t, 128> kinds{};
  for (char c = 'a'; c <= 'z'; ++c) kinds[static_cast<size_t>(c)] = kLower;
  for (char c = 'A'; c <= 'Z'; ++c) kinds[static_cast<size_t>(c)] = kUpper;
  for (char c = '0'; c <= '9'; ++c) kinds[static_cast<size_t>(c)] = kNumber;
  for (char c = '\t'; c <= '\r'; ++c) kinds[static_cast<size_t>(c)] = kBlank;
  kinds[' '] = kBlank;
  return kinds;
}
constexpr std::array<uint8_t, 128> kAscii = make_ascii();

uint8_t kind_of(char32_t c) {
  return is_space(c) ? static_cast<uint8_t>(kBlank) : kKindOfCategory[category(c)];
}

// The kind of the character at `pos`; `end` becomes its end.
inline uint8_t kind_at(std::string_view text, size_t pos, size_t& end) {
  const auto byte = static_cast<uint8_t>(text[pos]);
  if (byte < 0x80) {
    end = pos + 1;
    return kAscii[byte];
  }
  end = pos;
  return kind_of(next_char(text, end));
}

// The end of the run of kinds in `mask` from pos (kSign if mask is 0).
template <uint8_t mask>
inline size_t run_end(std::string_view text, size_t pos) {
  while (pos < text.size()) {
    size_t end = 0;
    const uint8_t kind = kind_at(text, pos, end);
    if (mask == 0 ? kind != kSign : (kind & mask) == 0) break;
    pos = end;
  }
  return pos;
}
// [^\s\p{L}\p{N}]+
inline size_t sign_end(std::string_view text, size_t pos) {
  while (pos < text.size()) {
    size_t end = 0;
    if ((kind_at(text, pos, end) & (kLetter | kNumber | kBlank)) != 0) break;
    pos = end;
  }
  return pos;
}

bool is_line_end(char c) { return c == '\r' || c == '\n'; }

// \s+(?!\S)|\s+ : a run of spaces, without the last if a word follows.
size_t blank_end(std::string_view text, size_t pos) {
  size_t last = pos;  // begin of the last space
  size_t end = pos;
  while (end < text.size()) {
    size_t next = 0;
    if (kind_at(text, end, next) != kBlank) break;
    last = end;
    end = next;
  }
  return end < text.size() && last > pos ? last : end;
}

// \s*[\r\n]+|\s+(?!\S)|\s+ : up to the last line end of the run, if there is one.
size_t blank_or_line_end(std::string_view text, size_t pos) {
  size_t last = pos;
  size_t line = 0;
  size_t end = pos;
  while (end < text.size()) {
    size_t next = 0;
    if (kind_at(text, end, next) != kBlank) break;
    if (is_line_end(text[end])) line = next;
    last = end;
    end = next;
  }
  if (line != 0) return line;
  return end < text.size() && last > pos ? last : end;
}

// 's|'t|'re|'ve|'m|'ll|'d at pos; 0 if there is none. Without case, U+017F is an s too.
template <bool caseless>
size_t contraction_end(std::string_view text, size_t pos) {
  if (pos + 1 >= text.size() || text[pos] != '\'') return 0;
  const auto at = [&](size_t i) {
    if (i >= text.size()) return '\0';
    return caseless && text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] | 0x20)
                                                        : text[i];
  };
  const char a = at(pos + 1);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return pos + 2;
  const char b = at(pos + 2);
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return pos + 3;
  if (caseless && a == '\xC5' && b == '\xBF') return pos + 3;
  return 0;
}

size_t scan_gpt2(const ScanStyle&, std::string_view text, size_t pos) {
  if (const size_t end = contraction_end<false>(text, pos); end != 0) return end;
  size_t end = 0;
  uint8_t kind = kind_at(text, pos, end);
  if (text[pos] == ' ' && pos + 1 < text.size()) {
    const uint8_t next = kind_at(text, pos + 1, end);
    if (next == kBlank) return blank_end(text, pos);
    kind = next;
  }
  if ((kind & kLetter) != 0) return run_end<kLetter>(text, end);
  if (kind == kNumber) return run_end<kNumber>(text, end);
  if (kind == kBlank) return blank_end(text, pos);
  return sign_end(text, end);
}

size_t digits_end(std::string_view text, size_t end, uint32_t max_digits) {
  for (uint32_t n = 1; n < max_digits && end < text.size(); ++n) {
    size_t next = 0;
    if (kind_at(text, end, next) != kNumber) break;
    end = next;
  }
  return end;
}

// What cl100k and o200k share after words and numbers: ` ?[^\s\p{L}\p{N}]+[\r\n]*` and spaces.
size_t scan_signs(std::string_view text, size_t pos, bool slash) {
  const size_t begin = text[pos] == ' ' ? pos + 1 : pos;
  size_t end = sign_end(text, begin);
  if (end == begin) return blank_or_line_end(text, pos);
  while (end < text.size() && (is_line_end(text[end]) || (slash && text[end] == '/'))) ++end;
  return end;
}

size_t scan_cl100k(const ScanStyle& style, std::string_view text, size_t pos) {
  if (const size_t end = contraction_end<true>(text, pos); end != 0) return end;
  size_t end = 0;
  const uint8_t kind = kind_at(text, pos, end);
  if ((kind & kLetter) != 0) return run_end<kLetter>(text, end);
  if (kind == kNumber) return digits_end(text, end, style.max_digits);
  if (!is_line_end(text[pos]) && end < text.size()) {
    size_t next = 0;
    if ((kind_at(text, end, next) & kLetter) != 0) return run_end<kLetter>(text, next);
  }
  return scan_signs(text, pos, false);
}

// [head]*[tail]+ from pos, else [head]+[tail]* ; pos itself if neither matches.
size_t word_end(std::string_view text, size_t pos, bool& first_form) {
  size_t end = pos;
  size_t after_tail = 0;  // end of the last character of the head that is also a tail
  first_form = true;
  while (end < text.size()) {
    size_t next = 0;
    const uint8_t kind = kind_at(text, end, next);
    if ((kind & kHead) == 0) {
      if (kind == kLower) return run_end<kTail>(text, next);
      break;
    }
    end = next;
    if ((kind & kTail) != 0) after_tail = end;
  }
  if (after_tail != 0) return after_tail;
  first_form = false;
  return end;
}

size_t scan_o200k(const ScanStyle& style, std::string_view text, size_t pos) {
  size_t end = 0;
  const uint8_t kind = kind_at(text, pos, end);
  if (kind == kNumber) return digits_end(text, end, style.max_digits);
  bool first_form = false;
  size_t word = 0;
  if ((kind & kLetter) != 0) {
    word = word_end(text, pos, first_form);
  } else if (!is_line_end(text[pos])) {
    // The optional sign before a word. A mark may also begin the word itself: the second form with
    // the sign is tried only after the first form without it.
    word = word_end(text, end, first_form);
    if (word == end) word = 0;
    if (kind == kMark && !first_form) word = word_end(text, pos, first_form);
  }
  if (word != 0) {
    const size_t longer = style.contractions ? contraction_end<true>(text, word) : 0;
    return longer != 0 ? longer : word;
  }
  return scan_signs(text, pos, style.slash);
}

constexpr std::string_view kContractions = "'s|'t|'re|'ve|'m|'ll|'d";

std::string digits_pattern(uint32_t max_digits) {
  if (max_digits == 1) return R"(\p{N})";
  if (max_digits == UINT32_MAX) return R"(\p{N}+)";
  return fmt::format(R"(\p{{N}}{{1,{}}})", max_digits);
}

}  // namespace

std::string scan_pattern(const ScanStyle& style) {
  const std::string spaces = R"(\s+(?!\S)|\s+)";
  const std::string digits = digits_pattern(style.max_digits);
  switch (style.family) {
    case ScanStyle::Family::kGpt2:
      return fmt::format(R"({}| ?\p{{L}}+| ?\p{{N}}+| ?[^\s\p{{L}}\p{{N}}]+|{})", kContractions,
                         spaces);
    case ScanStyle::Family::kCl100k:
      return fmt::format(
          R"((?i:{})|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|{})",
          kContractions, digits, spaces);
    case ScanStyle::Family::kO200k:
      break;
  }
  const std::string_view head = R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])";
  const std::string_view tail = R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])";
  const std::string ending = style.contractions ? fmt::format("(?i:{})?", kContractions) : "";
  return fmt::format(
      R"([^\r\n\p{{L}}\p{{N}}]?{0}*{1}+{2}|[^\r\n\p{{L}}\p{{N}}]?{0}+{1}*{2}|{3}| ?[^\s\p{{L}}\p{{N}}]+[\r\n{4}]*|\s*[\r\n]+|{5})",
      head, tail, ending, digits, style.slash ? "/" : "", spaces);
}

std::optional<ScanStyle> recognise_pattern(std::string_view pattern) {
  using Family = ScanStyle::Family;
  const ScanStyle gpt2;
  if (pattern == scan_pattern(gpt2) ||
      pattern == R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)") {
    return gpt2;
  }
  // GPT-4's tokenizer.json spells the contractions as a class, with possessive quantifiers that
  // change nothing.
  if (pattern ==
          R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)" ||
      pattern ==
          R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)") {
    return ScanStyle{Family::kCl100k, 3, false, true};
  }
  for (const uint32_t digits : {1u, 2u, 3u, UINT32_MAX}) {
    const ScanStyle cl100k{Family::kCl100k, digits, false, true};
    if (pattern == scan_pattern(cl100k)) return cl100k;
    for (const bool slash : {false, true}) {
      for (const bool contractions : {false, true}) {
        const ScanStyle o200k{Family::kO200k, digits, slash, contractions};
        if (pattern == scan_pattern(o200k)) return o200k;
      }
    }
  }
  return std::nullopt;
}

ScanFunction scan_function(const ScanStyle& style) {
  switch (style.family) {
    case ScanStyle::Family::kGpt2:
      return scan_gpt2;
    case ScanStyle::Family::kCl100k:
      return scan_cl100k;
    case ScanStyle::Family::kO200k:
      return scan_o200k;
  }
  return scan_gpt2;
}

}  // namespace orrery::tokenizer
