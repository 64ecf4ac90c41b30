// Normalizers: what is done to the text before it is split into words.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/pattern.h"
#include "tokenizer/trie.h"
#include "tokenizer/unicode.h"

namespace orrery::tokenizer {

// Text with one trust flag per byte, if flags are kept: a byte is trusted if all that it was made
// from is.
struct TrackedText {
  std::string bytes;
  std::string flags;  // '\1' trusted; empty unless `tracked`
  bool tracked = false;

  // Appends what the range [begin, end) of `source` became.
  void put(std::string_view text, const TrackedText& source, size_t begin, size_t end) {
    bytes += text;
    if (!tracked) return;
    const std::string_view made_from = std::string_view(source.flags).substr(begin, end - begin);
    flags.append(text.size(), made_from.find('\0') == std::string_view::npos ? '\1' : '\0');
  }
  void put(std::string_view text, const TrackedText& source, size_t begin) {
    put(text, source, begin, begin + 1);
  }
};

// Immutable and thread-safe.
class NormalizerOp {
 public:
  virtual ~NormalizerOp() = default;
  // Appends the normalized `in` to `out`; `at_start`: it is the beginning of the whole text.
  virtual Status apply(const TrackedText& in, bool at_start, TrackedText& out) const = 0;
};
using NormalizerOps = std::vector<std::unique_ptr<NormalizerOp>>;

Status normalize_text(const NormalizerOps& ops, bool at_start, TrackedText& text);

std::unique_ptr<NormalizerOp> make_unicode_form(NormalForm form);
std::unique_ptr<NormalizerOp> make_lowercase();
std::unique_ptr<NormalizerOp> make_strip_accents();
std::unique_ptr<NormalizerOp> make_strip(bool left, bool right);
std::unique_ptr<NormalizerOp> make_prepend(std::string prefix);
std::unique_ptr<NormalizerOp> make_replace(Pattern pattern, std::string content);
std::unique_ptr<NormalizerOp> make_byte_level_normalizer();
std::unique_ptr<NormalizerOp> make_nmt();

struct BertNormalizerConfig {
  bool clean_text = true;            // drop control characters, turn all spaces into ' '
  bool handle_chinese_chars = true;  // spaces around CJK ideographs
  bool strip_accents = true;
  bool lowercase = true;
};
std::unique_ptr<NormalizerOp> make_bert_normalizer(const BertNormalizerConfig& config);

// SentencePiece's precompiled character map: a double array of byte sequences (Darts-clone) whose
// values are offsets of zero-terminated replacements.
class CharsMap {
 public:
  // Errors: kMalformed if the parts do not fit. An empty blob maps nothing.
  static Result<CharsMap> parse(std::string_view blob, std::string_view where);
  bool empty() const { return units_.empty(); }
  // The shortest or the longest mapped prefix of `text`: its length, and what it becomes; length 0
  // if there is none.
  struct Found {
    size_t length = 0;
    std::string_view replacement;
  };
  Found find(std::string_view text, bool longest) const;

 private:
  std::vector<uint32_t> units_;
  std::string replacements_;
};
// Hugging Face's use of the map: by grapheme, shortest prefix.
std::unique_ptr<NormalizerOp> make_precompiled(CharsMap map);

// SentencePiece's whole normalizer: longest prefix of the map, spaces to U+2581.
struct SpmNormalizerConfig {
  CharsMap map;
  Trie user_defined;  // left as they are
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  bool treat_whitespace_as_suffix = false;
};
std::unique_ptr<NormalizerOp> make_spm_normalizer(SpmNormalizerConfig config);

}  // namespace orrery::tokenizer
