#include "sampler/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "base/random.h"
#include "sampler/test_reference.h"

namespace orrery::sampler {
namespace {

using testing::HasSubstr;
constexpr float kInf = std::numeric_limits<float>::infinity();
const float kNan = std::numeric_limits<float>::quiet_NaN();

struct Case {
  std::vector<float> logits;
  SamplingParams params;
  std::vector<int32_t> prompt, output;
};

// Any mix of parameters that leaves a token to draw.
Case random_case(uint32_t seed) {
  std::mt19937 random(seed);
  const auto one_in = [&](uint32_t n) { return random() % n == 0; };
  const auto uniform = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random);
  };
  constexpr int64_t kSizes[] = {1, 2, 5, 63, 64, 65, 300, 1000, 4099};
  const auto size = static_cast<size_t>(kSizes[random() % std::size(kSizes)]);
  const auto any_id = [&] { return static_cast<int32_t>(random() % size); };
  const auto some_ids = [&](size_t most) {
    std::vector<int32_t> ids(random() % (most + 1));
    for (int32_t& id : ids) id = any_id();
    return ids;
  };

  Case c;
  std::normal_distribution<float> normal(0, one_in(2) ? 1.0F : 4.0F);
  c.logits.resize(size);
  const bool coarse = one_in(4);  // many equal logits
  for (float& x : c.logits) x = coarse ? std::round(normal(random)) : normal(random);
  c.prompt = some_ids(20);
  c.output = some_ids(20);
  SamplingParams& p = c.params;
  p.temperature = one_in(8) ? 0 : one_in(3) ? 1 : uniform(0.2, 3);
  if (one_in(2)) p.top_p = uniform(0.01, 1);
  if (one_in(2)) p.top_k = static_cast<int32_t>(random() % (size + 2));
  if (one_in(3)) p.min_p = uniform(0, 0.5);
  if (one_in(3)) p.typical_p = uniform(0.05, 1);
  if (one_in(3)) p.repetition_penalty = uniform(0.5, 2);
  if (one_in(3)) p.frequency_penalty = uniform(-2, 2);
  if (one_in(3)) p.presence_penalty = uniform(-2, 2);
  if (size < 5) return c;
  if (one_in(4)) p.logit_bias = {{1, 3.5F}, {4, -100}, {3, static_cast<float>(uniform(-5, 5))}};
  if (one_in(4)) p.bad_words = {{any_id()}, {c.output.empty() ? 0 : c.output.back(), any_id()}};
  if (one_in(4)) {
    p.min_tokens = 15;
    p.stop_token_ids = {any_id()};
    p.eos_token_ids = {any_id()};
  }
  if (one_in(4)) {
    p.allowed_token_ids = some_ids(size);
    for (int32_t id = 0; id < 5; ++id) p.allowed_token_ids->push_back(id);
  }
  return c;
}

TEST(Sampler, AgreesWithTheSortedReferenceOnThousandsOfMixes) {
  int passed_over = 0;
  constexpr int kCases = 4000;
  for (int i = 0; i < kCases; ++i) {
    SCOPED_TRACE(i);
    const Case c = random_case(static_cast<uint32_t>(i));
    ASSERT_TRUE(validate(c.params, static_cast<int64_t>(c.logits.size())).ok());
    auto expected = reference_distribution(c.logits, c.params, c.prompt, c.output);
    const SampleInput input{
        .prompt_ids = c.prompt, .output_ids = c.output, .seed = 7, .position = uint64_t(i)};
    const int32_t drawn = c.params.greedy() ? expected.tokens.front().id
                                            : expected.draw(uniform_double(7, uint64_t(i)));
    if (expected.margin < 1e-6) {
      ++passed_over;
      continue;
    }
    Sampler sampler(static_cast<int64_t>(c.logits.size()));
    std::vector<float> row = c.logits;
    EXPECT_EQ(sampler.sample(row, c.params, input).value().id, drawn);

    SamplingParams params = c.params;
    params.logprobs = -1;
    params.logprobs_mode = LogprobsMode::kProcessedLogprobs;
    row = c.logits;
    SampleTrace trace;
    const SampledToken token = sampler.sample(row, params, input, &trace).value();
    EXPECT_EQ(token.id, drawn);
    ASSERT_EQ(token.top_logprobs.size(), expected.tokens.size());
    for (size_t rank = 0; rank < expected.tokens.size(); ++rank) {
      const TokenLogprob& got = token.top_logprobs[rank];
      ASSERT_EQ(got.id, expected.tokens[rank].id) << rank;
      EXPECT_EQ(got.rank, static_cast<int32_t>(rank) + 1);
      EXPECT_NEAR(got.logprob, std::log(expected.tokens[rank].probability), 1e-5);
      if (got.id == drawn) {
        EXPECT_EQ(token.rank, got.rank);
        EXPECT_EQ(token.logprob, got.logprob);
      }
    }
  }
  EXPECT_LT(passed_over, kCases / 20);
}

