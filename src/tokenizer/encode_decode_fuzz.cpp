// Encoding and decoding with tokenizers of every kind: streaming equals whole decoding, lossless
// tokenizers give the text back, segments agree with whole texts, untrusted text makes no special
// token.
#include <fuzzer/FuzzedDataProvider.h>

#include <array>

#include "base/check.h"
#include "base/json.h"
#include "base/utf8.h"
#include "tokenizer/scanner.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unicode.h"

namespace orrery::tokenizer {
namespace {

struct Subject {
  std::unique_ptr<Tokenizer> tokenizer;
  bool lossless = false;
};

Json special_tokens(size_t first) {
  Json list = Json::array();
  const std::array<std::pair<const char*, bool>, 4> tokens = {
      {{"<s>", true}, {"<|x|>", true}, {"<t>", false}, {"  ", false}}};
  for (const auto& [content, special] : tokens) {
    list.push_back({{"id", first++},
                    {"content", content},
                    {"special", special},
                    {"normalized", false},
                    {"lstrip", false},
                    {"rstrip", false},
                    {"single_word", false}});
  }
  return list;
}

Subject byte_level(const Json& pre_tokenizer) {
  Json vocab = Json::object();
  for (int byte = 0; byte < 256; ++byte) {
    std::string spelling;
    append_utf8(byte_to_char(static_cast<uint8_t>(byte)), spelling);
    vocab[spelling] = byte;
  }
  Json merges = Json::array();
  for (const auto& [left, right] : std::vector<std::pair<std::string, std::string>>{{"t", "h"},
                                                                                    {"th", "e"},
                                                                                    {"Ġ", "the"},
                                                                                    {"Ġ", "Ġ"},
                                                                                    {"a", "a"},
                                                                                    {"aa", "aa"},
                                                                                    {"ä", "¸"},
                                                                                    {"ä¸", "Ń"},
                                                                                    {"Ċ", "Ċ"}}) {
    vocab[left + right] = vocab.size();
    merges.push_back({left, right});
  }
  const Json json = {{"added_tokens", special_tokens(vocab.size())},
                     {"pre_tokenizer", pre_tokenizer},
                     {"decoder", {{"type", "ByteLevel"}}},
                     {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}}};
  return {load_tokenizer_json(dump_json(json), "bytes").value(), true};
}

Json split(const std::string& regex) {
  const Json parts = {
      {{"type", "Split"}, {"pattern", {{"Regex", regex}}}, {"behavior", "Isolated"}},
      {{"type", "ByteLevel"}, {"use_regex", false}, {"add_prefix_space", false}}};
  return {{"type", "Sequence"}, {"pretokenizers", parts}};
}

Json pieces_with_bytes() {
  Json vocab = {{"<unk>", 0}};
  for (int byte = 0; byte < 256; ++byte) vocab[fmt::format("<0x{:02X}>", byte)] = byte + 1;
  for (const std::string piece : {"▁", "t", "h", "e", "a", "th", "the", "▁the", "aa", "▁▁", "é"}) {
    vocab[piece] = vocab.size();
  }
  return vocab;
}

Subject metaspace() {
  const Json vocab = pieces_with_bytes();
  const Json steps = {{{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}},
                      {{"type", "ByteFallback"}},
                      {{"type", "Fuse"}},
                      {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}};
  const Json json = {
      {"added_tokens", special_tokens(vocab.size())},
      {"pre_tokenizer", {{"type", "Metaspace"}, {"prepend_scheme", "first"}, {"split", false}}},
      {"decoder", {{"type", "Sequence"}, {"decoders", steps}}},
      {"model",
       {{"type", "BPE"},
        {"vocab", vocab},
        {"byte_fallback", true},
        {"unk_token", "<unk>"},
        {"merges", {"t h", "th e", "▁ the", "a a", "▁ ▁"}}}}};
  return {load_tokenizer_json(dump_json(json), "metaspace").value(), false};
}

Subject unigram() {
  Json vocab = Json::array({Json::array({"<unk>", 0.0})});
  for (const std::string piece : {"▁", "t", "h", "e", "a", "the", "▁the", "aa", "é", "中文"}) {
    vocab.push_back({piece, -static_cast<double>(vocab.size())});
  }
  const Json json = {{"added_tokens", special_tokens(vocab.size())},
                     {"normalizer", {{"type", "NFKC"}}},
                     {"pre_tokenizer", {{"type", "Metaspace"}}},
                     {"decoder", {{"type", "Metaspace"}}},
                     {"model", {{"type", "Unigram"}, {"unk_id", 0}, {"vocab", vocab}}}};
  return {load_tokenizer_json(dump_json(json), "unigram").value(), false};
}

Subject word_piece() {
  const Json vocab = {{"[UNK]", 0}, {"the", 1}, {"##the", 2}, {"a", 3}, {"##a", 4}, {"##e", 5}};
  const Json json = {{"added_tokens", special_tokens(vocab.size())},
                     {"normalizer", {{"type", "BertNormalizer"}}},
                     {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
                     {"decoder", {{"type", "WordPiece"}}},
                     {"model", {{"type", "WordPiece"}, {"unk_token", "[UNK]"}, {"vocab", vocab}}}};
  return {load_tokenizer_json(dump_json(json), "words").value(), false};
}

Subject gguf_spm() {
  GgufVocab vocab;
  vocab.model = "llama";
  static const Json pieces = pieces_with_bytes();
  std::vector<std::string> by_id(pieces.size());
  for (const auto& [piece, id] : pieces.items()) by_id[id.get<size_t>()] = piece;
  for (size_t id = 0; id < by_id.size(); ++id) {
    vocab.tokens.push_back(by_id[id]);
    vocab.scores.push_back(-static_cast<float>(id));
    vocab.token_types.push_back(id == 0 ? 2 : id <= 256 ? 6 : 1);
  }
  vocab.unknown_token_id = 0;
  return {load_gguf_vocab(std::move(vocab), "spm").value(), false};
}

const std::vector<Subject>& subjects() {
  static const std::vector<Subject> all = [] {
    using Family = ScanStyle::Family;
    std::vector<Subject> out;
    out.push_back(byte_level({{"type", "ByteLevel"}, {"add_prefix_space", false}}));
    out.push_back(byte_level(split(scan_pattern({Family::kCl100k, 3, false, true}))));
    out.push_back(byte_level(split(scan_pattern({Family::kO200k, 3, true, true}))));
    out.push_back(byte_level(split("\\s+$|[\\p{L}&&[^a]]+|\\s")));
    out.push_back(metaspace());
    out.push_back(unigram());
    out.push_back(word_piece());
    out.push_back(gguf_spm());
    return out;
  }();
  return all;
}

std::string stream(const Tokenizer& tokenizer, std::span<const TokenId> ids, bool skip) {
  Detokenizer detokenizer(tokenizer, skip);
  std::string text;
  for (const TokenId id : ids) {
    const auto part = detokenizer.push(id);
    CHECK(part.ok() && is_valid_utf8(*part));
    text += *part;
  }
  const std::string rest = detokenizer.finish();
  CHECK(is_valid_utf8(rest));
  return text + rest;
}

void check_text(const Subject& subject, const std::string& text, size_t cut) {
  const Tokenizer& tokenizer = *subject.tokenizer;
  EncodeOptions plain;
  plain.parse_special_tokens = false;
  const auto parsed = tokenizer.encode(text);
  const auto unparsed = tokenizer.encode(text, plain);
  CHECK(parsed.ok() && unparsed.ok());
  for (const auto& ids : {*parsed, *unparsed}) {
    const auto whole = tokenizer.decode(ids, false);
    CHECK(whole.ok() && *whole == stream(tokenizer, ids, false));
    if (subject.lossless) CHECK(*whole == replace_invalid_utf8(text));
  }
  for (const TokenId id : *unparsed) {
    CHECK(!tokenizer.is_special(id) || id == tokenizer.unk_id()) << "untrusted text made it";
  }
  cut = std::min(cut, text.size());
  const std::string valid = replace_invalid_utf8(text);
  while (cut < valid.size() && (valid[cut] & 0xC0) == 0x80) ++cut;
  const std::string_view view = valid;
  for (const bool trusted : {false, true}) {
    const std::vector<Segment> segments = {{view.substr(0, std::min(cut, view.size())), trusted},
                                           {view.substr(std::min(cut, view.size())), trusted}};
    const auto ids = tokenizer.encode_segments(segments);
    CHECK(ids.ok() && *ids == (trusted ? *parsed : *unparsed));
  }
}

}  // namespace
}  // namespace orrery::tokenizer

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace orrery;
  using namespace orrery::tokenizer;
  FuzzedDataProvider data(bytes, size);
  const Subject& subject =
      subjects()[data.ConsumeIntegralInRange<size_t>(0, subjects().size() - 1)];
  if (data.ConsumeBool()) {
    check_text(subject, std::string(), 0);
    const size_t cut = data.ConsumeIntegralInRange<size_t>(0, 64);
    check_text(subject, data.ConsumeRemainingBytesAsString(), cut);
    return 0;
  }
  std::vector<TokenId> ids;
  const bool skip = data.ConsumeBool();
  while (data.remaining_bytes() > 0) {
    ids.push_back(data.ConsumeIntegralInRange<TokenId>(-1, 400));
  }
  const auto whole = subject.tokenizer->decode(ids, skip);
  if (whole.ok()) CHECK(*whole == stream(*subject.tokenizer, ids, skip));
  return 0;
}
