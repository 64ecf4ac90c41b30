// Pre-tokenizers: how text between added tokens is split into the words that the model encodes.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/pattern.h"

namespace orrery::tokenizer {

struct Piece {
  std::string_view text;
  bool at_start = false;  // it begins the whole text
};
struct Pieces {
  std::vector<Piece> list;
  std::deque<std::string> owned;  // texts that were changed
};

// Immutable and thread-safe. Pieces never become empty.
class PreTokenizerOp {
 public:
  virtual ~PreTokenizerOp() = default;
  virtual Status apply(Pieces& pieces) const = 0;
  // The fast splitter that does the same to one piece, if there is one.
  virtual const ScanStyle* scan_style() const { return nullptr; }
};
using PreTokenizerOps = std::vector<std::unique_ptr<PreTokenizerOp>>;

// What becomes of the matches of a pattern.
enum class SplitBehavior : uint8_t {
  kRemoved,
  kIsolated,
  kMergedWithPrevious,
  kMergedWithNext,
  kContiguous,
};

enum class CharKind : uint8_t {
  kSpace,
  kPunctuation,  // ASCII signs and P*
  kDigit,        // N*
  kWordOrSigns,  // splits into runs of \w and runs of neither \w nor \s, spaces removed
};

enum class PrependScheme : uint8_t { kAlways, kFirst, kNever };

std::unique_ptr<PreTokenizerOp> make_split(Pattern pattern, SplitBehavior behavior, bool invert);
std::unique_ptr<PreTokenizerOp> make_char_split(CharKind kind, SplitBehavior behavior);
std::unique_ptr<PreTokenizerOp> make_prepend_space();   // of ByteLevel
std::unique_ptr<PreTokenizerOp> make_byte_level_map();  // bytes to their alphabet
std::unique_ptr<PreTokenizerOp> make_metaspace(std::string replacement, PrependScheme scheme,
                                               bool split);

}  // namespace orrery::tokenizer