// Draws from logits ln(p) with the processed distribution, as a map from id to probability.
std::map<int32_t, double> processed(const std::vector<double>& p, SamplingParams params,
                                    const std::vector<int32_t>& output = {}) {
  std::vector<float> row(p.size());
  for (size_t i = 0; i < p.size(); ++i) row[i] = static_cast<float>(std::log(p[i]));
  params.logprobs = -1;
  params.logprobs_mode = LogprobsMode::kProcessedLogprobs;
  Sampler sampler(static_cast<int64_t>(p.size()));
  const SampledToken token = sampler.sample(row, params, {.output_ids = output}).value();
  std::map<int32_t, double> out;
  for (const TokenLogprob& t : token.top_logprobs) out[t.id] = std::exp(t.logprob);
  return out;
}

std::vector<int32_t> ids_of(const std::map<int32_t, double>& distribution) {
  std::vector<int32_t> ids;
  for (const auto& [id, p] : distribution) ids.push_back(id);
  return ids;
}

TEST(SamplerOrder, RestrictsTopPToWhatTopKLeft) {
  // 0.4 / 0.7 = 0.57 reaches 0.5 after top_k; the other way round 0.4 and 0.3 would both stay.
  EXPECT_THAT(ids_of(processed({0.4, 0.3, 0.2, 0.1}, {.top_p = 0.5, .top_k = 2})),
              testing::ElementsAre(0));
}

TEST(SamplerOrder, RestrictsTopPToWhatMinPLeft) {
  // min_p keeps 0.4 and 0.3, of which the first holds 0.57; the other way round both would stay.
  EXPECT_THAT(ids_of(processed({0.4, 0.3, 0.2, 0.1}, {.top_p = 0.5, .min_p = 0.7})),
              testing::ElementsAre(0));
}

TEST(SamplerOrder, AppliesTemperatureBeforeTheFilters) {
  // At temperature 2 the ratio 0.09 / 0.9 becomes 0.316, above min_p.
  EXPECT_THAT(ids_of(processed({0.9, 0.09, 0.01}, {.temperature = 2, .min_p = 0.3})),
              testing::ElementsAre(0, 1));
  EXPECT_THAT(ids_of(processed({0.9, 0.09, 0.01}, {.temperature = 1, .min_p = 0.3})),
              testing::ElementsAre(0));
}

TEST(SamplerOrder, TakesTypicalTokensOfWhatTopPLeft) {
  // Of all five the entropy is 1.46, to which 0.25 (1.39) is nearest. Of the first two, which top_p
  // leaves, it is 0.68, and 0.58 (0.54) is nearest.
  EXPECT_THAT(ids_of(processed({0.35, 0.25, 0.2, 0.1, 0.1}, {.typical_p = 0.1})),
              testing::ElementsAre(1));
  EXPECT_THAT(ids_of(processed({0.35, 0.25, 0.2, 0.1, 0.1}, {.top_p = 0.5, .typical_p = 0.1})),
              testing::ElementsAre(0));
}

