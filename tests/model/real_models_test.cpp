// Trained checkpoints, text to text: the embedded demo model against transformers, and
// TinyStories-656K of the shared data against what llama.cpp and a float64 computation recorded.
#include <cstring>

#include "base/test_data.h"
#include "llm/llm.h"
#include "model/loaded_model.h"

namespace orrery {
namespace {

std::unique_ptr<llm::Llm> load_llm(const std::string& model,
                                   const std::string& kv_cache_dtype = "auto") {
  llm::LlmOptions options;
  options.model = model;
  options.kv_cache_dtype = kv_cache_dtype;
  auto loaded = llm::Llm::load(options, make_kernels_for_test(usable_tables().back(), 2));
  EXPECT_TRUE(loaded.ok()) << loaded.status().message();
  return loaded.ok() ? std::move(loaded).value() : nullptr;
}

llm::Generation generate(llm::Llm& llm, const std::vector<int32_t>& ids, int64_t max_tokens,
                         bool ignore_eos) {
  llm::GenerationParams params;
  params.sampling.temperature = 0;
  params.max_tokens = max_tokens;
  params.ignore_eos = ignore_eos;
  llm::GenerationObserver silent;
  auto generation = llm.generate(ids, params, silent);
  EXPECT_TRUE(generation.ok()) << generation.status().message();
  return generation.ok() ? std::move(generation).value() : llm::Generation{};
}

Json read_json(const std::string& path) {
  auto file = MappedFile::open(path);
  EXPECT_TRUE(file.ok()) << file.status().message();
  auto json = parse_json(file.ok() ? file->text() : "null", path);
  return json.ok() ? *json : Json();
}

TEST(DemoModel, SaysWhatTransformersSays) {
  const auto llm = load_llm("demo", "float32");
  ASSERT_NE(llm, nullptr);
  const Json golden = read_json(ORRERY_SOURCE_DIR "/models/demo/golden.json");
  ASSERT_GE(golden["cases"].size(), 4u);
  for (const Json& c : golden["cases"]) {
    const auto ids = c["prompt_ids"].get<std::vector<int32_t>>();
    if (!c.contains("messages")) {
      auto tokenized = llm->tokenize(c["prompt"].get<std::string>());
      ASSERT_TRUE(tokenized.ok());
      EXPECT_EQ(*tokenized, ids);
    } else {
      auto tokenized = llm->tokenize_chat(OrderedJson(c["messages"]));
      ASSERT_TRUE(tokenized.ok()) << tokenized.status().message();
      EXPECT_EQ(*tokenized, ids);
    }
    const auto expected = c["output_ids"].get<std::vector<int32_t>>();
    const llm::Generation generation =
        generate(*llm, ids, static_cast<int64_t>(expected.size()), true);
    EXPECT_EQ(generation.token_ids, expected);
    EXPECT_EQ(generation.text, c["output_text"].get<std::string>());
  }
}

class TinyStories : public testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_DATA();
    dir_ = test_data_dir() + "/models/tinystories-656k";
    reference_ = read_json(dir_ + "/reference/reference.json");
  }
  std::string dir_;
  Json reference_;
};

TEST_F(TinyStories, Float32TokensEqualThoseOfAFloat64Computation) {
  for (const std::string& model : {dir_, dir_ + "/gguf/tinystories-656k-f32.gguf"}) {
    const auto llm = load_llm(model);
    ASSERT_NE(llm, nullptr);
    for (const Json& prompt : reference_["prompts"]) {
      auto ids = llm->tokenize(prompt["prompt"].get<std::string>());
      ASSERT_TRUE(ids.ok());
      EXPECT_EQ(*ids, prompt["ids"].get<std::vector<int32_t>>()) << model;
      const auto expected = prompt["float64_greedy_128_ids"].get<std::vector<int32_t>>();
      auto tokens = generate(*llm, *ids, 128, false).token_ids;
      // The recording leaves out the token that ended it.
      if (tokens.size() == expected.size() + 1) tokens.pop_back();
      EXPECT_EQ(tokens, expected) << model << ": " << prompt["prompt"];
    }
  }
}

