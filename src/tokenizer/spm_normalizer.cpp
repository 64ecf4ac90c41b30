// SentencePiece's normalization (src/normalizer.cc describes it) and Hugging Face's variant.
#include <cstring>

#include "base/utf8.h"
#include "tokenizer/normalizer.h"

namespace orrery::tokenizer {
namespace {

constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";  // U+2581

class Precompiled final : public NormalizerOp {
 public:
  explicit Precompiled(CharsMap map) : map_(std::move(map)) {}

  Status apply(const TrackedText& in, bool, TrackedText& out) const override {
    const std::string_view text = in.bytes;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = grapheme_end(text, begin);
      const CharsMap::Found whole =
          end - begin < 6 ? map_.find(text.substr(begin, end - begin), false) : CharsMap::Found{};
      if (whole.length != 0) {
        out.put(whole.replacement, in, begin, end);
      } else {
        replace_chars(in, begin, end, out);
      }
      begin = end;
    }
    return {};
  }

 private:
  static size_t grapheme_end(std::string_view text, size_t begin) {
    size_t pos = begin;
    auto previous = static_cast<utf8proc_int32_t>(next_char(text, pos));
    utf8proc_int32_t state = 0;
    while (pos < text.size()) {
      size_t next = pos;
      const auto c = static_cast<utf8proc_int32_t>(next_char(text, next));
      if (utf8proc_grapheme_break_stateful(previous, c, &state)) break;
      previous = c;
      pos = next;
    }
    return pos;
  }
  void replace_chars(const TrackedText& in, size_t begin, size_t end, TrackedText& out) const {
    const std::string_view text = in.bytes;
    while (begin < end) {
      const size_t size = char_length(text[begin]);
      const std::string_view part = text.substr(begin, size);
      const CharsMap::Found found = map_.find(part, false);
      out.put(found.length != 0 ? found.replacement : part, in, begin, begin + size);
      begin += size;
    }
  }

  CharsMap map_;
};

class SpmNormalizer final : public NormalizerOp {
 public:
  explicit SpmNormalizer(SpmNormalizerConfig config) : config_(std::move(config)) {}

  Status apply(const TrackedText& in, bool at_start, TrackedText& out) const override {
    const std::string_view text = in.bytes;
    const bool remove = config_.remove_extra_whitespaces;
    const std::string_view space = config_.escape_whitespaces ? kSpaceSymbol : " ";
    size_t pos = 0;
    while (remove && pos < text.size()) {
      const CharsMap::Found found = prefix(text.substr(pos));
      if (found.replacement != " ") break;
      pos += found.length;
    }
    if (pos == text.size()) return {};
    const bool dummy = config_.add_dummy_prefix && at_start;
    if (dummy && !config_.treat_whitespace_as_suffix) out.put(space, in, pos);
    bool after_space = remove;
    while (pos < text.size()) {
      const CharsMap::Found found = prefix(text.substr(pos));
      std::string_view part = found.replacement;
      while (after_space && part.starts_with(' ')) part.remove_prefix(1);
      if (!part.empty()) {
        put_escaped(part, space, in, pos, pos + found.length, out);
        after_space = remove && part.ends_with(' ');
      }
      pos += found.length;
    }
    while (remove && out.bytes.ends_with(space)) {
      out.bytes.erase(out.bytes.size() - space.size());
      if (out.tracked) out.flags.erase(out.bytes.size());
    }
    if (dummy && config_.treat_whitespace_as_suffix) out.put(space, in, text.size() - 1);
    return {};
  }

 private:
  // The next part of the text and what it becomes.
  CharsMap::Found prefix(std::string_view text) const {
    if (const size_t user = config_.user_defined.longest_prefix(text).first; user != 0) {
      return {user, text.substr(0, user)};
    }
    const CharsMap::Found found = config_.map.find(text, true);
    if (found.length != 0) return found;
    const size_t size = char_length(text[0]);
    return {size, text.substr(0, size)};
  }

  static void put_escaped(std::string_view part, std::string_view space, const TrackedText& in,
                          size_t begin, size_t end, TrackedText& out) {
    while (!part.empty()) {
      const size_t blank = std::min(part.find(' '), part.size());
      out.put(part.substr(0, blank), in, begin, end);
      if (blank < part.size()) out.put(space, in, begin, end);
      part.remove_prefix(std::min(blank + 1, part.size()));
    }
  }

  SpmNormalizerConfig config_;
};

}  // namespace

Result<CharsMap> CharsMap::parse(std::string_view blob, std::string_view where) {
  CharsMap map;
  if (blob.empty()) return map;
  uint32_t trie_bytes = 0;
  if (blob.size() < 4)
    return malformed("{}: character map: {} bytes, expected 4", where, blob.size());
  std::memcpy(&trie_bytes, blob.data(), 4);
  if (trie_bytes > blob.size() - 4 || trie_bytes % 4 != 0 || trie_bytes == 0) {
    return malformed("{}: character map: trie of {} bytes in a map of {}", where, trie_bytes,
                     blob.size());
  }
  map.units_.resize(trie_bytes / 4);
  std::memcpy(map.units_.data(), blob.data() + 4, trie_bytes);
  map.replacements_.assign(blob.data() + 4 + trie_bytes, blob.size() - 4 - trie_bytes);
  if (!is_valid_utf8(map.replacements_)) {
    return malformed("{}: character map: replacements are not UTF-8", where);
  }
  return map;
}

// Darts-clone units: bit 8 has_leaf, bits 0-7 and 31 label, bits 10-30 offset (times 256 if bit 9);
// a leaf's low 31 bits are its value.
CharsMap::Found CharsMap::find(std::string_view text, bool longest) const {
  Found best;
  if (units_.empty()) return best;
  const auto offset = [](uint32_t unit) { return (unit >> 10) << ((unit & 0x200) >> 6); };
  size_t node = offset(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    node ^= byte;
    if (byte == 0 || node >= units_.size()) break;
    const uint32_t unit = units_[node];
    if ((unit & 0x800000FFu) != byte) break;
    node ^= offset(unit);
    if ((unit & 0x100) == 0) continue;
    if (node >= units_.size()) break;
    const uint32_t value = units_[node] & 0x7FFFFFFFu;
    if (value >= replacements_.size()) break;
    // A value may point into a character only in a broken file: then it maps nothing.
    if ((static_cast<uint8_t>(replacements_[value]) & 0xC0) == 0x80) break;
    const std::string_view rest = std::string_view(replacements_).substr(value);
    best = {i + 1, rest.substr(0, rest.find('\0'))};
    if (!longest) break;
  }
  // Only whole characters can be replaced.
  if (best.length < text.size() && (static_cast<uint8_t>(text[best.length]) & 0xC0) == 0x80) {
    return {};
  }
  return best;
}

std::unique_ptr<NormalizerOp> make_precompiled(CharsMap map) {
  return std::make_unique<Precompiled>(std::move(map));
}

std::unique_ptr<NormalizerOp> make_spm_normalizer(SpmNormalizerConfig config) {
  return std::make_unique<SpmNormalizer>(std::move(config));
}

}  // namespace orrery::tokenizer
