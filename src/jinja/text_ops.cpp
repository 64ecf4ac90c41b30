#include "jinja/text_ops.h"

#include <algorithm>
#include <cstring>

#include "base/utf8.h"
#include "jinja/unicode.h"

namespace orrery::jinja {
namespace {

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// The character that ends at `end` > 0, and where it begins.
char32_t character_before(std::string_view text, size_t end, size_t& begin) {
  begin = end - 1;
  while (begin > 0 && continues(text[begin])) {
    --begin;
  }
  return decode_utf8(text.substr(begin, end - begin)).code_point;
}

// Unicode's final-sigma rule, for the capital sigma at [at, at + 2).
bool is_final_sigma(std::string_view text, size_t at) {
  bool cased_before = false;
  for (size_t end = at; end > 0;) {
    size_t begin = 0;
    const char32_t c = character_before(text, end, begin);
    if (!is_case_ignorable(c)) {
      cased_before = is_cased(c);
      break;
    }
    end = begin;
  }
  if (!cased_before) {
    return false;
  }
  for (size_t next = at + 2; next < text.size();) {
    const Utf8Char c = decode_utf8(text.substr(next));
    if (!is_case_ignorable(c.code_point)) {
      return !is_cased(c.code_point);
    }
    next += c.length;
  }
  return true;
}

void append_lower_at(std::string_view text, size_t at, char32_t c, std::string& out) {
  constexpr char32_t kCapitalSigma = 0x3A3;
  if (c == kCapitalSigma && is_final_sigma(text, at)) {
    append_utf8(0x3C2, out);
  } else {
    append_lower(c, out);
  }
}

// The characters that strip() takes off: those given, or whitespace.
class CharSet {
 public:
  explicit CharSet(const std::optional<std::string_view>& chars) : spaces_(!chars) {
    for (size_t at = 0; chars && at < chars->size();) {
      const Utf8Char c = decode_utf8(chars->substr(at));
      members_.push_back(c.code_point);
      at += c.length;
    }
    std::sort(members_.begin(), members_.end());
  }
  bool has(char32_t c) const {
    return spaces_ ? is_space(c) : std::binary_search(members_.begin(), members_.end(), c);
  }

 private:
  bool spaces_;
  std::vector<char32_t> members_;
};

ByteRange strip_range(std::string_view bytes, ByteRange range, const CharSet& chars, Sides sides) {
  while ((sides & kLeft) != 0 && range.begin < range.end) {
    const Utf8Char c = decode_utf8(bytes.substr(range.begin));
    if (!chars.has(c.code_point)) {
      break;
    }
    range.begin += c.length;
  }
  while ((sides & kRight) != 0 && range.end > range.begin) {
    size_t last = 0;
    if (!chars.has(character_before(bytes, range.end, last))) {
      break;
    }
    range.end = last;
  }
  return range;
}

bool is_line_break(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

}  // namespace

Text change_case(const Text& text, Case to) {
  Text out;
  out.reserve(text.size());
  const std::string_view bytes = text.view();
  bool in_word = false;  // for titles; for capitalize: past the first character
  std::string mapped;
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Char c = decode_utf8(bytes.substr(at));
    mapped.clear();
    if (to == Case::kUpper || (to == Case::kSwap && is_lower(c.code_point))) {
      append_upper(c.code_point, mapped);
    } else if (to == Case::kLower || (to == Case::kSwap && is_upper(c.code_point)) || in_word) {
      append_lower_at(bytes, at, c.code_point, mapped);
    } else if (to == Case::kSwap) {
      append_utf8(c.code_point, mapped);
    } else {
      append_title(c.code_point, mapped);
    }
    in_word = to == Case::kCapitalize || (to == Case::kTitle && is_cased(c.code_point));
    out.append(mapped, text.any_untrusted(at, at + c.length));
    at += c.length;
  }
  return out;
}

Text title_filter(const Text& text) {
  Text out;
  out.reserve(text.size());
  const std::string_view bytes = text.view();
  bool in_word = false;
  size_t word_tail = 0;  // where the lowered part of the word begins
  std::string mapped;
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Char c = decode_utf8(bytes.substr(at));
    const char32_t code = c.code_point;
    const bool separates =
        is_space(code) || code == '-' || code == '(' || code == '{' || code == '[' || code == '<';
    mapped.clear();
    if (!in_word || separates) {
      append_upper(code, mapped);
      word_tail = at + c.length;
    } else {
      append_lower_at(bytes.substr(word_tail), at - word_tail, code, mapped);
    }
    in_word = !separates;
    out.append(mapped, text.any_untrusted(at, at + c.length));
    at += c.length;
  }
  return out;
}

Text strip(const Text& text, const std::optional<std::string_view>& chars, Sides sides) {
  const ByteRange kept = strip_range(text.view(), {0, text.size()}, CharSet(chars), sides);
  return text.slice(kept.begin, kept.end);
}

