// UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF (Unicode 15, table
// 3-7).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace orrery {

inline constexpr char32_t kReplacementCharacter = 0xFFFD;

struct Utf8Char {
  char32_t code_point;  // kReplacementCharacter if the bytes are not valid
  uint8_t length;  // bytes consumed, at least 1; for invalid bytes, those of the maximal ill-formed
                   // subpart
  bool valid;
};

// The character that starts at text[0]; text must not be empty.
Utf8Char decode_utf8(std::string_view text);

void append_utf8(char32_t code_point, std::string& out);

bool is_valid_utf8(std::string_view text);

// Each maximal ill-formed subpart becomes one U+FFFD, as Python's bytes.decode(errors="replace")
// does.
std::string replace_invalid_utf8(std::string_view text);

// Bytes at the end of `text` that begin a character but do not complete it (0 to 3): what a stream
// holds back.
size_t incomplete_utf8_suffix(std::string_view text);

}  // namespace orrery
