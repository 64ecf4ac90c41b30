// Hostile files and texts: an error or an answer, never a crash, never quadratic time.
#include <algorithm>
#include <filesystem>

#include "base/sanitizers.h"
#include "tokenizer/test_support.h"

namespace orrery::tokenizer {
namespace {

TEST(TokenizerLoad, RefusesEveryHostileFile) {
  SKIP_WITHOUT_DATA();
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(data_path("hostile/tokenizers"))) {
    ++files;
    EXPECT_FALSE(load_any_file(entry.path().string()).ok()) << entry.path();
    EXPECT_FALSE(load_any_file(entry.path().string(), "llama3").ok()) << entry.path();
  }
  EXPECT_GE(files, 5u);
}

std::string bpe_json(const std::string& vocab, const std::string& merges,
                     const std::string& added = "[]") {
  return R"({"added_tokens":)" + added + R"(,"model":{"type":"BPE","vocab":)" + vocab +
         R"(,"merges":)" + merges + "}}";
}

TEST(TokenizerLoad, RefusesIdsAndMergesThatPointOutside) {
  const std::pair<std::string, std::string> cases[] = {
      {"a negative id", bpe_json(R"({"a":-1})", "[]")},
      {"an id of 2^31", bpe_json(R"({"a":2147483648})", "[]")},
      {"an id of 2^63", bpe_json(R"({"a":9223372036854775808})", "[]")},
      {"an id that is no integer", bpe_json(R"({"a":1.5})", "[]")},
      {"an id far beyond the vocabulary", bpe_json(R"({"a":16000000})", "[]")},
      {"an id used twice", bpe_json(R"({"a":0,"b":0})", "[]")},
      {"a merge of an unknown token", bpe_json(R"({"a":0,"b":1,"ab":2})", R"(["a c"])")},
      {"a merge into an unknown token", bpe_json(R"({"a":0,"b":1})", R"(["a b"])")},
      {"a merge of one token", bpe_json(R"({"a":0})", R"(["a"])")},
      {"a merge of three tokens", bpe_json(R"({"a":0})", R"(["a a a"])")},
      {"a merge that is a number", bpe_json(R"({"a":0})", "[7]")},
      {"an added token without an id", bpe_json(R"({"a":0})", "[]", R"([{"content":"x"}])")},
      {"an added token with a negative id",
       bpe_json(R"({"a":0})", "[]", R"([{"content":"x","id":-5}])")},
      {"an added token with a taken id",
       bpe_json(R"({"a":0})", "[]", R"([{"content":"x","id":0}])")},
      {"an added token with an id of 2^40",
       bpe_json(R"({"a":0})", "[]", R"([{"content":"x","id":1099511627776}])")},
      {"no model", "{}"},
      {"a vocabulary of another type", bpe_json("[]", "[]")},
      {"an unknown model", R"({"model":{"type":"Magic","vocab":{}}})"},
      {"not JSON", "{\"model\": "},
      {"invalid UTF-8", bpe_json("{\"\xFF\":0}", "[]")},
      {"a Unigram entry without a score",
       R"({"model":{"type":"Unigram","unk_id":0,"vocab":[["a"]]}})"},
      {"a Unigram unk_id outside",
       R"({"model":{"type":"Unigram","unk_id":1,"vocab":[["a",0.0]]}})"},
      {"an empty Unigram", R"({"model":{"type":"Unigram","unk_id":0,"vocab":[]}})"},
      {"an unknown normalizer",
       R"({"normalizer":{"type":"Magic"},"model":{"type":"BPE","vocab":{"a":0},"merges":[]}})"},
      {"a template with an unknown id",
       R"({"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}},
       {"Sequence":{"id":"A"}}],"special_tokens":{"x":{"ids":[99]}}},
       "model":{"type":"BPE","vocab":{"a":0},"merges":[]}})"},
      {"a character map that is too short",
       R"({"normalizer":{"type":"Precompiled","precompiled_charsmap":"/////w=="},
       "model":{"type":"BPE","vocab":{"a":0},"merges":[]}})"},
  };
  for (const auto& [what, json] : cases) {
    const auto result = load_tokenizer_json(json, "hostile");
    EXPECT_FALSE(result.ok()) << what;
  }
  std::string deep;
  for (int i = 0; i < 3000; ++i) deep += R"({"type":"Sequence","normalizers":[)";
  EXPECT_FALSE(load_tokenizer_json(R"({"normalizer":)" + deep, "deep").ok());
}

