// The models of tokenizers: from a word to the ids of its tokens.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/merges.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/trie.h"

namespace orrery::tokenizer {

// Immutable and thread-safe. Words are valid UTF-8, or raw bytes for a BPE over bytes.
class Model {
 public:
  Model() : uid_(next_uid()) {}
  virtual ~Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  // Appends the ids of `word`, from this thread's cache if it is short.
  void encode(std::string_view word, std::vector<TokenId>& out) const;

 protected:
  virtual void encode_word(std::string_view word, std::vector<TokenId>& out) const = 0;

 private:
  static uint64_t next_uid() {
    static std::atomic<uint64_t> last{0};
    return ++last;
  }
  uint64_t uid_;
};

// Ids of <0x00> to <0xFF>, or nothing if one is missing.
std::optional<std::array<TokenId, 256>> find_byte_tokens(const Vocab& vocab);

struct BpeConfig {
  bool bytes = false;          // symbols are bytes, not characters
  bool ignore_merges = false;  // a word that is a token is that token
  bool fuse_unk = false;
  std::optional<TokenId> unk;
  std::optional<std::array<TokenId, 256>> byte_tokens;  // byte fallback
  std::string continuing_prefix, end_of_word_suffix;
  // Words may be cut before this string where it follows something else: no token contains it in
  // such a place, so no merge crosses the cut. Empty: never cut.
  std::string cut_before;
};
// Strings to ids, for single symbols and whole words: `table` holds raw bytes if config.bytes.
// Views in `table` must outlive the model.
std::unique_ptr<Model> make_bpe(BpeConfig config, StringTable table, MergeTable merges);

// SentencePiece's BPE: two neighbours merge if their concatenation is a piece, best score first,
// then leftmost. `rank` by id: 0 is the best score; UINT32_MAX: the id is no piece. Unused pieces
// serve as steps and are taken apart again. Pieces of `user_defined` are never merged.
struct SpmBpeConfig {
  std::vector<uint32_t> rank;
  std::vector<bool> unused;
  Trie user_defined;
  TokenId unk = 0;
  std::optional<std::array<TokenId, 256>> byte_tokens;
  std::string cut_before;
};
std::unique_ptr<Model> make_spm_bpe(SpmBpeConfig config, StringTable pieces);

// The best segmentation by Viterbi. Scores are added in float as SentencePiece does, or in double
// as Hugging Face does.
struct UnigramConfig {
  std::vector<double> score;  // by id
  double lowest_score = 0;    // an unknown character scores 10 less
  TokenId unk = 0;
  bool fuse_unk = true;
  bool single_precision = false;
  std::optional<std::array<TokenId, 256>> byte_tokens;
};
std::unique_ptr<Model> make_unigram(UnigramConfig config, Trie pieces, StringTable table);

// Longest match first; a word that cannot be taken apart, or has more than max_chars characters,
// is unknown.
struct WordPieceConfig {
  TokenId unk = 0;
  std::string continuing_prefix = "##";
  size_t max_chars = 100;
};
std::unique_ptr<Model> make_word_piece(WordPieceConfig config, StringTable table);

// A word is a token, or unknown (nothing if there is no unknown token).
std::unique_ptr<Model> make_word_level(std::optional<TokenId> unk, StringTable table);

}  // namespace orrery::tokenizer
