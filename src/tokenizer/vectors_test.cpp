// Ids and texts that other implementations gave for the tokenizers in the shared data.
#include <fstream>

#include "tokenizer/large_json.h"
#include "tokenizer/scanner.h"
#include "tokenizer/test_support.h"

namespace orrery::tokenizer {
namespace {

std::unique_ptr<Tokenizer> load_file(std::string_view name, std::string_view pattern = {}) {
  return must(load_any_file(data_path(name), pattern));
}

std::unique_ptr<Tokenizer> load_gguf(const std::string& name) {
  const GgufMetadata metadata(data_path("tokenizers/llama.cpp-vocab/ggml-vocab-" + name + ".gguf"));
  return must(load_gguf_vocab(metadata.vocab(), name));
}

// Hugging Face's clean_up_tokenization, which the JavaScript library applies after some decoders;
// we never drop characters that the model wrote.
std::string clean_up(std::string text) {
  const std::pair<std::string, std::string> rules[] = {
      {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
      {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : rules) {
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
      text.replace(at, from.size(), to);
    }
  }
  return text;
}

struct Source {
  std::string vectors;  // name in vectors-transformersjs.json
  std::function<std::unique_ptr<Tokenizer>()> load;
};

void check_transformers_js(const Source& source) {
  SCOPED_TRACE(source.vectors);
  const auto tokenizer = source.load();
  ASSERT_NE(tokenizer, nullptr);
  const Json all = read_json(data_path("tokenizers/vectors-transformersjs.json"));
  for (const auto& [name, vector] : all.at(source.vectors).at("cases").items()) {
    const auto text = vector.at("text").get<std::string>();
    const auto ids = vector.at("ids").get<std::vector<TokenId>>();
    EXPECT_EQ(ids_of(*tokenizer, text), ids) << name << ": " << text;
    const auto expected = vector.at("decoded").get<std::string>();
    const std::string decoded = text_of(*tokenizer, ids, false);
    EXPECT_TRUE(decoded == expected || clean_up(decoded) == expected)
        << name << ": " << decoded << "\nexpected " << expected;
  }
}

TEST(TokenizerVectors, EncodesAndDecodesWhatTransformersJsDoes) {
  SKIP_WITHOUT_DATA();
  const std::vector<Source> sources = {
      {"Xenova/bert-base-uncased", [] { return load_gguf("bert-bge"); }},
      {"Xenova/gpt2", [] { return load_file("tokenizers/gpt2/tokenizer.json"); }},
      {"Xenova/gpt2", [] { return load_gguf("gpt-2"); }},
      {"Xenova/gpt-4",
       [] { return load_file("tokenizers/tiktoken/cl100k_base.tiktoken", "cl100k"); }},
      {"Xenova/llama-tokenizer", [] { return load_file("tokenizers/llama2/tokenizer.model"); }},
      {"Xenova/llama-tokenizer", [] { return load_gguf("llama-spm"); }},
      {"Xenova/llama3-tokenizer-new",
       [] { return load_file("tokenizers/llama3/tokenizer.model", "llama3"); }},
      {"Xenova/Qwen1.5-0.5B-Chat",
       [] { return load_file("tokenizers/qwen/qwen.tiktoken", "qwen2"); }},
      {"Xenova/t5-small", [] { return load_file("tokenizers/t5-small/tokenizer.json"); }},
  };
  for (const Source& source : sources) check_transformers_js(source);
}

// The tokenizer.json at hand has plain spaces where its tokens had no-break spaces: texts with
// those are left out.
TEST(TokenizerVectors, GivesTheSameIdsFromTheJsonOfLlama2) {
  SKIP_WITHOUT_DATA();
  const auto json = load_file("tokenizers/llama2/tokenizer.json");
  ASSERT_NE(json, nullptr);
  const Json all = read_json(data_path("tokenizers/vectors-transformersjs.json"));
  size_t checked = 0;
  for (const auto& [name, vector] : all.at("Xenova/llama-tokenizer").at("cases").items()) {
    const auto text = vector.at("text").get<std::string>();
    if (text.find("\u00A0") != std::string::npos) continue;
    const auto ids = vector.at("ids").get<std::vector<TokenId>>();
    EXPECT_EQ(ids_of(*json, text), ids) << name;
    EXPECT_EQ(text_of(*json, ids, false), vector.at("decoded").get<std::string>()) << name;
    ++checked;
  }
  EXPECT_GT(checked, 15u);
}

std::vector<std::string> split_on(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t at = text.find(separator); at != std::string::npos;
       at = text.find(separator, begin)) {
    parts.push_back(text.substr(begin, at - begin));
    begin = at + separator.size();
  }
  parts.push_back(text.substr(begin));
  return parts;
}

void check_llama_cpp(const std::string& name, const Tokenizer& tokenizer, bool lossless) {
  SCOPED_TRACE(name);
  const std::string base = data_path("tokenizers/llama.cpp-vocab/ggml-vocab-" + name + ".gguf");
  const auto texts = split_on(read_text(base + ".inp"), "\n__ggml_vocab_test__\n");
  const auto lines = split_on(read_text(base + ".out"), "\n");
  ASSERT_GE(lines.size(), texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    std::istringstream stream(lines[i]);
    const std::vector<TokenId> ids{std::istream_iterator<TokenId>(stream), {}};
    EncodeOptions options;
    options.add_special_tokens = false;
    EXPECT_EQ(ids_of(tokenizer, texts[i], options), ids) << i << ": " << texts[i];
    if (lossless) {
      EXPECT_EQ(text_of(tokenizer, ids), texts[i]);
    }
  }
}

TEST(TokenizerVectors, EncodesAndDecodesWhatLlamaCppRecorded) {
  SKIP_WITHOUT_DATA();
  for (const std::string name : {"deepseek-llm", "falcon", "gpt-2", "llama-spm", "starcoder"}) {
    check_llama_cpp(name, *load_gguf(name), true);
  }
  check_llama_cpp("bert-bge", *load_gguf("bert-bge"), false);
  check_llama_cpp("llama-bpe", *load_file("tokenizers/llama3/tokenizer.model", "llama3"), true);
  check_llama_cpp("qwen2", *load_file("tokenizers/qwen/qwen.tiktoken", "qwen2"), true);
}

TEST(TokenizerVectors, EncodesAndDecodesWhatHuggingFaceDoesForMistralV3) {
  SKIP_WITHOUT_DATA();
  const auto tokenizer = load_file("tokenizers/mistral/v3-hf-tokenizer.json");
  ASSERT_NE(tokenizer, nullptr);
  const Json vectors = read_json(data_path("tokenizers/mistral/v3-hf-encodings.json"));
  for (const Json& entry : vectors.at("entries")) {
    const auto text = entry.at("text").get<std::string>();
    const auto ids = entry.at("ids").get<std::vector<TokenId>>();
    EncodeOptions plain;
    plain.add_special_tokens = false;
    EXPECT_EQ(ids_of(*tokenizer, text, plain), ids) << text;
    EXPECT_EQ(ids_of(*tokenizer, text), entry.at("ids_special").get<std::vector<TokenId>>());
    EXPECT_EQ(text_of(*tokenizer, ids, false), entry.at("decode").get<std::string>());
  }
}

// Fields may be quoted, with "" for a quote.
std::vector<std::vector<std::string>> read_csv(const std::string& text) {
  std::vector<std::vector<std::string>> rows(1, std::vector<std::string>(1));
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    std::string& field = rows.back().back();
    if (quoted && text[i] == '"' && i + 1 < text.size() && text[i + 1] == '"') {
      field += text[i++];
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && text[i] == ',') {
      rows.back().emplace_back();
    } else if (!quoted && text[i] == '\n') {
      rows.emplace_back(1);
    } else {
      field += text[i];
    }
  }
  return rows;
}

void check_jtokkit(const Tokenizer& tokenizer, const std::string& csv) {
  SCOPED_TRACE(csv);
  size_t checked = 0;
  for (const auto& row : read_csv(read_text(data_path(csv)))) {
    if (row.size() < 2 || row[0] == "input") continue;
    const auto ids = parse_json(row[1], "ids")->get<std::vector<TokenId>>();
    EXPECT_EQ(ids_of(tokenizer, row[0]), ids) << row[0];
    EXPECT_EQ(text_of(tokenizer, ids), row[0]);
    ++checked;
  }
  EXPECT_GT(checked, 100u);
}

TEST(TokenizerVectors, EncodesAndDecodesWhatTiktokenDoes) {
  SKIP_WITHOUT_DATA();
  check_jtokkit(*load_file("tokenizers/tiktoken/cl100k_base.tiktoken"),
                "tokenizers/tiktoken/cl100k_base_encodings.csv");
  check_jtokkit(*load_file("tokenizers/gpt2/tokenizer.json"),
                "tokenizers/tiktoken/r50k_base_encodings.csv");
}

TEST(TokenizerVectors, GivesTheSameIdsFromAJsonMadeOfLlama3sRanks) {
  SKIP_WITHOUT_DATA();
  const auto ranks = load_file("tokenizers/llama3/tokenizer.model", "llama3");
  ASSERT_NE(ranks, nullptr);
  const std::string pattern = scan_pattern({ScanStyle::Family::kCl100k, 3, false, true});
  const auto json = must(load_tokenizer_json(make_large_json(*ranks, pattern), "llama3"));
  ASSERT_NE(json, nullptr);
  EncodeOptions plain;
  plain.add_special_tokens = false;
  for (const std::string name : {"en/wikitext-2-valid.txt", "ja/wagahaiwa_nekodearu.txt"}) {
    const std::string text = read_text(data_path("text/" + name));
    const auto ids = ids_of(*json, text, plain);
    EXPECT_EQ(ids, ids_of(*ranks, text, plain));
    EXPECT_EQ(text_of(*json, ids), replace_invalid_utf8(text));
  }
}

TEST(TokenizerVectors, LoadsEveryTokenizerOfTheSharedData) {
  SKIP_WITHOUT_DATA();
  const std::pair<std::string, int64_t> files[] = {
      {"tokenizers/added-tokens/tokenizer.json", 32011},
      {"tokenizers/minimind/tokenizer.json", 6400},
      {"tokenizers/mistral/tokenizer.model.v1", 32000},
      {"tokenizers/mistral/tokenizer.model.v3", 32768},
      {"tokenizers/phi-3-mini/tokenizer.json", 32011},
      {"tokenizers/sentencepiece/test_model.model", 1000},
      {"tokenizers/tiktoken/o200k_base.tiktoken", 200019},
      {"models/tinystories-656k/tokenizer.json", 2048},
  };
  for (const auto& [name, size] : files) {
    const auto tokenizer = load_file(name);
    ASSERT_NE(tokenizer, nullptr) << name;
    EXPECT_EQ(tokenizer->vocab_size(), size) << name;
  }
}

}  // namespace
}  // namespace orrery::tokenizer