size_t find_text(std::string_view text, std::string_view what, size_t from) {
  if (from > text.size()) {
    return std::string_view::npos;
  }
  // glibc's memmem takes linear time, which std::string_view::find does not for long patterns.
  const void* found = memmem(text.data() + from, text.size() - from, what.data(), what.size());
  return found == nullptr ? std::string_view::npos
                          : static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

size_t count_characters(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

size_t count_occurrences(std::string_view text, std::string_view what, int64_t limit) {
  size_t count = 0;
  for (size_t at = 0; limit < 0 || count < static_cast<size_t>(limit); ++count) {
    at = find_text(text, what, at);
    if (at == std::string_view::npos) {
      break;
    }
    at += what.size();
  }
  return count;
}

Text replace(const Text& text, const Text& from, const Text& to, int64_t count) {
  Text out;
  const std::string_view bytes = text.view();
  size_t at = 0;
  if (from.empty()) {
    while (count != 0) {
      out.append(to);
      --count;
      if (at >= bytes.size()) {
        break;
      }
      const size_t length = decode_utf8(bytes.substr(at)).length;
      out.append(text, at, at + length);
      at += length;
    }
  }
  while (!from.empty() && count != 0) {
    const size_t found = find_text(bytes, from.view(), at);
    if (found == std::string_view::npos) {
      break;
    }
    out.append(text, at, found);
    out.append(to);
    at = found + from.size();
    --count;
  }
  out.append(text, std::min(at, bytes.size()), bytes.size());
  return out;
}

std::vector<Text> split_space(const Text& text, int64_t max_splits, bool from_right) {
  const std::string_view bytes = text.view();
  const CharSet spaces(std::nullopt);
  const Sides near = from_right ? kRight : kLeft;
  std::vector<Text> parts;
  ByteRange rest{0, bytes.size()};
  for (; max_splits != 0; --max_splits) {
    rest = strip_range(bytes, rest, spaces, near);
    if (rest.begin == rest.end) {
      break;
    }
    size_t edge = from_right ? rest.end : rest.begin;
    while (edge != (from_right ? rest.begin : rest.end)) {
      size_t next = 0;
      char32_t c = 0;
      if (from_right) {
        c = character_before(bytes, edge, next);
      } else {
        const Utf8Char decoded = decode_utf8(bytes.substr(edge));
        c = decoded.code_point;
        next = edge + decoded.length;
      }
      if (is_space(c)) {
        break;
      }
      edge = next;
    }
    parts.push_back(from_right ? text.slice(edge, rest.end) : text.slice(rest.begin, edge));
    (from_right ? rest.end : rest.begin) = edge;
  }
  // What is left, when the splits ran out, keeps its other spaces.
  rest = strip_range(bytes, rest, spaces, near);
  if (rest.begin != rest.end) {
    parts.push_back(text.slice(rest.begin, rest.end));
  }
  if (from_right) {
    std::reverse(parts.begin(), parts.end());
  }
  return parts;
}

std::vector<Text> split(const Text& text, std::string_view separator, int64_t max_splits,
                        bool from_right) {
  const std::string_view bytes = text.view();
  std::vector<Text> parts;
  size_t begin = 0;
  size_t end = bytes.size();
  for (; max_splits != 0; --max_splits) {
    if (!from_right) {
      const size_t found = find_text(bytes, separator, begin);
      if (found == std::string_view::npos) {
        break;
      }
      parts.push_back(text.slice(begin, found));
      begin = found + separator.size();
    } else {
      const size_t found = bytes.substr(0, end).rfind(separator);
      if (found == std::string_view::npos) {
        break;
      }
      parts.push_back(text.slice(found + separator.size(), end));
      end = found;
    }
  }
  parts.push_back(text.slice(begin, end));
  if (from_right) {
    std::reverse(parts.begin(), parts.end());
  }
  return parts;
}

std::vector<Text> split_lines(const Text& text, bool keep_ends) {
  const std::string_view bytes = text.view();
  std::vector<Text> lines;
  size_t begin = 0;
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Char c = decode_utf8(bytes.substr(at));
    size_t next = at + c.length;
    if (is_line_break(c.code_point)) {
      next += c.code_point == '\r' && next < bytes.size() && bytes[next] == '\n' ? 1 : 0;
      lines.push_back(text.slice(begin, keep_ends ? next : at));
      begin = next;
    }
    at = next;
  }
  if (begin < bytes.size()) {
    lines.push_back(text.slice(begin, bytes.size()));
  }
  return lines;
}

Text reversed(const Text& text) {
  Text out;
  out.reserve(text.size());
  for (size_t end = text.size(); end > 0;) {
    size_t begin = 0;
    character_before(text.view(), end, begin);
    out.append(text, begin, end);
    end = begin;
  }
  return out;
}

Text padded(const Text& text, size_t left, size_t right, std::string_view fill) {
  Text out;
  out.reserve(text.size() + (left + right) * fill.size());
  for (size_t i = 0; i < left; ++i) {
    out.append(fill);
  }
  out.append(text);
  for (size_t i = 0; i < right; ++i) {
    out.append(fill);
  }
  return out;
}

Text escape_html(const Text& text) {
  static constexpr std::string_view kSpecial = "&<>'\"";
  static constexpr std::string_view kEntities[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
  Text out;
  const std::string_view bytes = text.view();
  size_t plain = 0;
  for (size_t at = bytes.find_first_of(kSpecial); at != std::string_view::npos;
       at = bytes.find_first_of(kSpecial, at + 1)) {
    out.append(text, plain, at);
    out.append(kEntities[kSpecial.find(bytes[at])], text.any_untrusted(at, at + 1));
    plain = at + 1;
  }
  out.append(text, plain, bytes.size());
  return out;
}

}  // namespace orrery::jinja
