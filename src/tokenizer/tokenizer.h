// Text <-> token ids, for every kind of tokenizer file that language models ship: Hugging Face
// tokenizer.json, SentencePiece .model, tiktoken rank files, and the vocabulary of a GGUF file.
//
// Whatever the source, a Tokenizer is one pipeline:
//
//   text -> split at added tokens -> normalizer -> pre-tokenizer -> model (BPE, Unigram, WordPiece,
//   WordLevel) -> post-processor (BOS, EOS) -> ids          and back:  ids -> decoder -> text
//
// A Tokenizer is immutable: any number of threads may use one. Each thread keeps a bounded cache of
// words (512 KiB), shared by all tokenizers.
//
// Papers: byte pair encoding, Sennrich et al. 2016 (arXiv:1508.07909); SentencePiece, Kudo and
// Richardson 2018 (arXiv:1808.06226); Unigram, Kudo 2018 (arXiv:1804.10959); WordPiece as in BERT,
// Devlin et al. 2018 (arXiv:1810.04805).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "base/status.h"

namespace orrery::tokenizer {

using TokenId = int32_t;

struct EncodeOptions {
  // What the post-processor adds: BOS, EOS, [CLS] and [SEP].
  bool add_special_tokens = true;
  // false: text that spells a special token is ordinary text. Added tokens that are not special
  // (runs of spaces, say) are matched either way: they are part of how ordinary text is spelled.
  bool parse_special_tokens = true;
};

// A part of a text; only trusted text (a chat template's own) may spell special tokens.
struct Segment {
  std::string_view text;
  bool trusted = false;
};

struct Pipeline;  // pipeline.h: what the loaders fill

class Tokenizer {
 public:
  explicit Tokenizer(std::unique_ptr<const Pipeline> pipeline);
  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // Each maximal ill-formed UTF-8 sequence in `text` is read as one U+FFFD. Time is linear in the
  // text, up to a logarithm, for the known patterns; a regular expression of the file's own that
  // exceeds its match limit is an error (kResourceExhausted).
  Result<std::vector<TokenId>> encode(std::string_view text,
                                      const EncodeOptions& options = {}) const;
  // The ids of the concatenated text, except that a special token is recognised only where it lies
  // in trusted text (adjacent trusted segments count as one). parse_special_tokens = false
  // recognises none.
  Result<std::vector<TokenId>> encode_segments(std::span<const Segment> segments,
                                               const EncodeOptions& options = {}) const;

  // Always valid UTF-8. Ids inside the vocabulary that no token has are skipped. Errors:
  // kInvalidArgument for an id outside [0, vocab_size()).
  Result<std::string> decode(std::span<const TokenId> ids, bool skip_special_tokens = true) const;

  // One more than the highest id; ids without a token count.
  int64_t vocab_size() const;
  // The vocabulary's own spelling ("Ġthe", "▁the", "<0x0A>"); empty if no token has the id. For
  // tiktoken vocabularies, whose own spelling is bytes, that of the byte-level alphabet.
  std::string_view token(TokenId id) const;
  // The bytes that the token stands for in the middle of a text; may be a part of a character.
  std::string token_bytes(TokenId id) const;
  bool is_special(TokenId id) const;
  std::optional<TokenId> find(std::string_view token) const;  // by the vocabulary's spelling

  // As far as the file says.
  std::optional<TokenId> bos_id() const;
  std::optional<TokenId> eos_id() const;
  std::optional<TokenId> pad_id() const;
  std::optional<TokenId> unk_id() const;

  const Pipeline& pipeline() const { return *pipeline_; }

 private:
  std::unique_ptr<const Pipeline> pipeline_;
};

class DecodeChain;  // decoder.h

// Decodes token by token, for streaming. What push() and finish() return is valid UTF-8 and
// concatenates to decode() of the same ids. Borrows the tokenizer. One thread at a time.
class Detokenizer {
 public:
  explicit Detokenizer(const Tokenizer& tokenizer, bool skip_special_tokens = true);
  ~Detokenizer();
  Detokenizer(Detokenizer&&) noexcept;
  Detokenizer& operator=(Detokenizer&&) noexcept;

  // The text that has become certain: empty while a character is incomplete. Errors:
  // kInvalidArgument for an id outside the vocabulary, which changes nothing.
  Result<std::string> push(TokenId id);
  // The rest: an incomplete character becomes U+FFFD. Ends the text; push() is not allowed after.
  std::string finish();
  // Takes `context` (a prompt) as decoded already: later text continues it, so that the space
  // before a first word is kept. Ids outside the vocabulary are ignored.
  void prime(std::span<const TokenId> context);

 private:
  const Tokenizer* tokenizer_;
  bool skip_special_tokens_;
  std::unique_ptr<DecodeChain> chain_;
};

using LoadResult = Result<std::unique_ptr<Tokenizer>>;

// `where` names the file in messages. All loaders: kMalformed if the file breaks its format,
// kUnsupported for what would otherwise be misread (an unknown component, a regular expression
// that cannot be translated exactly).

// tokenizer.json, and tokenizer_config.json if there is one (bos, eos, add_bos_token, flags of
// added tokens).
LoadResult load_tokenizer_json(const MappedFile& json, std::string_view tokenizer_config_json = {});
LoadResult load_tokenizer_json(std::string_view json, std::string_view where,
                               std::string_view tokenizer_config_json = {});

// A SentencePiece model, BPE or Unigram.
LoadResult load_sentencepiece(std::span<const std::byte> model, std::string_view where);

// Lines of "base64 rank". `pattern` names the splitting pattern and the special tokens: see
// tiktoken_patterns().
LoadResult load_tiktoken(std::string_view text, std::string_view pattern, std::string_view where);
std::vector<std::string_view> tiktoken_patterns();  // "gpt2", "cl100k", "o200k", "llama3", ...

// tokenizer.ggml.* of a GGUF file. Views must live until load_gguf_vocab returns.
struct GgufVocab {
  std::string model;                     // "gpt2", "llama", "bert", "t5"
  std::string pre = "default";           // name of the pre-tokenizer, for "gpt2"
  std::vector<std::string_view> tokens;  // by id
  std::vector<float> scores;             // for "llama" and "t5"; may be empty
  std::vector<int32_t> token_types;      // 1 normal, 2 unknown, 3 control, 4 user, 5 unused, 6 byte
  std::vector<std::string_view> merges;  // "left right", for "gpt2"
  std::optional<int64_t> bos_token_id, eos_token_id, unknown_token_id, padding_token_id;
  std::optional<int64_t> cls_token_id, seperator_token_id;  // the key's own spelling
  std::optional<bool> add_bos_token, add_eos_token, add_space_prefix, remove_extra_whitespaces;
  std::span<const std::byte> precompiled_charsmap;  // for "t5"
};
LoadResult load_gguf_vocab(GgufVocab&& vocab, std::string_view where);

// A lone file: tokenizer.json, SentencePiece .model or tiktoken ranks, told apart by content.
// `pattern` is for tiktoken ranks; empty chooses by the number of ranks. A tokenizer_config.json
// beside a tokenizer.json is read.
LoadResult load_any_file(const std::string& path, std::string_view pattern = {});

}  // namespace orrery::tokenizer
