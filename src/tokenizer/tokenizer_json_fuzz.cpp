// Loading a tokenizer file never crashes, and what loads encodes and decodes without crashing.
//
// The first byte chooses: the rest is a file as it is (JSON, SentencePiece, ranks), or it drives a
// generator of tokenizer.json files whose parts are mostly valid, which reaches what random bytes
// do not.
#include <fuzzer/FuzzedDataProvider.h>

#include <array>

#include "base/check.h"
#include "base/json.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer.h"

namespace orrery::tokenizer {
namespace {

class Generator {
 public:
  explicit Generator(FuzzedDataProvider& data) : data_(data) {}

  Json tokenizer() {
    Json json;
    json["added_tokens"] = added_tokens();
    if (data_.ConsumeBool()) json["normalizer"] = normalizer(0);
    if (data_.ConsumeBool()) json["pre_tokenizer"] = pre_tokenizer(0);
    if (data_.ConsumeBool()) json["decoder"] = decoder(0);
    if (data_.ConsumeBool()) json["post_processor"] = post_processor();
    json["model"] = model();
    return json;
  }

 private:
  std::string text() {
    constexpr std::array<const char*, 14> kTexts = {"a", "b", "ab", "▁",   "▁a",     "<s>", "<unk>",
                                                    " ", "Ġ", "é",  "##a", "<0x41>", "",    "</w>"};
    if (data_.ConsumeBool()) return data_.PickValueInArray(kTexts);
    return replace_invalid_utf8(data_.ConsumeRandomLengthString(6));
  }
  std::string regex() {
    constexpr std::array<const char*, 10> kRegexes = {
        "\\s+", "\\p{L}+|\\p{N}", "[a-c&&[^b]]",  "\\s+$", "",
        "x*",   "(?i:'s)|.",      "[^\\s]{1,2}+", "\\bab", "(?<=a)b"};
    if (data_.ConsumeBool()) return data_.PickValueInArray(kRegexes);
    return replace_invalid_utf8(data_.ConsumeRandomLengthString(12));
  }
  Json pattern() {
    if (data_.ConsumeBool()) return {{"String", text()}};
    return {{"Regex", regex()}};
  }
  int64_t id() { return data_.ConsumeIntegralInRange<int64_t>(-1, 40); }

  Json added_tokens() {
    Json list = Json::array();
    for (int n = data_.ConsumeIntegralInRange(0, 4); n > 0; --n) {
      list.push_back({{"id", id()},
                      {"content", text()},
                      {"single_word", data_.ConsumeBool()},
                      {"lstrip", data_.ConsumeBool()},
                      {"rstrip", data_.ConsumeBool()},
                      {"normalized", data_.ConsumeBool()},
                      {"special", data_.ConsumeBool()}});
    }
    return list;
  }

  template <typename Make>
  Json list(const Make& make) {
    Json out = Json::array();
    for (int n = data_.ConsumeIntegralInRange(0, 3); n > 0; --n) out.push_back(make());
    return out;
  }

  Json normalizer(int depth) {
    constexpr std::array<const char*, 13> kTypes = {
        "NFC",       "NFD",   "NFKC",    "NFKD",    "Lowercase",      "StripAccents", "Nmt",
        "ByteLevel", "Strip", "Prepend", "Replace", "BertNormalizer", "Precompiled"};
    if (depth < 2 && data_.ConsumeIntegralInRange(0, 3) == 0) {
      return {{"type", "Sequence"}, {"normalizers", list([&] { return normalizer(depth + 1); })}};
    }
    Json json = {{"type", data_.PickValueInArray(kTypes)}};
    json["prepend"] = text();
    json["pattern"] = pattern();
    json["content"] = text();
    json["strip_left"] = data_.ConsumeBool();
    json["lowercase"] = data_.ConsumeBool();
    json["precompiled_charsmap"] = "CAAAAAAAAAAAAAAAYWI=";
    return json;
  }

  Json pre_tokenizer(int depth) {
    constexpr std::array<const char*, 9> kTypes = {
        "ByteLevel",   "Split",  "Metaspace",        "Whitespace",        "WhitespaceSplit",
        "Punctuation", "Digits", "BertPreTokenizer", "CharDelimiterSplit"};
    constexpr std::array<const char*, 5> kBehaviors = {"Removed", "Isolated", "MergedWithPrevious",
                                                       "MergedWithNext", "Contiguous"};
    constexpr std::array<const char*, 3> kSchemes = {"always", "first", "never"};
    if (depth < 2 && data_.ConsumeIntegralInRange(0, 3) == 0) {
      return {{"type", "Sequence"},
              {"pretokenizers", list([&] { return pre_tokenizer(depth + 1); })}};
    }
    Json json = {{"type", data_.PickValueInArray(kTypes)}};
    json["pattern"] = pattern();
    json["behavior"] = data_.PickValueInArray(kBehaviors);
    json["invert"] = data_.ConsumeBool();
    json["use_regex"] = data_.ConsumeBool();
    json["add_prefix_space"] = data_.ConsumeBool();
    json["prepend_scheme"] = data_.PickValueInArray(kSchemes);
    json["split"] = data_.ConsumeBool();
    json["individual_digits"] = data_.ConsumeBool();
    json["delimiter"] = text();
    if (data_.ConsumeBool()) json["replacement"] = text();
    return json;
  }

