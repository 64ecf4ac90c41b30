// Frequencies of many draws against exact distributions: chi-square with fixed seeds, so every run
// has the same outcome. The threshold is passed by chance once in a million.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "sampler/sampler.h"
#include "sampler/test_reference.h"

namespace orrery::sampler {
namespace {

constexpr int kDraws = 200000;

// The value that a chi-square variable of so many degrees of freedom exceeds with probability 1e-6
// (Wilson and Hilferty, "The distribution of chi-square", PNAS 1931; z = 4.7534).
double chi_square_limit(int degrees) {
  const double a = 2.0 / (9.0 * degrees);
  return degrees * std::pow(1 - a + 4.7534 * std::sqrt(a), 3);
}

// Cells that expect fewer than 5 draws are pooled; a draw where 0 are expected fails.
void expect_matches(const std::vector<int>& counts, const std::vector<double>& probabilities) {
  double total = 0;
  for (const int count : counts) total += count;
  double chi_square = 0, pooled_expected = 0, pooled = 0;
  int cells = 0;
  const auto add = [&](double count, double expected) {
    chi_square += (count - expected) * (count - expected) / expected;
    ++cells;
  };
  for (size_t i = 0; i < counts.size(); ++i) {
    const double expected = probabilities[i] * total;
    if (expected == 0) {
      EXPECT_EQ(counts[i], 0) << "token " << i << " was cut";
    } else if (expected < 5) {
      pooled_expected += expected;
      pooled += counts[i];
    } else {
      add(counts[i], expected);
    }
  }
  if (pooled_expected >= 5) add(pooled, pooled_expected);
  if (cells > 1) {
    EXPECT_LT(chi_square, chi_square_limit(cells - 1)) << cells << " cells";
  }
}

std::vector<float> make_row(size_t size) {
  std::mt19937 random(21);
  std::normal_distribution<float> normal(0, 1.5F);
  std::vector<float> row(size);
  for (float& x : row) x = normal(random);
  return row;
}

struct Named {
  std::string name;
  SamplingParams params;
};
class DrawFrequencies : public testing::TestWithParam<Named> {};

TEST_P(DrawFrequencies, MatchTheExactDistribution) {
  const std::vector<float> raw = make_row(60);
  const std::vector<int32_t> prompt = {1, 2, 3, 30}, output = {3, 3, 7, 59};
  const SamplingParams& params = GetParam().params;
  const auto reference = reference_distribution(raw, params, prompt, output);
  ASSERT_GT(reference.margin, 1e-6);
  std::vector<double> probabilities(raw.size());
  for (const auto& t : reference.tokens) probabilities[t.id] = t.probability;

  Sampler sampler(60);
  std::vector<int> counts(raw.size());
  std::vector<float> row;
  for (int i = 0; i < kDraws; ++i) {
    row = raw;
    const SampleInput input{
        .prompt_ids = prompt, .output_ids = output, .seed = 99, .position = uint64_t(i)};
    ++counts[sampler.sample(row, params, input)->id];
  }
  expect_matches(counts, probabilities);
}

INSTANTIATE_TEST_SUITE_P(
    Sampler, DrawFrequencies,
    testing::Values(
        Named{"plain", {}}, Named{"cold", {.temperature = 0.4}}, Named{"hot", {.temperature = 2.5}},
        Named{"top_k", {.top_k = 9}}, Named{"top_p", {.top_p = 0.8}},
        Named{"min_p", {.min_p = 0.1}}, Named{"typical_p", {.typical_p = 0.6}},
        Named{"repetition", {.repetition_penalty = 1.4}},
        Named{"frequency_and_presence", {.frequency_penalty = 0.8, .presence_penalty = -0.5}},
        Named{"bias_and_masks", {.logit_bias = {{5, 2}, {6, -2}}, .bad_words = {{8}, {59, 9}}}},
        Named{"all_filters",
              {.temperature = 1.2,
               .top_p = 0.9,
               .top_k = 30,
               .min_p = 0.02,
               .typical_p = 0.9,
               .frequency_penalty = 0.3,
               .presence_penalty = 0.2,
               .repetition_penalty = 1.1}}),
    [](const auto& named) { return named.param.name; });

TEST(DrawFrequenciesOfALargeRow, MatchTheExactDistribution) {
  // More tokens than are ever sorted (256), with and without a filter.
  const std::vector<float> raw = make_row(600);
  for (const SamplingParams& params :
       {SamplingParams{.temperature = 2}, SamplingParams{.top_p = 0.97}}) {
    const auto reference = reference_distribution(raw, params, {}, {});
    std::vector<double> probabilities(raw.size());
    for (const auto& t : reference.tokens) probabilities[t.id] = t.probability;
    Sampler sampler(600);
    std::vector<int> counts(raw.size());
    std::vector<float> row;
    for (int i = 0; i < 100000; ++i) {
      row = raw;
      ++counts[sampler.sample(row, params, {.seed = 5, .position = uint64_t(i)})->id];
    }
    expect_matches(counts, probabilities);
  }
}

// Pairs of draws must be distributed as the product, whatever makes the pair.
class Independence : public testing::TestWithParam<int> {};

TEST_P(Independence, OfTheDrawsOfAPair) {
  const std::vector<float> raw = {0, 0.5F, -0.7F, 1.1F, -1.5F, 0.2F};
  const auto reference = reference_distribution(raw, {}, {}, {});
  std::vector<double> one(6), pairs(36);
  for (const auto& t : reference.tokens) one[t.id] = t.probability;
  for (int i = 0; i < 36; ++i) pairs[i] = one[i / 6] * one[i % 6];

  Sampler sampler(6);
  const auto draw = [&](uint64_t seed, uint64_t position) {
    std::vector<float> row = raw;
    return sampler.sample(row, {}, {.seed = seed, .position = position})->id;
  };
  std::vector<int> counts(36);
  for (uint64_t i = 0; i < kDraws; ++i) {
    const int kind = GetParam();
    const int32_t first = kind == 0   ? draw(1, 2 * i)  // neighbouring positions
                          : kind == 1 ? draw(2 * i, 0)  // neighbouring seeds, first position
                          : kind == 2 ? draw(0, i)      // seeds far apart
                                      : draw(i, i);     // along and off the diagonal
    const int32_t second = kind == 0   ? draw(1, 2 * i + 1)
                           : kind == 1 ? draw(2 * i + 1, 0)
                           : kind == 2 ? draw(uint64_t{1} << 63, i)
                                       : draw(i, i + 1);
    ++counts[first * 6 + second];
  }
  expect_matches(counts, pairs);
}

INSTANTIATE_TEST_SUITE_P(Sampler, Independence, testing::Range(0, 4));

}  // namespace
}  // namespace orrery::sampler
