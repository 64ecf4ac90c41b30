// Base64 (RFC 4648, section 4): tiktoken ranks and SentencePiece character maps inside JSON.
#pragma once

#include <string>
#include <string_view>

namespace orrery::tokenizer {

// Replaces `out` with the decoded bytes. False if `text` is not padded base64; unused bits of the
// last character must be zero.
bool decode_base64(std::string_view text, std::string& out);

}  // namespace orrery::tokenizer
