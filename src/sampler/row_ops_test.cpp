#include "sampler/row_ops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace orrery::sampler {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
const float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(RowOps, ExponentiatesWithinTwoUnitsInTheSeventhDigit) {
  double worst = 0;
  for (int i = 0; i <= 870000; ++i) {
    const float key = -static_cast<float>(i) / 10000.0F;
    const double exact = std::exp(static_cast<double>(key));
    worst = std::max(worst, std::abs(exp_of_key(key) / exact - 1));
  }
  EXPECT_LT(worst, 2e-7);
  EXPECT_EQ(exp_of_key(0), 1.0F);
  EXPECT_EQ(exp_of_key(-87.1F), 0.0F);
  EXPECT_EQ(exp_of_key(-1e30F), 0.0F);
  EXPECT_EQ(exp_of_key(-kInf), 0.0F);
  EXPECT_EQ(exp_of_key(kNan), 0.0F);
}

TEST(RowOps, TakesTheLowestIdOfEqualMaximaAndNeverNan) {
  for (const size_t size : {1, 2, 63, 64, 65, 127, 128, 129, 1000}) {
    std::mt19937 random(static_cast<uint32_t>(size));
    for (int repeat = 0; repeat < 50; ++repeat) {
      std::vector<float> row(size), maxima(num_blocks(static_cast<int64_t>(size)));
      for (float& x : row) x = random() % 8 == 0 ? kNan : static_cast<float>(random() % 10) - 20;
      row[random() % size] = -30;  // so that not all are NaN
      int32_t expected = -1;
      for (size_t i = 0; i < size; ++i) {
        if (!std::isnan(row[i]) && (expected < 0 || row[i] > row[expected])) {
          expected = static_cast<int32_t>(i);
        }
      }
      const float max = block_maxima(row, maxima);
      EXPECT_EQ(max, row[expected]);
      EXPECT_EQ(first_of_max(row, maxima, max), expected);
    }
  }
}

TEST(RowOps, SumsAndGathersTheSameWhateverTheLengthOfTheLastBlock) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 5);
  for (const size_t size : {1, 5, 63, 64, 65, 200, 4099}) {
    std::vector<float> row(size), maxima(num_blocks(static_cast<int64_t>(size)));
    for (float& x : row) x = random() % 9 == 0 ? kNan : random() % 9 == 1 ? -kInf : normal(random);
    row[0] = 1;
    RowView view{row, maxima, 0, 0.7F};
    view.max = block_maxima(row, maxima);
    double sum = 0;
    std::vector<int32_t> expected;
    for (size_t i = 0; i < size; ++i) {
      const float key = view.key(row[i]);
      if (!(key > -kInf)) continue;
      sum += std::exp(static_cast<double>(key));
      if (key >= -3) expected.push_back(static_cast<int32_t>(i));
    }
    EXPECT_NEAR(sum_exp(view) / sum, 1, 3e-7);
    std::vector<Candidate> out(size + 1);
    out.resize(gather(view, -3, out));
    ASSERT_EQ(out.size(), expected.size());
    for (size_t i = 0; i < out.size(); ++i) {
      EXPECT_EQ(out[i].id, expected[i]);
      EXPECT_EQ(out[i].key, view.key(row[out[i].id]));
    }
  }
}

TEST(RowOps, BoundsTheTopKFromBelow) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  std::vector<float> row(6500), maxima(num_blocks(6500)), scratch;
  for (float& x : row) x = normal(random);
  RowView view{row, maxima, 0, 1};
  view.max = block_maxima(row, maxima);
  std::vector<Candidate> out(row.size() + 1);
  for (const int64_t k : {1, 2, 50, 102}) {
    EXPECT_GE(gather(view, bound_of_top_k(view, k, scratch), out), static_cast<size_t>(k));
  }
  EXPECT_EQ(bound_of_top_k(view, 103, scratch), -kInf);  // 102 blocks
}

TEST(RowOps, RanksEqualLogitsById) {
  const std::vector<float> row = {1, 3, kNan, 3, -kInf, 2, 3};
  EXPECT_EQ(rank_of(row, 1), 1);
  EXPECT_EQ(rank_of(row, 3), 2);
  EXPECT_EQ(rank_of(row, 6), 3);
  EXPECT_EQ(rank_of(row, 5), 4);
  EXPECT_EQ(rank_of(row, 0), 5);
}

}  // namespace
}  // namespace orrery::sampler
