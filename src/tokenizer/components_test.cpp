// Every component of tokenizer.json against Hugging Face's tokenizers, on small tokenizers that are
// committed (tests/golden/tokenizer/make_components.py).
#include "tokenizer/test_support.h"

namespace orrery::tokenizer {
namespace {

Json golden() {
  return read_json(std::string(ORRERY_SOURCE_DIR) + "/tests/golden/tokenizer/components.json");
}

TEST(TokenizerComponents, EncodeWhatHuggingFaceEncodes) {
  const Json all = golden();
  ASSERT_GT(all.size(), 25u);
  for (const Json& entry : all) {
    SCOPED_TRACE(entry.at("name").get<std::string>());
    const auto tokenizer = must(load_tokenizer_json(dump_json(entry.at("tokenizer")), "golden"));
    ASSERT_NE(tokenizer, nullptr);
    for (const Json& item : entry.at("cases")) {
      const auto text = item.at("text").get<std::string>();
      const Json& plain = item.at("plain").is_null() ? item.at("ids") : item.at("plain");
      EXPECT_EQ(ids_of(*tokenizer, text), item.at("ids").get<std::vector<TokenId>>()) << text;
      EncodeOptions options;
      options.add_special_tokens = false;
      EXPECT_EQ(ids_of(*tokenizer, text, options), plain.get<std::vector<TokenId>>()) << text;
    }
  }
}

TEST(TokenizerComponents, DecodeWhatHuggingFaceDecodes) {
  for (const Json& entry : golden()) {
    SCOPED_TRACE(entry.at("name").get<std::string>());
    const auto tokenizer = must(load_tokenizer_json(dump_json(entry.at("tokenizer")), "golden"));
    ASSERT_NE(tokenizer, nullptr);
    for (const Json& item : entry.at("cases")) {
      const auto ids = item.at("ids").get<std::vector<TokenId>>();
      if (item.at("decoded").is_null()) continue;
      EXPECT_EQ(text_of(*tokenizer, ids), item.at("decoded").get<std::string>());
      EXPECT_EQ(text_of(*tokenizer, ids, false), item.at("decoded_all").get<std::string>());
    }
    for (const Json& item : entry.at("runs")) {
      const auto ids = item.at("ids").get<std::vector<TokenId>>();
      EXPECT_EQ(text_of(*tokenizer, ids), item.at("decoded").get<std::string>());
    }
  }
}

// The concatenation is the whole decode, and every part is whole characters.
TEST(Detokenizer, EmitsWholeCharactersThatConcatenateToTheDecodedText) {
  Draws draws(11);
  for (const Json& entry : golden()) {
    SCOPED_TRACE(entry.at("name").get<std::string>());
    const auto tokenizer = must(load_tokenizer_json(dump_json(entry.at("tokenizer")), "golden"));
    ASSERT_NE(tokenizer, nullptr);
    for (int run = 0; run < 200; ++run) {
      const bool skip = run % 2 == 0;
      Detokenizer detokenizer(*tokenizer, skip);
      std::vector<TokenId> ids(draws.below(30));
      std::string text;
      for (TokenId& id : ids) {
        id = static_cast<TokenId>(draws.below(static_cast<uint32_t>(tokenizer->vocab_size())));
        const auto part = detokenizer.push(id);
        ASSERT_TRUE(part.ok());
        EXPECT_TRUE(is_valid_utf8(*part));
        text += *part;
      }
      const std::string rest = detokenizer.finish();
      EXPECT_TRUE(is_valid_utf8(rest));
      EXPECT_EQ(text + rest, text_of(*tokenizer, ids, skip));
    }
  }
}

TEST(Detokenizer, RefusesIdsOutsideTheVocabulary) {
  const auto tokenizer =
      must(load_tokenizer_json(dump_json(golden().at(0).at("tokenizer")), "golden"));
  ASSERT_NE(tokenizer, nullptr);
  Detokenizer detokenizer(*tokenizer);
  const auto size = static_cast<TokenId>(tokenizer->vocab_size());
  for (const TokenId id : {-1, size, INT32_MAX, INT32_MIN}) {
    EXPECT_FALSE(detokenizer.push(id).ok());
    EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{id}).status().code(),
              StatusCode::kInvalidArgument);
    EXPECT_EQ(tokenizer->token(id), "");
    EXPECT_EQ(tokenizer->token_bytes(id), "");
    EXPECT_FALSE(tokenizer->is_special(id));
  }
}

constexpr std::string_view kTiny = R"({"added_tokens":[
  {"id":0,"content":"<s>","special":true,"normalized":false},
  {"id":1,"content":"<t>","special":false,"normalized":false}],
  "normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},
    {"type":"Replace","pattern":{"String":" "},"content":"▁"}]},
  "decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},
    {"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},
  "model":{"type":"BPE","byte_fallback":false,"vocab":
    {"<s>":0,"<t>":1,"▁":2,"a":3,"b":4,"<":5,"s":6,">":7,"t":8,"▁a":9,"ab":10,"<0xE2>":11,
     "<0x98>":12,"<0x83>":13},
    "merges":["▁ a","a b"]}})";