// llama.cpp computed these logits with an fp16 KV cache: 0.011 from float64 at the most.
TEST_F(TinyStories, LogitsAreThoseOfLlamaCpp) {
  const auto llm = load_llm(dir_);
  ASSERT_NE(llm, nullptr);
  for (const Json& prompt : reference_["prompts"]) {
    const auto ids = prompt["ids"].get<std::vector<int32_t>>();
    auto runner = engine::Runner::create(llm->model(), llm->kernels(), DType::kF32, 64);
    ASSERT_TRUE(runner.ok());
    const auto logits = runner->append(ids, engine::LogitsOf::kLastToken);
    ASSERT_TRUE(logits.ok());
    auto file =
        MappedFile::open(dir_ + "/reference/" + prompt["last_logits_f32"].get<std::string>());
    ASSERT_TRUE(file.ok());
    std::vector<float> expected(file->size() / sizeof(float));
    std::memcpy(expected.data(), file->bytes().data(), file->size());
    ASSERT_EQ(expected.size(), logits->f32().size());
    for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(logits->f32()[i], expected[i], 0.02);
  }
}

// The best choice among the tokens that spell the beginning of `rest`, and by how much it misses
// the best of all.
struct Spelling {
  int32_t id = -1;
  double gap = 0;
};
Spelling best_spelling(const tokenizer::Tokenizer& tokenizer, std::span<const float> row,
                       std::string_view rest) {
  Spelling best;
  for (int32_t id = 0; id < static_cast<int32_t>(row.size()); ++id) {
    const std::string bytes = tokenizer.token_bytes(id);
    const bool better =
        best.id < 0 || row[static_cast<size_t>(id)] > row[static_cast<size_t>(best.id)];
    if (!bytes.empty() && rest.starts_with(bytes) && better) best.id = id;
  }
  if (best.id >= 0)
    best.gap = *std::max_element(row.begin(), row.end()) - row[static_cast<size_t>(best.id)];
  return best;
}

// llama.cpp's own texts. It computed them with fp16 keys and values and, for Q8_0 and Q4_0, with
// activations rounded to 8 bits; we round neither, so a text may part from its recording at a near
// tie. Hence: led along the recording, each token must be our first choice or miss it by no more
// than that rounding moves a logit (their largest is about 20).
TEST_F(TinyStories, RecordedTextsOfEveryFormatAreOurChoicesUpToNearTies) {
  struct Format {
    std::string name;
    double tolerance;  // of a logit
    int misses;        // tokens that may be further off
  };
  for (const Format& format :
       {Format{"f32", 0.02, 0}, {"F16", 0.02, 0}, {"Q8_0", 0.1, 0}, {"Q4_0", 0.3, 1}}) {
    const auto llm = load_llm(dir_ + "/gguf/tinystories-656k-" + format.name + ".gguf", "float32");
    ASSERT_NE(llm, nullptr);
    double worst = 0;
    int first_choices = 0, misses = 0, tokens = 0;
    for (const Json& prompt : reference_["prompts"]) {
      const std::string text = prompt["greedy_64_new_tokens"][format.name];
      const std::string begin = "<|start_story|> " + prompt["prompt"].get<std::string>();
      ASSERT_TRUE(text.starts_with(begin));
      auto runner = engine::Runner::create(llm->model(), llm->kernels(), DType::kF32, 256);
      auto logits =
          runner->append(prompt["ids"].get<std::vector<int32_t>>(), engine::LogitsOf::kLastToken);
      // The recording ends in a line break of the tool's own.
      for (std::string_view rest = std::string_view(text).substr(begin.size()); rest.size() > 8;
           ++tokens) {
        const Spelling next = best_spelling(*llm->tokenizer(), logits->f32(), rest);
        ASSERT_GE(next.id, 0) << rest;
        worst = std::max(worst, next.gap);
        first_choices += next.gap == 0 ? 1 : 0;
        misses += next.gap > format.tolerance ? 1 : 0;
        rest.remove_prefix(llm->tokenizer()->token_bytes(next.id).size());
        logits = runner->append({&next.id, 1}, engine::LogitsOf::kLastToken);
      }
    }
    // One token of Q4_0 misses by 1.49, for a reason not known; the recording has texts, not ids,
    // so it may have been spelled with other tokens.
    EXPECT_LE(misses, format.misses) << format.name;
    std::cout << format.name << ": " << first_choices << " of " << tokens
              << " tokens are our first choice, the worst misses by " << worst << "\n";
  }
}

}  // namespace
}  // namespace orrery
