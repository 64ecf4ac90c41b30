// What a tokenizer is made of, whatever file it came from. Loaders fill it; Tokenizer runs it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/decoder.h"
#include "tokenizer/model.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/vocab.h"

namespace orrery::tokenizer {

struct Pipeline {
  Vocab vocab;                // all tokens, also the added ones
  std::vector<bool> special;  // by id
  std::string raw_bytes;      // of the tokens of a BPE over bytes; the model's table points here

  AddedTokens added;
  NormalizerOps normalizers;
  PreTokenizerOps pre_tokenizers;
  // Set by finish() if all pre-tokenizers together are this one splitter.
  std::optional<ScanStyle> scan;
  std::unique_ptr<Model> model;
  std::vector<TokenId> prefix, suffix;  // what the post-processor adds
  std::vector<DecoderStep> decoder;
  std::optional<TokenId> bos, eos, pad, unk;

  // Builds the finders of added tokens and checks the vocabulary; call last. Errors: kMalformed.
  Status finish(std::vector<AddedToken> added_tokens, std::string_view where);
};

// The table of all tokens, by their spelling.
StringTable spelling_table(const Vocab& vocab);
// The model's table for a BPE: the table of all spellings; or, if the BPE works on `bytes`, of
// those that are in the byte-level alphabet, as bytes, which go to `pipeline.raw_bytes`.
StringTable bpe_table(Pipeline& pipeline, bool bytes);
// BpeConfig::cut_before for this vocabulary: U+2581, or empty if some token has it inside.
std::string cut_before_of(const Vocab& vocab);

}  // namespace orrery::tokenizer
