// Names that come from files, for messages and terminals.
#pragma once

#include <string>
#include <string_view>

namespace orrery::weights {

// `text` with invalid UTF-8 and control characters (terminal escapes among them) made harmless, cut
// after 120 bytes.
std::string printable(std::string_view text);

// Valid UTF-8 without control characters, 1 to `max_bytes` long: what we accept as the name of a
// tensor or of a metadata key.
bool is_plain_name(std::string_view text, size_t max_bytes);

}  // namespace orrery::weights
