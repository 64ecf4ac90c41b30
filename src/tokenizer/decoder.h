// Decoders: from token strings to text, one token at a time.
//
// Each step of a decoder is a stage that takes strings and gives strings as soon as they are
// certain; the whole decode is the same chain fed with all tokens, so that streaming and whole
// decoding cannot differ.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/pattern.h"

namespace orrery::tokenizer {

struct DecoderStep {
  enum class Kind : uint8_t {
    kByteLevel,      // GPT-2's alphabet back to bytes
    kByteFallback,   // runs of <0xHH>; a run that is not UTF-8 becomes one U+FFFD per byte
    kSpmBytes,       // the same as SentencePiece: only the bytes that do not fit
    kReplace,        // pattern -> text in each string
    kMetaspace,      // text (U+2581) -> space; dropped in the first token unless `flag`
    kWordPiece,      // text is the prefix of a continued word; flag: clean up spaces
    kBpeSuffix,      // text ends a word
    kFuse,           // what follows sees one string
    kStrip,          // up to `start` times `text` at the begin, `stop` times at the end
    kSpmPrefix,      // SentencePiece: the first U+2581 (flag: all leading) goes, others are spaces
    kJoinWithSpace,  // no decoder: tokens with spaces between
  };
  Kind kind = Kind::kFuse;
  std::string text;
  bool flag = false;
  uint32_t start = 0, stop = 0;
  std::shared_ptr<const Pattern> pattern;
};

class DecodeStage {
 public:
  virtual ~DecodeStage() = default;
  virtual void push(std::string_view token) = 0;
  virtual void finish() = 0;
  // Tokens have come before: no longer at the beginning of the text.
  virtual void start_inside() {}
  void set_next(DecodeStage* next) { next_ = next; }

 protected:
  DecodeStage* next_ = nullptr;
};

class DecodeChain {
 public:
  explicit DecodeChain(const std::vector<DecoderStep>& steps);
  ~DecodeChain();
  DecodeChain(const DecodeChain&) = delete;
  DecodeChain& operator=(const DecodeChain&) = delete;

  void push(std::string_view token) { first_->push(token); }
  void finish() { first_->finish(); }
  void start_inside();
  // The text since the last call.
  std::string take();
  std::string& output() { return *output_; }

 private:
  std::vector<std::unique_ptr<DecodeStage>> stages_;
  DecodeStage* first_ = nullptr;
  std::unique_ptr<std::string> output_;
};

// The byte that "<0xHH>" names, else -1.
int byte_token(std::string_view token);

}  // namespace orrery::tokenizer
