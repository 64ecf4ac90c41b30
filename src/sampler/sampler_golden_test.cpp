// The final distribution against that of Hugging Face's logits processors, recorded by
// tools/make_sampler_goldens.py.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "base/json.h"
#include "sampler/sampler.h"

namespace orrery::sampler {
namespace {

SamplingParams params_of(const Json& json) {
  SamplingParams params;
  params.temperature = json.value("temperature", 1.0);
  params.top_k = json.value("top_k", 0);
  params.top_p = json.value("top_p", 1.0);
  params.min_p = json.value("min_p", 0.0);
  params.typical_p = json.value("typical_p", 1.0);
  params.repetition_penalty = json.value("repetition_penalty", 1.0);
  params.logprobs = -1;
  params.logprobs_mode = LogprobsMode::kProcessedLogprobs;
  return params;
}

TEST(SamplerGolden, GivesTheDistributionsOfHuggingFace) {
  std::ifstream file(ORRERY_SOURCE_DIR "/tests/golden/sampler/processed.json");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const Json golden = parse_json(text, "processed.json").value();
  const auto rows = golden["rows"].get<std::vector<std::vector<float>>>();
  const auto prompt = golden["prompt_ids"].get<std::vector<int32_t>>();
  ASSERT_GT(golden["cases"].size(), 50U);
  for (const Json& expected : golden["cases"]) {
    SCOPED_TRACE(expected["params"].dump() + " on row " + expected["row"].dump());
    std::vector<float> row = rows[expected["row"].get<size_t>()];
    Sampler sampler(static_cast<int64_t>(row.size()));
    const auto token = sampler.sample(row, params_of(expected["params"]), {.prompt_ids = prompt});
    std::map<int32_t, double> got;
    for (const TokenLogprob& t : token->top_logprobs) got[t.id] = std::exp(t.logprob);
    const auto ids = expected["ids"].get<std::vector<int32_t>>();
    const auto probabilities = expected["probabilities"].get<std::vector<double>>();
    ASSERT_EQ(got.size(), ids.size());
    for (size_t i = 0; i < ids.size(); ++i) {
      ASSERT_TRUE(got.count(ids[i])) << ids[i];
      EXPECT_NEAR(got[ids[i]] / probabilities[i], 1, 1e-5) << ids[i];
    }
  }
}

}  // namespace
}  // namespace orrery::sampler
