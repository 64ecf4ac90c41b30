// Every architecture against golden tokens and logits of Hugging Face transformers
// (tests/golden/models/README.md).
#include <fstream>
#include <sstream>

#include "base/json.h"
#include "model/loaded_model.h"

namespace orrery {
namespace {

Json read_json(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  auto json = parse_json(text.str(), path);
  EXPECT_TRUE(json.ok()) << json.status().message();
  return json.ok() ? *json : Json();
}

std::vector<float> read_floats(const std::string& path) {
  auto file = MappedFile::open(path);
  EXPECT_TRUE(file.ok()) << file.status().message();
  std::vector<float> values(file.ok() ? file->size() / sizeof(float) : 0);
  if (!values.empty())
    std::memcpy(values.data(), file->bytes().data(), values.size() * sizeof(float));
  return values;
}

int32_t argmax(std::span<const float> row) {
  return static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

// max |got − want| / max |want|
double relative_difference(std::span<const float> got, std::span<const float> want) {
  double difference = 0, largest = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    difference =
        std::max(difference, std::abs(static_cast<double>(got[i]) - static_cast<double>(want[i])));
    largest = std::max(largest, std::abs(static_cast<double>(want[i])));
  }
  return difference / largest;
}

// Runs the prompt whole, then greedily; compares ids and every row of logits the golden has.
void check_prompt(const model::Model& model, kernels::Kernels& kernels, const Json& prompt,
                  std::span<const float> golden) {
  const auto ids = prompt["prompt_token_ids"].get<std::vector<int32_t>>();
  const auto expected = prompt["token_ids"].get<std::vector<int32_t>>();
  const auto vocab = static_cast<size_t>(model.config().vocab_size);
  const int64_t first = prompt["logits"]["first_position"],
                rows = prompt["logits"]["num_positions"];
  const auto offset = prompt["logits"]["offset"].get<size_t>();
  auto runner = engine::Runner::create(model, kernels, DType::kF32,
                                       static_cast<int64_t>(ids.size() + expected.size()) + 1);
  ASSERT_TRUE(runner.ok());
  double worst = 0;
  const auto compare = [&](int64_t position, std::span<const float> row) {
    if (position < first || position >= first + rows) return;
    worst = std::max(
        worst,
        relative_difference(
            row, golden.subspan(offset + static_cast<size_t>(position - first) * vocab, vocab)));
  };
  auto logits = runner->append(ids, engine::LogitsOf::kEveryToken);
  ASSERT_TRUE(logits.ok());
  for (size_t i = 0; i < ids.size(); ++i)
    compare(static_cast<int64_t>(i), logits->f32().subspan(i * vocab, vocab));
  std::vector<int32_t> tokens;
  int32_t next = argmax(logits->f32().last(vocab));
  while (tokens.size() < expected.size()) {
    tokens.push_back(next);
    logits = runner->append({&next, 1}, engine::LogitsOf::kLastToken);
    ASSERT_TRUE(logits.ok());
    compare(runner->num_tokens() - 1, logits->f32());
    next = argmax(logits->f32());
  }
  EXPECT_EQ(tokens, expected);
  EXPECT_LE(worst, 1e-3);
  ::testing::Test::RecordProperty("relative_difference", std::to_string(worst));
}

Json manifest() { return read_json(golden_models_dir() + "/manifest.json")["goldens"]; }

std::vector<std::string> golden_names() {
  std::vector<std::string> names;
  const Json goldens = manifest();
  for (const Json& entry : goldens) names.push_back(entry["name"]);
  return names;
}

class ModelGolden : public testing::TestWithParam<std::string> {};

TEST_P(ModelGolden, EqualsTransformers) {
  const std::string dir = golden_models_dir();
  Json entry;
  const Json goldens = manifest();
  for (const Json& candidate : goldens) {
    if (candidate["name"] == GetParam()) entry = candidate;
  }
  const std::string golden_path = dir + "/" + entry["golden"].get<std::string>();
  const Json golden = read_json(golden_path);
  const auto values = read_floats(golden_path.substr(0, golden_path.rfind('/') + 1) +
                                  golden["logits_file"].get<std::string>());
  const auto kernels = make_kernels_for_test(usable_tables().back(), 2);
  const LoadedModel loaded = load_for_test(dir + "/" + entry["model"].get<std::string>(),
                                           entry["max_model_len"], *kernels);
  ASSERT_NE(loaded.model, nullptr);
  for (const Json& prompt : golden["prompts"])
    check_prompt(*loaded.model, *kernels, prompt, values);
}

INSTANTIATE_TEST_SUITE_P(All, ModelGolden, testing::ValuesIn(golden_names()), [](const auto& test) {
  std::string name = test.param;
  std::replace_if(
      name.begin(), name.end(),
      [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
});

}  // namespace
}  // namespace orrery
