#include "sampler/constraints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

namespace orrery::sampler {
namespace {

using testing::ElementsAre;
constexpr float kMasked = -std::numeric_limits<float>::infinity();
const std::vector<float> kRow = {1, 2, 3, 4};

TEST(BadWords, ForbidTheLastTokenWhereTheOutputEndsWithTheOthers) {
  const auto masked = [](std::vector<std::vector<int32_t>> words, std::vector<int32_t> output) {
    std::vector<float> row = kRow;
    apply_bad_words(row, {.bad_words = std::move(words)}, output);
    std::vector<int32_t> ids;
    for (int32_t id = 0; id < 4; ++id) {
      if (row[id] == kMasked) ids.push_back(id);
    }
    return ids;
  };
  EXPECT_THAT(masked({{2}}, {}), ElementsAre(2));
  EXPECT_THAT(masked({{2}}, {0, 1}), ElementsAre(2));
  EXPECT_THAT(masked({{0, 1, 3}}, {2, 0, 1}), ElementsAre(3));
  EXPECT_THAT(masked({{0, 1, 3}}, {0, 1}), ElementsAre(3));
  EXPECT_THAT(masked({{0, 1, 3}}, {0, 1, 2}), ElementsAre());
  EXPECT_THAT(masked({{0, 1, 3}}, {1}), ElementsAre());  // shorter than the prefix
  EXPECT_THAT(masked({{1, 1}, {0, 2}, {3}}, {1}), ElementsAre(1, 3));
}

TEST(MinTokens, ForbidStopAndEosUntilTheCountIsReached) {
  const SamplingParams params{.min_tokens = 2, .stop_token_ids = {0}, .eos_token_ids = {3}};
  const std::vector<int32_t> output = {1, 1};
  for (const size_t length : {0, 1, 2}) {
    std::vector<float> row = kRow;
    apply_min_tokens(row, params, std::span(output).first(length));
    const bool early = length < 2;
    EXPECT_EQ(row[0] == kMasked, early);
    EXPECT_EQ(row[3] == kMasked, early);
    EXPECT_EQ(row[1], 2);
  }
}

TEST(Penalties, FollowTheirFormulas) {
  const SamplingParams params{
      .frequency_penalty = 0.5, .presence_penalty = 0.25, .repetition_penalty = 2};
  std::vector<float> row = {1, -1, 3, 4, 0, kMasked};
  std::vector<uint32_t> counts(row.size());
  const std::vector<int32_t> prompt = {0, 0, 4}, output = {1, 1, 3, 0, 5};
  apply_penalties(row, params, prompt, output, counts);
  // prompt and output; output twice and negative; nowhere; output; prompt only; masked
  EXPECT_THAT(row,
              ElementsAre(0.5F - 0.5F - 0.25F, -2 - 1 - 0.25F, 3, 2 - 0.5F - 0.25F, 0, kMasked));
  EXPECT_THAT(counts, testing::Each(0U));
}

TEST(Penalties, OfFrequencyAndPresenceLeaveThePromptAlone) {
  std::vector<float> row = kRow;
  std::vector<uint32_t> counts(row.size());
  const std::vector<int32_t> prompt = {0, 1}, output = {2};
  apply_penalties(row, {.frequency_penalty = 1, .presence_penalty = 1}, prompt, output, counts);
  EXPECT_THAT(row, ElementsAre(1, 2, 1, 4));
}

// The row under test is the first of two; the second holds canaries.
TEST(Constraints, NeverWriteOutsideTheirRow) {
  constexpr int32_t kMax = std::numeric_limits<int32_t>::max();
  constexpr int32_t kMin = std::numeric_limits<int32_t>::min();
  constexpr size_t kSize = 70;
  for (const int32_t id :
       {-1, static_cast<int32_t>(kSize), static_cast<int32_t>(kSize) + 1, kMax, kMin}) {
    const SamplingParams params{.frequency_penalty = 1,
                                .presence_penalty = 1,
                                .repetition_penalty = 2,
                                .logit_bias = {{id, 5}},
                                .allowed_token_ids = {{1, id}},
                                .bad_words = {{id}, {id, id}},
                                .min_tokens = 9,
                                .stop_token_ids = {id},
                                .eos_token_ids = {id}};
    const std::vector<int32_t> history = {id, id};
    std::vector<float> rows(2 * kSize, 7);
    std::vector<uint32_t> counts(kSize), bits;
    const std::span<float> row = std::span(rows).first(kSize);
    apply_bad_words(row, params, history);
    apply_min_tokens(row, params, history);
    apply_logit_bias(row, params);
    apply_penalties(row, params, history, history, counts);
    EXPECT_THAT(rows, testing::Each(7.0F));
    apply_allowed_token_ids(row, *params.allowed_token_ids, bits);
    for (size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(rows[i], i == 1 || i >= kSize ? 7 : kMasked) << i;
    }
  }
}

class EvenTokens : public TokenMask {
 public:
  Status apply(std::span<uint32_t> bits) const override {
    for (uint32_t& word : bits) word &= 0x55555555;
    return {};
  }
};
class FailingMask : public TokenMask {
 public:
  explicit FailingMask(bool throws) : throws_(throws) {}
  Status apply(std::span<uint32_t>) const override {
    if (throws_) throw std::runtime_error("dead end");
    return invalid_argument("grammar: expected a rule, got none");
  }

 private:
  bool throws_;
};

TEST(TokenMask, ForbidsWhatItClears) {
  for (const size_t size : {1, 31, 32, 33, 70}) {
    std::vector<float> rows(size + 1, 7);
    std::vector<uint32_t> bits;
    ASSERT_TRUE(apply_token_mask(std::span(rows).first(size), EvenTokens(), bits).ok());
    EXPECT_EQ(bits.size(), (size + 31) / 32);
    for (size_t i = 0; i < size; ++i) EXPECT_EQ(rows[i], i % 2 == 0 ? 7 : kMasked);
    EXPECT_EQ(rows[size], 7);
  }
}

TEST(TokenMask, FailsOnlyItsOwnCall) {
  std::vector<float> row = kRow;
  std::vector<uint32_t> bits;
  const Status error = apply_token_mask(row, FailingMask(false), bits);
  EXPECT_EQ(error.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(error.message(), "token mask: grammar: expected a rule, got none");
  const Status thrown = apply_token_mask(row, FailingMask(true), bits);
  EXPECT_EQ(thrown.code(), StatusCode::kInternal);
  EXPECT_EQ(thrown.message(), "token mask: dead end");
}

}  // namespace
}  // namespace orrery::sampler