TEST(SamplerOrder, BiasesBeforeItPenalises) {
  // The bias makes the logit positive, so the repetition penalty divides it: (-1 + 3) / 2 = 1.
  std::vector<float> row = {-1, 0};
  Sampler sampler(2);
  const std::vector<int32_t> output = {0};
  const SamplingParams params{
      .frequency_penalty = 0.5, .repetition_penalty = 2, .logit_bias = {{0, 3}}};
  ASSERT_TRUE(sampler.sample(row, params, {.output_ids = output}).ok());
  EXPECT_EQ(row[0], 0.5F);  // and the frequency penalty comes after it: not (2 - 0.5) / 2
}

TEST(SamplerOrder, LetsNoBiasBringBackAMaskedToken) {
  for (const SamplingParams& params :
       {SamplingParams{.temperature = 0, .logit_bias = {{1, 100}}, .allowed_token_ids = {{0, 2}}},
        SamplingParams{.temperature = 0, .logit_bias = {{1, 100}}, .bad_words = {{1}}},
        SamplingParams{
            .temperature = 0, .logit_bias = {{1, 100}}, .min_tokens = 1, .eos_token_ids = {1}}}) {
    std::vector<float> row = {1, 5, 2};
    EXPECT_EQ(Sampler(3).sample(row, params, {}).value().id, 2);
  }
}

TEST(SamplerOrder, LeavesGreedyToItsPenaltiesAlone) {
  // No filter after the greedy exit counts.
  std::vector<float> row = {1, 5, 4.9F};
  const std::vector<int32_t> output = {1};
  const SamplingParams params{
      .temperature = 9e-6, .top_p = 0.1, .top_k = 1, .typical_p = 0.01, .presence_penalty = 1};
  EXPECT_EQ(Sampler(3).sample(row, params, {.output_ids = output}).value().id, 2);
}

TEST(Sampler, TakesTheLowestIdOfEqualLogits) {
  const std::vector<float> equal(1000, 2.5F);
  Sampler sampler(1000);
  std::vector<float> row = equal;
  EXPECT_EQ(sampler.sample(row, {.temperature = 0}, {}).value().id, 0);
  SamplingParams params{.logprobs = -1, .logprobs_mode = LogprobsMode::kProcessedLogprobs};
  for (const auto& [top_k, top_p, left] :
       {std::tuple(7, 1.0, 7), std::tuple(0, 0.25, 250), std::tuple(600, 0.5, 300)}) {
    params.top_k = top_k;
    params.top_p = top_p;
    row = equal;
    const SampledToken token = sampler.sample(row, params, {}).value();
    ASSERT_EQ(token.top_logprobs.size(), static_cast<size_t>(left));
    EXPECT_EQ(token.top_logprobs.back().id, left - 1);
  }
}

TEST(Sampler, AlwaysLeavesAToken) {
  for (const SamplingParams& params :
       {SamplingParams{.top_p = 1e-300}, SamplingParams{.min_p = 1}, SamplingParams{.top_k = 1},
        SamplingParams{.typical_p = 1e-300}, SamplingParams{.temperature = 1.1e-5}}) {
    std::vector<float> row = {1, 3, 2};
    const auto token = Sampler(3).sample(row, params, {});
    ASSERT_TRUE(token.ok());
    if (params.typical_p == 1) {
      EXPECT_EQ(token->id, 1);
    }
  }
}

TEST(Sampler, TreatsNanAsMaskedAndInfinityAsCertain) {
  for (const double temperature : {0.0, 1e-4, 1.0, 1e30, 1e300}) {
    for (uint64_t position = 0; position < 50; ++position) {
      SCOPED_TRACE(temperature);
      Sampler sampler(5);
      const SampleInput input{.position = position};
      const SamplingParams params{.temperature = temperature, .logprobs = -1};
      std::vector<float> row = {kNan, 1, -kInf, kNan, 3};
      const int32_t of_nan = sampler.sample(row, params, input).value().id;
      EXPECT_TRUE(of_nan == 1 || of_nan == 4);
      row = {5, kInf, kNan, -kInf, kInf};
      const SampledToken of_inf = sampler.sample(row, params, input).value();
      EXPECT_TRUE(of_inf.id == 1 || (of_inf.id == 4 && temperature > 0));
      EXPECT_NEAR(of_inf.logprob, std::log(0.5), 1e-6);
      EXPECT_EQ(of_inf.top_logprobs.size(), 2U);
      row = {3e38F, -3e38F, -kInf, 2e38F, kNan};
      EXPECT_LE(sampler.sample(row, params, input).value().id, 3);
    }
  }
}