  Json decoder(int depth) {
    constexpr std::array<const char*, 8> kTypes = {"ByteLevel", "ByteFallback", "Fuse",
                                                   "Metaspace", "WordPiece",    "BPEDecoder",
                                                   "Replace",   "Strip"};
    if (depth < 2 && data_.ConsumeBool()) {
      return {{"type", "Sequence"}, {"decoders", list([&] { return decoder(depth + 1); })}};
    }
    Json json = {{"type", data_.PickValueInArray(kTypes)}};
    json["pattern"] = pattern();
    json["content"] = text();
    json["start"] = data_.ConsumeIntegralInRange(-1, 3);
    json["stop"] = data_.ConsumeIntegralInRange(0, 3);
    json["cleanup"] = data_.ConsumeBool();
    if (data_.ConsumeBool()) json["suffix"] = text();
    if (data_.ConsumeBool()) json["prefix"] = text();
    return json;
  }

  Json post_processor() {
    const std::string name = text();
    return {{"type", "TemplateProcessing"},
            {"single", {{{"SpecialToken", {{"id", name}}}}, {{"Sequence", {{"id", "A"}}}}}},
            {"special_tokens", {{name, {{"ids", {id()}}}}}}};
  }

  Json model() {
    constexpr std::array<const char*, 4> kTypes = {"BPE", "Unigram", "WordPiece", "WordLevel"};
    Json json = {{"type", data_.PickValueInArray(kTypes)}};
    std::vector<std::string> tokens = {"<unk>", "a", "b", "▁"};
    for (int n = data_.ConsumeIntegralInRange(0, 6); n > 0; --n) tokens.push_back(text());
    json["unk_token"] = text();
    json["unk_id"] = id();
    json["byte_fallback"] = data_.ConsumeBool();
    json["fuse_unk"] = data_.ConsumeBool();
    json["ignore_merges"] = data_.ConsumeBool();
    if (data_.ConsumeBool()) json["end_of_word_suffix"] = text();
    if (data_.ConsumeBool()) json["continuing_subword_prefix"] = text();
    if (json["type"] == "Unigram") {
      json["vocab"] = Json::array();
      for (const std::string& token : tokens) {
        json["vocab"].push_back({token, data_.ConsumeIntegralInRange(-20, 2) * 0.5});
      }
      return json;
    }
    json["vocab"] = Json::object();
    for (const std::string& token : tokens) {
      json["vocab"][token] = json["vocab"].contains(token) ? id() : json["vocab"].size();
    }
    json["merges"] = Json::array();
    for (int n = data_.ConsumeIntegralInRange(0, 4); n > 0; --n) {
      const std::string left = data_.PickValueInArray({"a", "b", "▁"});
      const std::string right = data_.PickValueInArray({"a", "b", "▁"});
      if (data_.ConsumeBool()) json["vocab"][left + right] = json["vocab"].size();
      json["merges"].push_back(left + " " + right);
    }
    return json;
  }

  FuzzedDataProvider& data_;
};

void use(const Tokenizer& tokenizer, const std::string& text) {
  const auto ids = tokenizer.encode(text);
  if (!ids.ok()) return;
  const auto decoded = tokenizer.decode(*ids, false);
  CHECK(decoded.ok()) << "the tokenizer made an id that it does not have";
  Detokenizer detokenizer(tokenizer, false);
  std::string streamed;
  for (const TokenId id : *ids) {
    const auto part = detokenizer.push(id);
    CHECK(part.ok() && is_valid_utf8(*part));
    streamed += *part;
    tokenizer.token_bytes(id);
  }
  CHECK(streamed + detokenizer.finish() == *decoded);
}

}  // namespace
}  // namespace orrery::tokenizer

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace orrery;
  using namespace orrery::tokenizer;
  FuzzedDataProvider data(bytes, size);
  const int mode = data.ConsumeIntegralInRange(0, 7);
  LoadResult loaded = Status(StatusCode::kInternal, "not loaded");
  const std::string text = data.ConsumeRandomLengthString(64) + " a ab▁ <s> é1'S\n b";
  if (mode == 0) {
    loaded = load_tokenizer_json(data.ConsumeRemainingBytesAsString(), "fuzz");
  } else if (mode == 1) {
    const auto model = data.ConsumeRemainingBytes<uint8_t>();
    loaded = load_sentencepiece(std::as_bytes(std::span(model)), "fuzz");
  } else if (mode == 2) {
    loaded = load_tiktoken(data.ConsumeRemainingBytesAsString(), "gpt2", "fuzz");
  } else {
    loaded = load_tokenizer_json(dump_json(Generator(data).tokenizer()), "fuzz");
  }
  if (loaded.ok()) use(**loaded, text);
  return 0;
}