// All words of one to three letters; a word of three is made of its first two and the third. More
// merges than one thread reads, in more than one large page of JSON.
std::string large_bpe_json(const std::string& last_merges) {
  std::string vocab, merges;
  int id = 0;
  const auto add = [&](const std::string& word) {
    vocab += fmt::format("{}\"{}\":{}", id == 0 ? "{" : ",", word, id);
    ++id;
    if (word.size() == 1) return;
    merges += fmt::format("{}\"{} {}\"", merges.empty() ? "[" : ",",
                          word.substr(0, word.size() - 1), word.back());
  };
  for (int size = 1; size <= 3; ++size) {
    for (char a = 'a'; a <= 'z'; ++a) {
      for (char b = 'a'; b <= (size > 1 ? 'z' : 'a'); ++b) {
        for (char c = 'a'; c <= (size > 2 ? 'z' : 'a'); ++c)
          add(std::string{a, b, c}.substr(0, static_cast<size_t>(size)));
      }
    }
  }
  return bpe_json(vocab + "}", merges + last_merges + "]") + std::string(size_t{5} << 20, ' ');
}

TEST(TokenizerLoad, ReadsALargeFileOnTwoThreads) {
  const auto tokenizer = must(load_tokenizer_json(large_bpe_json(R"(,"a a")"), "large"));
  ASSERT_NE(tokenizer, nullptr);
  ASSERT_EQ(tokenizer->vocab_size(), 26 + 26 * 26 + 26 * 26 * 26);
  for (TokenId id = 0; id < tokenizer->vocab_size(); ++id) {
    const std::string word(tokenizer->token(id));
    // Unless the last two letters merge first: their rank is lower, or the others are "aa", whose
    // rank is that of the last merge.
    if (word.size() == 3 && (word.substr(1) < word.substr(0, 2) || word.starts_with("aa")))
      continue;
    EXPECT_EQ(*tokenizer->encode(word), std::vector<TokenId>{id}) << word;
  }
  EXPECT_EQ(tokenizer->encode("zyx")->size(), 2u);
  EXPECT_EQ(tokenizer->encode("aab")->size(), 2u);  // a, ab
}

TEST(TokenizerLoad, NamesTheFirstWrongMergeOfALargeFile) {
  const auto loaded = load_tokenizer_json(large_bpe_json(R"(,"a B","b C","a b")"), "large");
  EXPECT_NE(loaded.status().message().find("merges[18252]"), std::string::npos)
      << loaded.status().message();
}

TEST(TokenizerLoad, AcceptsAddedTokensThatOverlap) {
  const auto tokenizer = must(load_tokenizer_json(
      bpe_json(
          R"({"a":0,"b":1,"c":2})", "[]",
          R"([{"id":3,"content":"ab","normalized":false},{"id":4,"content":"bc","normalized":false},
                   {"id":5,"content":"abc","normalized":false},{"id":6,"content":"b","normalized":false},
                   {"id":7,"content":"ab","normalized":false}])"),
      "overlap"));
  ASSERT_NE(tokenizer, nullptr);
  using Ids = std::vector<TokenId>;
  EXPECT_EQ(ids_of(*tokenizer, "abcab"), (Ids{5, 3}));  // leftmost, then longest
  EXPECT_EQ(ids_of(*tokenizer, "cbcb"), (Ids{2, 4, 1}));
}

TEST(TokenizerLoad, RefusesBrokenGgufVocabularies) {
  const auto broken = [](const std::function<void(GgufVocab&)>& change) {
    GgufVocab vocab;
    vocab.model = "llama";
    vocab.tokens = {"<unk>", "a", "b"};
    vocab.scores = {0, -1, -2};
    vocab.token_types = {2, 1, 1};
    change(vocab);
    return load_gguf_vocab(std::move(vocab), "hostile");
  };
  EXPECT_TRUE(broken([](GgufVocab&) {}).ok());
  EXPECT_FALSE(broken([](GgufVocab& v) { v.model = "magic"; }).ok());
  EXPECT_FALSE(broken([](GgufVocab& v) { v.tokens.clear(); }).ok());
  EXPECT_FALSE(broken([](GgufVocab& v) { v.scores.pop_back(); }).ok());
  EXPECT_FALSE(broken([](GgufVocab& v) { v.scores[1] = NAN; }).ok());
  EXPECT_FALSE(broken([](GgufVocab& v) { v.token_types.push_back(1); }).ok());
  EXPECT_FALSE(broken([](GgufVocab& v) { v.bos_token_id = 3; }).ok());
  EXPECT_FALSE(broken([](GgufVocab& v) { v.eos_token_id = -1; }).ok());
  EXPECT_FALSE(broken([](GgufVocab& v) { v.unknown_token_id = int64_t{1} << 32; }).ok());
  EXPECT_FALSE(broken([](GgufVocab& v) { v.tokens[1] = "\xFF"; }).ok());
  EXPECT_FALSE(broken([](GgufVocab& v) {
                 v.model = "gpt2";
                 v.pre = "gpt-2";
                 v.merges = {"a c"};
               }).ok());
  EXPECT_FALSE(broken([](GgufVocab& v) {
                 v.model = "gpt2";
                 v.pre = "never-heard-of";
               }).ok());
}