TEST(Sampler, NeverPicksAForbiddenTokenFromHostileRows) {
  std::mt19937 random(11);
  const float kinds[] = {kNan, kInf, -kInf, 3.4e38F, -3.4e38F, 1e-45F, 0, -0.0F, 1, 88};
  for (int i = 0; i < 3000; ++i) {
    Case c = random_case(random());
    for (float& x : c.logits) {
      if (random() % 3 != 0) x = kinds[random() % std::size(kinds)];
    }
    c.params.logprobs = 5;
    if (i % 2 == 0) c.params.logprobs_mode = LogprobsMode::kProcessedLogprobs;
    Sampler sampler(static_cast<int64_t>(c.logits.size()));
    std::vector<float> row = c.logits;
    SampleTrace trace;
    const auto token =
        sampler.sample(row, c.params, {.prompt_ids = c.prompt, .output_ids = c.output},
                       i % 3 == 0 ? &trace : nullptr);
    const std::vector<float> logits = reference_logits(c.logits, c.params, c.prompt, c.output);
    const bool any = std::any_of(logits.begin(), logits.end(), [](float x) { return x > -kInf; });
    ASSERT_EQ(token.ok(), any);
    if (!any) continue;
    ASSERT_GE(token->id, 0);
    ASSERT_LT(static_cast<size_t>(token->id), logits.size());
    EXPECT_GT(logits[token->id], -kInf);
    EXPECT_FALSE(std::isnan(token->logprob));
    for (const TokenLogprob& t : token->top_logprobs) EXPECT_GT(t.logprob, -kInf);
  }
}

class NoTokens : public TokenMask {
 public:
  Status apply(std::span<uint32_t> bits) const override {
    std::fill(bits.begin(), bits.end(), 0);
    return {};
  }
};