TEST(Detokenizer, KeepsTheSpaceOfAWordThatContinuesAPrompt) {
  const auto tokenizer = must(load_tokenizer_json(kTiny, "tiny"));
  ASSERT_NE(tokenizer, nullptr);
  Detokenizer fresh(*tokenizer);
  EXPECT_EQ(*fresh.push(9), "a");
  Detokenizer primed(*tokenizer);
  primed.prime(std::vector<TokenId>{0, 9, 4});
  EXPECT_EQ(*primed.push(9), " a");
}

TEST(Detokenizer, HoldsAByteRunUntilItIsCertain) {
  const auto tokenizer = must(load_tokenizer_json(kTiny, "tiny"));
  ASSERT_NE(tokenizer, nullptr);
  Detokenizer detokenizer(*tokenizer);
  EXPECT_EQ(*detokenizer.push(11), "");
  EXPECT_EQ(*detokenizer.push(12), "");
  EXPECT_EQ(*detokenizer.push(13), "");
  EXPECT_EQ(*detokenizer.push(3),
            "\xE2\x98\x83"
            "a");
  EXPECT_EQ(tokenizer->token_bytes(12), "\x98");
}

TEST(Segments, OnlyTrustedTextSpellsSpecialTokens) {
  const auto tokenizer = must(load_tokenizer_json(kTiny, "tiny"));
  ASSERT_NE(tokenizer, nullptr);
  using Ids = std::vector<TokenId>;
  const auto encode = [&](std::vector<Segment> segments) {
    return *tokenizer->encode_segments(segments);
  };
  EXPECT_EQ(encode({{"<s>", true}, {"ab", false}}), (Ids{0, 9, 4}));
  EXPECT_EQ(encode({{"<s>", true}, {"<s>", false}}), (Ids{0, 2, 5, 6, 7}));
  // A token that both sides spell together is not trusted; two trusted neighbours are one text.
  EXPECT_EQ(encode({{"<s", true}, {">", false}}), (Ids{2, 5, 6, 7}));
  EXPECT_EQ(encode({{"<s", true}, {">", true}}), (Ids{0}));
  // Added tokens that are not special are ordinary spelling.
  EXPECT_EQ(encode({{"<t>", false}}), (Ids{1}));
  // Merging goes on across the border.
  EXPECT_EQ(encode({{"x a", true}, {"b", false}}), ids_of(*tokenizer, "x ab"));
  EncodeOptions none;
  none.parse_special_tokens = false;
  EXPECT_EQ(ids_of(*tokenizer, "<s><t>", none), (Ids{2, 5, 6, 7, 1}));
  EXPECT_EQ(*tokenizer->encode_segments(std::vector<Segment>{{"<s>", true}}, none),
            (Ids{2, 5, 6, 7}));
}

// Cutting a text anywhere into untrusted and trusted parts changes nothing if no special token is
// spelled; and no cut lets untrusted text become a special token, whatever the normalizer does.
TEST(Segments, KeepTheIdsOfTheWholeText) {
  Draws draws(5);
  for (const Json& entry : golden()) {
    SCOPED_TRACE(entry.at("name").get<std::string>());
    const auto tokenizer = must(load_tokenizer_json(dump_json(entry.at("tokenizer")), "golden"));
    ASSERT_NE(tokenizer, nullptr);
    for (const Json& item : entry.at("cases")) {
      const auto text = item.at("text").get<std::string>();
      std::vector<Segment> segments;
      std::string_view rest = text;
      while (!rest.empty()) {
        size_t length = 1 + draws.below(static_cast<uint32_t>(rest.size()));
        while (length < rest.size() && (rest[length] & 0xC0) == 0x80) ++length;
        segments.push_back({rest.substr(0, length), draws.below(2) == 1});
        rest.remove_prefix(length);
      }
      EncodeOptions unparsed;
      unparsed.parse_special_tokens = false;
      const auto untrusted = ids_of(*tokenizer, text, unparsed);
      const auto ids = tokenizer->encode_segments(segments);
      ASSERT_TRUE(ids.ok());
      if (untrusted == item.at("ids").get<std::vector<TokenId>>()) {
        EXPECT_EQ(*ids, untrusted) << text;
      }
      for (Segment& segment : segments) segment.trusted = false;
      EXPECT_EQ(*tokenizer->encode_segments(segments), untrusted) << text;
      for (Segment& segment : segments) segment.trusted = true;
      EXPECT_EQ(*tokenizer->encode_segments(segments), ids_of(*tokenizer, text)) << text;
    }
  }
}

}  // namespace
}  // namespace orrery::tokenizer