TEST(TokenizerLoad, RefusesEveryTruncationOfASentencePieceModel) {
  SKIP_WITHOUT_DATA();
  const std::string model = read_text(data_path("tokenizers/sentencepiece/test_model.model"));
  size_t loaded = 0;
  for (size_t size = 0; size < model.size(); size += 1 + size / 50) {
    const auto bytes = std::as_bytes(std::span(model.data(), size));
    if (load_sentencepiece(bytes, "cut").ok()) ++loaded;
  }
  EXPECT_EQ(loaded, 0u);  // the trainer's settings stand at the end
}

// The ratio of the times for n and 2n bytes of one long run. Both fit the cache that a core has for
// itself (512 KiB and more, of some 30 bytes for each byte of text, several times that under a
// sanitizer): beyond it the ratio would also tell what the neighbours do. A shared machine's speed
// moves, but less between two runs that follow each other: the median of such pairs, and more of
// them as long as it is `bound` or more.
double doubling(const Tokenizer& tokenizer, const std::function<std::string(size_t)>& make,
                double bound) {
  constexpr size_t kBytes = kSanitized ? 4'000 : 10'000;
  const std::string half = make(kBytes), whole = make(2 * kBytes);
  const auto time = [&](const std::string& text) {
    return seconds([&] { ids_of(tokenizer, text); });
  };
  time(whole);  // the first touches the memory
  std::vector<double> ratios;
  double median = bound;
  while (ratios.size() < 3 || (ratios.size() < 31 && median >= bound)) {
    const double of_half = time(half);
    ratios.push_back(time(whole) / of_half);
    std::sort(ratios.begin(), ratios.end());
    median = ratios[ratios.size() / 2];
  }
  return median;
}

TEST(TokenizerTime, DoublingALongRunTakesLessThanTwoAndAHalfTimesAsLong) {
  SKIP_WITHOUT_DATA();
  const std::pair<std::string, std::string> files[] = {
      {"tokenizers/llama3/tokenizer.model", "llama3"},
      {"tokenizers/tiktoken/o200k_base.tiktoken", "o200k"},
      {"tokenizers/gpt2/tokenizer.json", ""},
      {"tokenizers/llama2/tokenizer.json", ""},
      {"tokenizers/llama2/tokenizer.model", ""},
      {"tokenizers/t5-small/tokenizer.json", ""},
      {"models/tinystories-656k/tokenizer.json", ""},
  };
  const std::pair<std::string, std::function<std::string(size_t)>> runs[] = {
      {"one letter", [](size_t n) { return std::string(n, 'a'); }},
      {"capitals", [](size_t n) { return std::string(n, 'A'); }},
      {"spaces", [](size_t n) { return std::string(n, ' ') + "x"; }},
      {"line ends", [](size_t n) { return std::string(n, '\n') + "x"; }},
      {"random letters",
       [](size_t n) {
         Draws draws(1);
         std::string text(n, 'a');
         for (char& c : text) c = static_cast<char>('a' + draws.below(26));
         return text;
       }},
      {"the begin of a special token",
       [](size_t n) {
         std::string text;
         while (text.size() < n) text += "<|start_header_";
         return text;
       }},
  };
  // Linear is 2, quadratic 4; a sanitizer's own memory takes of the cache.
  constexpr double kBound = kSanitized ? 3.2 : 2.5;
  for (const auto& [file, pattern] : files) {
    const auto tokenizer = must(load_any_file(data_path(file), pattern));
    ASSERT_NE(tokenizer, nullptr);
    for (const auto& [name, make] : runs) {
      EXPECT_LT(doubling(*tokenizer, make, kBound), kBound) << file << ": " << name;
    }
  }
}

