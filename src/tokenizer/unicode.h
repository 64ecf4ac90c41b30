// What the tokenizers need of Unicode: classes of characters, lower case, normal forms, and the
// byte-level alphabet of GPT-2. Data from utf8proc. Functions are pure.
#pragma once

#include <utf8proc.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace orrery::tokenizer {

// Decodes the character at text[pos]; `text` must be valid UTF-8. Advances pos.
inline char32_t next_char(std::string_view text, size_t& pos) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[pos + i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) {
    ++pos;
    return lead;
  }
  if (lead < 0xE0) {
    const char32_t c = (lead & 0x1Fu) << 6 | (byte(1) & 0x3Fu);
    pos += 2;
    return c;
  }
  if (lead < 0xF0) {
    const char32_t c = (lead & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
    pos += 3;
    return c;
  }
  const char32_t c =
      (lead & 0x07u) << 18 | (byte(1) & 0x3Fu) << 12 | (byte(2) & 0x3Fu) << 6 | (byte(3) & 0x3Fu);
  pos += 4;
  return c;
}

// Bytes of the character that `lead` begins, in valid UTF-8.
inline size_t char_length(char lead) {
  const auto byte = static_cast<uint8_t>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

inline utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

// General categories L*, N*, M*, P*.
inline bool is_letter(char32_t c) {
  const int k = category(c);
  return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}
inline bool is_number(char32_t c) {
  const int k = category(c);
  return k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO;
}
inline bool is_mark(char32_t c) {
  const int k = category(c);
  return k >= UTF8PROC_CATEGORY_MN && k <= UTF8PROC_CATEGORY_ME;
}
inline bool is_punctuation(char32_t c) {
  const int k = category(c);
  return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO;
}

// The property White_Space, which is \s of the regular expressions and Rust's char::is_whitespace.
inline bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_word(char32_t c);                         // \w of Rust's regex crate
bool is_bert_punctuation(char32_t c);             // P* and all ASCII signs
void append_lower(char32_t c, std::string& out);  // full mapping, as Rust's char::to_lowercase

enum class NormalForm : uint8_t { kNfc, kNfd, kNfkc, kNfkd };

// Normalises valid UTF-8 in chunks that no composition or reordering crosses: calls
// emit(normalized chunk, begin, end) with the range of `text` that the chunk came from, in order.
// Linear up to sorting runs of combining marks (utf8proc's own ordering is quadratic in such runs).
class Normalizer {
 public:
  explicit Normalizer(NormalForm form) : form_(form) {}
  template <typename Emit>
  void run(std::string_view text, const Emit& emit);

 private:
  // Appends the decomposition of c; true if it begins a new chunk.
  bool decompose(char32_t c, std::u32string& out) const;
  void finish_chunk(std::u32string& chunk, std::string& out) const;

  NormalForm form_;
};

std::string normalize(std::string_view text, NormalForm form);

// GPT-2's alphabet: a printable character for each byte, so that byte strings can be spelled in
// JSON.
char32_t byte_to_char(uint8_t byte);
int char_to_byte(char32_t c);  // -1 if c is not in the alphabet
void append_byte_level(std::string_view bytes, std::string& out);
// False, and `out` unchanged, if a character of `spelling` is not in the alphabet.
bool decode_byte_level(std::string_view spelling, std::string& out);

template <typename Emit>
void Normalizer::run(std::string_view text, const Emit& emit) {
  std::u32string chunk;  // decomposed
  std::u32string next;
  std::string encoded;
  size_t chunk_begin = 0;
  const auto flush = [&](size_t end) {
    if (chunk.empty()) return;
    encoded.clear();
    finish_chunk(chunk, encoded);
    emit(std::string_view(encoded), chunk_begin, end);
    chunk.clear();
  };
  for (size_t pos = 0; pos < text.size();) {
    const size_t begin = pos;
    // A run of ASCII: only its last character can combine with what follows.
    while (pos < text.size() && static_cast<uint8_t>(text[pos]) < 0x80) ++pos;
    if (pos > begin) {
      flush(begin);
      if (pos - begin > 1) emit(text.substr(begin, pos - 1 - begin), begin, pos - 1);
      chunk_begin = pos - 1;
      chunk.assign(1, static_cast<uint8_t>(text[pos - 1]));
      continue;
    }
    next.clear();
    if (decompose(next_char(text, pos), next)) {
      flush(begin);
      chunk_begin = begin;
    } else if (chunk.empty()) {
      chunk_begin = begin;
    }
    chunk += next;
  }
  flush(text.size());
}

}  // namespace orrery::tokenizer