TEST(Sampler, ReportsARowWithNothingLeftAndGoesOn) {
  Sampler sampler(4);
  const NoTokens no_tokens;
  std::vector<float> row = {1, 2, 3, 4};
  const Status masked = sampler.sample(row, {}, {.position = 9, .mask = &no_tokens}).status();
  EXPECT_EQ(masked.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(masked.message(), HasSubstr("position 9"));
  EXPECT_THAT(masked.message(), HasSubstr("the grammar"));

  row = {1, -kInf, kNan, 4};
  const Status emptied =
      sampler.sample(row, {.temperature = 0, .allowed_token_ids = {{1, 2}}}, {}).status();
  EXPECT_EQ(emptied.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(emptied.message(), HasSubstr("allowed_token_ids"));

  row = {kNan, -kInf, kNan, kNan};
  EXPECT_EQ(sampler.sample(row, {.logprobs = 2}, {}).status().code(), StatusCode::kInternal);
  EXPECT_EQ(sampler.logprobs(row, {}, 1).status().code(), StatusCode::kInternal);

  row = {1, 2, 3, 4};
  EXPECT_EQ(sampler.sample(row, {.temperature = 0}, {}).value().id, 3);
}

TEST(Sampler, WritesOnlyItsOwnRow) {
  constexpr size_t kSize = 129;
  std::vector<float> rows(3 * kSize, 42);
  for (size_t i = kSize; i < 2 * kSize; ++i) rows[i] = i % 7 == 0 ? kInf : 1;
  const SamplingParams params{
      .top_p = 0.5, .min_p = 0.1, .repetition_penalty = 3, .logit_bias = {{128, 2}}, .logprobs = 3};
  const std::vector<int32_t> prompt = {-1, 128, 129, std::numeric_limits<int32_t>::max(),
                                       std::numeric_limits<int32_t>::min()};
  ASSERT_TRUE(Sampler(kSize)
                  .sample(std::span(rows).subspan(kSize, kSize), params,
                          {.prompt_ids = prompt, .output_ids = prompt})
                  .ok());
  for (size_t i = 0; i < kSize; ++i) {
    EXPECT_EQ(rows[i], 42);
    EXPECT_EQ(rows[2 * kSize + i], 42);
  }
}

TEST(Sampler, DrawsTheSameWhateverWasSampledBefore) {
  Sampler used(4099);
  for (uint32_t i = 0; i < 300; ++i) {
    Case c = random_case(i);
    c.logits.resize(4099, -1.5F);
    const SampleInput input{
        .prompt_ids = c.prompt, .output_ids = c.output, .seed = i, .position = i + 1};
    std::vector<float> a = c.logits, b = c.logits;
    Sampler fresh(4099);
    EXPECT_EQ(used.sample(a, c.params, input).value().id, fresh.sample(b, c.params, input)->id);
  }
}

TEST(SamplerLogprobs, AreThoseOfTheRawLogitsByDefault) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, 4);
  std::vector<float> raw(2000);
  for (float& x : raw) x = normal(random);
  raw[3] = raw[1999];  // a tie
  raw[77] = -kInf;
  double sum = 0;
  for (const float x : raw) sum += std::exp(static_cast<double>(x));
  const auto exact = [&](int32_t id) { return static_cast<double>(raw[id]) - std::log(sum); };
  const auto rank = [&](int32_t id) {
    int32_t before = 0;
    for (int32_t i = 0; i < 2000; ++i) before += raw[i] > raw[id] || (raw[i] == raw[id] && i < id);
    return before + 1;
  };

  Sampler sampler(2000);
  const SamplingParams params{.temperature = 3,
                              .top_k = 1000,
                              .repetition_penalty = 1.5,
                              .logit_bias = {{50, 20}},
                              .bad_words = {{51}},
                              .logprobs = 20};
  for (uint64_t position = 0; position < 20; ++position) {
    std::vector<float> row = raw;
    const SampledToken token = sampler.sample(row, params, {.position = position}).value();
    EXPECT_NEAR(token.logprob, exact(token.id), 2e-6 * std::abs(exact(token.id)) + 1e-6);
    EXPECT_EQ(token.rank, rank(token.id));
    ASSERT_EQ(token.top_logprobs.size(), 20U);
    for (int32_t i = 0; i < 20; ++i) {
      EXPECT_EQ(rank(token.top_logprobs[i].id), i + 1);
      EXPECT_EQ(token.top_logprobs[i].rank, i + 1);
    }
  }

  std::vector<int32_t> all(2000);
  for (int32_t id = 0; id < 2000; ++id) all[id] = id;
  const RowLogprobs row = sampler.logprobs(raw, all, -1).value();
  double total = 0;
  for (const TokenLogprob& t : row.tokens) {
    total += std::exp(static_cast<double>(t.logprob));
    EXPECT_EQ(t.rank, rank(t.id));
    if (t.id == 77) {
      EXPECT_EQ(t.logprob, -kInf);
    } else {
      EXPECT_NEAR(t.logprob, exact(t.id), 1e-6 * std::abs(exact(t.id)) + 1e-6);
    }
  }
  EXPECT_NEAR(total, 1, 1e-6);
  EXPECT_EQ(row.top_logprobs.size(), 1999U);  // all but the masked one
  EXPECT_EQ(sampler.logprobs(raw, {}, 0)->top_logprobs.size(), 0U);
}

TEST(SamplerLogprobs, AreNotComputedUnasked) {
  std::vector<float> row = {1, 2};
  const SampledToken token = Sampler(2).sample(row, {}, {}).value();
  EXPECT_EQ(token.rank, 0);
  EXPECT_TRUE(token.top_logprobs.empty());
  row = {1, 2};
  const SampledToken asked = Sampler(2).sample(row, {.temperature = 0, .logprobs = 0}, {}).value();
  EXPECT_EQ(asked.rank, 1);
  EXPECT_NEAR(asked.logprob, -std::log1p(std::exp(-1.0)), 1e-6);
  EXPECT_TRUE(asked.top_logprobs.empty());
}

