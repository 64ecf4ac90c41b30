#include "sampler/sampling_params.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

namespace orrery::sampler {
namespace {

using testing::HasSubstr;
constexpr int64_t kVocabSize = 100;
const double kNan = std::nan("");
constexpr double kInf = std::numeric_limits<double>::infinity();

void expect_refused(const SamplingParams& params, const std::string& name,
                    const std::string& detail = "expected") {
  const Status status = validate(params, kVocabSize);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << name;
  EXPECT_THAT(status.message(), testing::StartsWith(name + ": "));
  EXPECT_THAT(status.message(), HasSubstr(detail));
}

void expect_taken(const SamplingParams& params) {
  const Status status = validate(params, kVocabSize);
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST(SamplingParams, TakesDefaultsAndBounds) {
  expect_taken({});
  expect_taken({.temperature = 0});
  expect_taken({.temperature = 100});
  expect_taken({.top_p = 1e-300, .min_p = 1, .typical_p = 1e-9});
  expect_taken({.top_k = -1});
  expect_taken({.top_k = std::numeric_limits<int32_t>::max()});
  expect_taken({.frequency_penalty = -2, .presence_penalty = 2, .repetition_penalty = 1e-3});
  expect_taken({.logprobs = 0, .prompt_logprobs = -1});
  expect_taken({.logprobs = kVocabSize});
}

TEST(SamplingParams, RefusesWhatIsOutOfRangeByName) {
  for (const double bad : {-1e-9, -1.0, kNan, kInf}) {
    expect_refused({.temperature = bad}, "temperature");
  }
  for (const double bad : {0.0, -0.1, 1.0000001, kNan, kInf}) {
    expect_refused({.top_p = bad}, "top_p");
    expect_refused({.typical_p = bad}, "typical_p");
  }
  for (const double bad : {-0.1, 1.1, kNan}) expect_refused({.min_p = bad}, "min_p");
  expect_refused({.top_k = -2}, "top_k", "got -2");
  for (const double bad : {-2.1, 2.1, kNan, -kInf}) {
    expect_refused({.frequency_penalty = bad}, "frequency_penalty");
    expect_refused({.presence_penalty = bad}, "presence_penalty");
  }
  for (const double bad : {0.0, -1.0, kNan, kInf, 1e-60, 1e60}) {
    expect_refused({.repetition_penalty = bad}, "repetition_penalty");
  }
  expect_refused({.min_tokens = -1}, "min_tokens", "got -1");
  expect_refused({.logprobs = -2}, "logprobs", "got -2");
  expect_refused({.logprobs = 101}, "logprobs", "got 101");
  expect_refused({.prompt_logprobs = 101}, "prompt_logprobs");
}

TEST(SamplingParams, RefusesIdsOutsideTheVocabularyInEveryField) {
  const std::vector<std::pair<std::string, std::function<SamplingParams(int32_t)>>> fields = {
      {"logit_bias",
       [](int32_t id) {
         return SamplingParams{.logit_bias = {{id, 1.0F}}};
       }},
      {"allowed_token_ids",
       [](int32_t id) {
         return SamplingParams{.allowed_token_ids = {{5, id}}};
       }},
      {"bad_words",
       [](int32_t id) {
         return SamplingParams{.bad_words = {{5}, {id, 6}}};
       }},
      {"bad_words",
       [](int32_t id) {
         return SamplingParams{.bad_words = {{6, id}}};
       }},
      {"stop_token_ids", [](int32_t id) { return SamplingParams{.stop_token_ids = {id}}; }},
      {"eos_token_ids", [](int32_t id) { return SamplingParams{.eos_token_ids = {id}}; }},
  };
  constexpr int32_t kMax = std::numeric_limits<int32_t>::max();
  constexpr int32_t kMin = std::numeric_limits<int32_t>::min();
  for (const auto& [name, make] : fields) {
    expect_taken(make(0));
    expect_taken(make(kVocabSize - 1));
    for (const int32_t bad : {-1, static_cast<int32_t>(kVocabSize), kMax, kMin}) {
      expect_refused(make(bad), name, "got " + std::to_string(bad));
    }
  }
}

TEST(SamplingParams, RefusesContradictionsAndEmptyWords) {
  expect_refused({.allowed_token_ids = std::vector<int32_t>{}}, "allowed_token_ids");
  expect_refused({.bad_words = {{}}}, "bad_words");
  expect_refused({.logit_bias = {{3, 1.0F}, {4, 1.0F}, {3, 2.0F}}}, "logit_bias", "got 3 twice");
  expect_refused({.logit_bias = {{3, std::nanf("")}}}, "logit_bias", "token 3");
  expect_refused({.allowed_token_ids = {{3, 4}}, .bad_words = {{4}, {3}}}, "allowed_token_ids");
  expect_taken({.allowed_token_ids = {{3, 4}}, .bad_words = {{4}, {3, 3}}});
  expect_refused(
      {.allowed_token_ids = {{3, 4}}, .min_tokens = 1, .stop_token_ids = {3}, .eos_token_ids = {4}},
      "allowed_token_ids", "min_tokens");
  expect_taken({.allowed_token_ids = {{3, 4}}, .stop_token_ids = {3}, .eos_token_ids = {4}});
}

}  // namespace
}  // namespace orrery::sampler
