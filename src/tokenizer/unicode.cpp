#include "tokenizer/unicode.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/utf8.h"

namespace orrery::tokenizer {
namespace {

// Vowels and trailing consonants of Hangul compose with what precedes them although their
// combining class is 0.
bool is_trailing_jamo(char32_t c) {
  return (c >= 0x1161 && c <= 0x1175) || (c >= 0x11A8 && c <= 0x11C2);
}

int combining_class(char32_t c) {
  return utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class;
}

struct ByteAlphabet {
  std::array<char16_t, 256> to_char{};
  std::array<int16_t, 0x144> to_byte{};
  ByteAlphabet() {
    to_byte.fill(-1);
    char16_t extra = 0x100;
    for (int b = 0; b < 256; ++b) {
      const bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      to_char[b] = printable ? static_cast<char16_t>(b) : extra++;
      to_byte[to_char[b]] = static_cast<int16_t>(b);
    }
  }
};

const ByteAlphabet& byte_alphabet() {
  static const ByteAlphabet alphabet;
  return alphabet;
}

}  // namespace

bool is_word(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      // Join_Control, and the circled and squared letters, which are alphabetic symbols.
      return c == 0x200C || c == 0x200D || (c >= 0x24B6 && c <= 0x24E9) ||
             (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
             (c >= 0x1F170 && c <= 0x1F189);
  }
}

bool is_bert_punctuation(char32_t c) {
  if (c < 0x80) {
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
  }
  return is_punctuation(c);
}

void append_lower(char32_t c, std::string& out) {
  if (c == 0x130) {  // the only character whose lower case is two
    out += "i\xCC\x87";
    return;
  }
  append_utf8(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))), out);
}

bool Normalizer::decompose(char32_t c, std::u32string& out) const {
  const bool compatibility = form_ == NormalForm::kNfkc || form_ == NormalForm::kNfkd;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
                                                      (compatibility ? UTF8PROC_COMPAT : 0));
  std::array<utf8proc_int32_t, 32> buffer;  // the longest decomposition has 18 characters
  int boundary = 0;
  const utf8proc_ssize_t n = utf8proc_decompose_char(
      static_cast<utf8proc_int32_t>(c), buffer.data(), buffer.size(), options, &boundary);
  if (n <= 0 || n > static_cast<utf8proc_ssize_t>(buffer.size())) {
    out += c;
  } else {
    out.append(buffer.begin(), buffer.begin() + n);
  }
  return !is_mark(out[0]) && combining_class(out[0]) == 0 && !is_trailing_jamo(out[0]);
}

void Normalizer::finish_chunk(std::u32string& chunk, std::string& out) const {
  // Canonical ordering: each run of marks stably by combining class.
  for (auto begin = chunk.begin(); begin != chunk.end();) {
    if (combining_class(*begin) == 0) {
      ++begin;
      continue;
    }
    auto end = begin;
    while (end != chunk.end() && combining_class(*end) != 0) ++end;
    std::stable_sort(
        begin, end, [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    begin = end;
  }
  size_t size = chunk.size();
  const bool compose = form_ == NormalForm::kNfc || form_ == NormalForm::kNfkc;
  if (compose && size > 1) {
    static_assert(sizeof(char32_t) == sizeof(utf8proc_int32_t));
    const utf8proc_ssize_t n = utf8proc_normalize_utf32(
        reinterpret_cast<utf8proc_int32_t*>(chunk.data()), static_cast<utf8proc_ssize_t>(size),
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    CHECK(n >= 0) << "composing valid characters cannot fail";
    size = static_cast<size_t>(n);
  }
  for (size_t i = 0; i < size; ++i) append_utf8(chunk[i], out);
}

std::string normalize(std::string_view text, NormalForm form) {
  std::string out;
  out.reserve(text.size());
  Normalizer(form).run(text, [&](std::string_view part, size_t, size_t) { out += part; });
  return out;
}

char32_t byte_to_char(uint8_t byte) { return byte_alphabet().to_char[byte]; }

int char_to_byte(char32_t c) {
  const ByteAlphabet& alphabet = byte_alphabet();
  return c < alphabet.to_byte.size() ? alphabet.to_byte[c] : -1;
}

void append_byte_level(std::string_view bytes, std::string& out) {
  for (const char byte : bytes) append_utf8(byte_to_char(static_cast<uint8_t>(byte)), out);
}

bool decode_byte_level(std::string_view spelling, std::string& out) {
  const size_t size = out.size();
  for (size_t pos = 0; pos < spelling.size();) {
    const int byte = char_to_byte(next_char(spelling, pos));
    if (byte < 0) {
      out.resize(size);
      return false;
    }
    out += static_cast<char>(byte);
  }
  return true;
}

}  // namespace orrery::tokenizer