TEST(TokenizerTime, SplitsDeepSeeksTrailingSpacesInLinearTime) {
  SKIP_WITHOUT_DATA();
  const GgufMetadata metadata(data_path("tokenizers/llama.cpp-vocab/ggml-vocab-deepseek-llm.gguf"));
  const auto tokenizer = must(load_gguf_vocab(metadata.vocab(), "deepseek-llm"));
  ASSERT_NE(tokenizer, nullptr);
  // Quadratic, either number would take minutes.
  constexpr size_t kSpaces = kSanitized ? 200'000 : 1'000'000;
  EXPECT_LT(seconds([&] { ids_of(*tokenizer, std::string(kSpaces, ' ') + "x"); }), 5.0);
}

std::vector<std::string> naughty_strings() {
  std::vector<std::string> out;
  for (const Json& text : read_json(data_path("hostile/blns.json"))) {
    out.push_back(text.get<std::string>());
  }
  return out;
}

TEST(TokenizerRoundTrip, GivesNaughtyStringsBack) {
  SKIP_WITHOUT_DATA();
  const std::pair<std::string, std::string> lossless[] = {
      {"tokenizers/llama3/tokenizer.model", "llama3"},
      {"tokenizers/tiktoken/cl100k_base.tiktoken", "cl100k"},
      {"tokenizers/tiktoken/o200k_base.tiktoken", "o200k"},
      {"tokenizers/gpt2/tokenizer.json", ""},
      {"tokenizers/minimind/tokenizer.json", ""},
      {"tokenizers/llama2/tokenizer.json", ""},
      {"tokenizers/llama2/tokenizer.model", ""},
  };
  const auto texts = naughty_strings();
  ASSERT_GT(texts.size(), 400u);
  for (const auto& [file, pattern] : lossless) {
    const auto tokenizer = must(load_any_file(data_path(file), pattern));
    ASSERT_NE(tokenizer, nullptr);
    // The symbol that stands for a space in SentencePiece comes back as a space.
    const bool spm = file.find("llama2") != std::string::npos;
    for (const std::string& text : texts) {
      if (spm && text.find("\u2581") != std::string::npos) continue;
      EncodeOptions options;
      options.parse_special_tokens = false;
      const auto ids = ids_of(*tokenizer, text, options);
      EXPECT_EQ(text_of(*tokenizer, ids), text) << file;
      Detokenizer detokenizer(*tokenizer);
      std::string streamed;
      for (const TokenId id : ids) streamed += *detokenizer.push(id);
      EXPECT_EQ(streamed + detokenizer.finish(), text) << file;
    }
  }
}

TEST(TokenizerRoundTrip, ReadsInvalidUtf8AsReplacementCharacters) {
  SKIP_WITHOUT_DATA();
  const auto tokenizer =
      must(load_any_file(data_path("tokenizers/llama3/tokenizer.model"), "llama3"));
  ASSERT_NE(tokenizer, nullptr);
  Draws draws(9);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(draws.below(20), '\0');
    for (char& byte : bytes) byte = static_cast<char>(draws.below(256));
    EXPECT_EQ(text_of(*tokenizer, ids_of(*tokenizer, bytes)), replace_invalid_utf8(bytes));
  }
}

TEST(TokenizerRoundTrip, StreamsRandomIdsOfRealVocabularies) {
  SKIP_WITHOUT_DATA();
  for (const std::string file :
       {"tokenizers/llama3/tokenizer.model", "tokenizers/llama2/tokenizer.model",
        "tokenizers/llama2/tokenizer.json", "tokenizers/t5-small/tokenizer.json",
        "tokenizers/sentencepiece/test_model.model"}) {
    const auto tokenizer = must(load_any_file(data_path(file)));
    ASSERT_NE(tokenizer, nullptr);
    Draws draws(13);
    for (int round = 0; round < 2000; ++round) {
      std::vector<TokenId> ids(draws.below(40));
      // Half of the ids are small: there the byte tokens are.
      for (TokenId& id : ids) {
        const auto size = static_cast<uint32_t>(tokenizer->vocab_size());
        id = static_cast<TokenId>(draws.below(draws.below(2) == 0 ? 300 : size));
      }
      Detokenizer detokenizer(*tokenizer);
      std::string text;
      for (const TokenId id : ids) {
        const auto part = detokenizer.push(id);
        ASSERT_TRUE(part.ok() && is_valid_utf8(*part));
        text += *part;
      }
      EXPECT_EQ(text + detokenizer.finish(), text_of(*tokenizer, ids));
    }
  }
}

}  // namespace
}  // namespace orrery::tokenizer
