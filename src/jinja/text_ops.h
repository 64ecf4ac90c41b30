// Python's str methods, over text with provenance. Pure functions; positions are in bytes.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "jinja/value.h"

namespace orrery::jinja {

enum class Case : uint8_t { kUpper, kLower, kTitle, kCapitalize, kSwap };
Text change_case(const Text& text, Case to);
// The title filter of Jinja, whose words begin after spaces, hyphens and brackets.
Text title_filter(const Text& text);

enum Sides : uint8_t { kLeft = 1, kRight = 2, kBoth = 3 };
// Without `chars`: whitespace.
Text strip(const Text& text, const std::optional<std::string_view>& chars, Sides sides);
// At most `count` replacements, all if negative. Python's: an empty `from` stands between all
// characters.
Text replace(const Text& text, const Text& from, const Text& to, int64_t count);
// In linear time; npos if it is not there.
size_t find_text(std::string_view text, std::string_view what, size_t from = 0);
// How often `what` (not empty) occurs, without overlap; at most `limit` if that is not negative.
size_t count_occurrences(std::string_view text, std::string_view what, int64_t limit = -1);
std::vector<Text> split_space(const Text& text, int64_t max_splits, bool from_right);
std::vector<Text> split(const Text& text, std::string_view separator, int64_t max_splits,
                        bool from_right);
std::vector<Text> split_lines(const Text& text, bool keep_ends);
Text reversed(const Text& text);
// `left` and `right` times `fill` around the text.
Text padded(const Text& text, size_t left, size_t right, std::string_view fill);
Text escape_html(const Text& text);
size_t count_characters(std::string_view text);

}  // namespace orrery::jinja