TEST(SamplerLogprobs, RefuseIdsOutsideTheVocabulary) {
  Sampler sampler(3);
  const std::vector<float> row = {1, 2, 3};
  for (const int32_t id : {-1, 3, std::numeric_limits<int32_t>::max()}) {
    const auto result = sampler.logprobs(row, {{id}}, 1);
    EXPECT_EQ(result.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(result.status().message(), HasSubstr("got " + std::to_string(id)));
  }
}

TEST(SampleTrace, NamesTheFilterThatCutEachToken) {
  // ln p, so that the numbers below are the probabilities.
  std::vector<float> row;
  for (const double p : {0.3, 0.2, 0.15, 0.12, 0.1, 0.08, 0.05}) {
    row.push_back(static_cast<float>(std::log(p)));
  }
  // Token 0 goes as a bad word, 6 by min_p (0.05 < 0.3 * 0.2), 5 by top_k; of 0.2, 0.15, 0.12, 0.1
  // top_p needs the first three (0.82 >= 0.75).
  const SamplingParams params{.top_p = 0.75, .top_k = 4, .min_p = 0.3, .bad_words = {{0}}};
  SampleTrace trace{.num_tokens = 7};
  const SampledToken token = Sampler(7).sample(row, params, {.seed = 3}, &trace).value();
  ASSERT_EQ(trace.tokens.size(), 7U);
  const Filter expected[] = {Filter::kBadWords, Filter::kNone, Filter::kNone, Filter::kNone,
                             Filter::kTopP,     Filter::kTopK, Filter::kMinP};
  double begin = 0;
  for (int32_t id = 0; id < 7; ++id) {
    const TracedToken& t = trace.tokens[id];
    EXPECT_EQ(t.id, id);
    EXPECT_EQ(name_of(t.cut_by), name_of(expected[id]));
    EXPECT_EQ(t.final_probability > 0, expected[id] == Filter::kNone);
    if (id == token.id) {
      EXPECT_NEAR(trace.drawn_begin, begin, 1e-6);
      EXPECT_NEAR(trace.drawn_end, begin + t.final_probability, 1e-6);
    }
    begin += t.final_probability;
  }
  EXPECT_NEAR(begin, 1, 1e-6);
  EXPECT_NEAR(trace.tokens[1].probability, 0.2 / 0.7, 1e-6);
  EXPECT_EQ(trace.tokens[0].logit, -kInf);
  EXPECT_FALSE(trace.greedy);
  EXPECT_EQ(trace.uniform, uniform_double(3, 0));
  EXPECT_LE(trace.drawn_begin, trace.uniform);
  EXPECT_GT(trace.drawn_end, trace.uniform);
  EXPECT_EQ(trace.after_masks, 6);
  EXPECT_EQ(trace.after_min_p, 5);
  EXPECT_EQ(trace.after_top_k, 4);
  EXPECT_EQ(trace.after_top_p, 3);
  EXPECT_EQ(trace.after_typical_p, 3);
}

TEST(SampleTrace, CrownsTheGreedyTokenAndAppendsItIfUnfollowed) {
  std::vector<float> row = {1, 9, 8, 2};
  SampleTrace trace{.num_tokens = 2};
  const SamplingParams params{.temperature = 0, .logit_bias = {{0, 50}}};
  EXPECT_EQ(Sampler(4).sample(row, params, {}, &trace).value().id, 0);
  EXPECT_TRUE(trace.greedy);
  ASSERT_EQ(trace.tokens.size(), 3U);
  EXPECT_EQ(trace.tokens[0].id, 1);
  EXPECT_EQ(trace.tokens[0].cut_by, Filter::kGreedy);
  EXPECT_EQ(trace.tokens[2].id, 0);
  EXPECT_EQ(trace.tokens[2].cut_by, Filter::kNone);
  EXPECT_EQ(trace.tokens[2].raw_logit, 1);
  EXPECT_EQ(trace.tokens[2].logit, 51);
  EXPECT_EQ(trace.tokens[2].final_probability, 1);
}

}  // namespace
}  // namespace orrery::sampler
