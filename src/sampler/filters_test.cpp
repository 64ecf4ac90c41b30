#include "sampler/filters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace orrery::sampler {
namespace {

enum class Shape { kNormal, kTwoValues, kAllEqual, kOutlierAndBulk };

std::vector<Candidate> make_list(Shape shape, size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<Candidate> list(size);
  for (size_t i = 0; i < size; ++i) {
    float key = -3;
    if (shape == Shape::kNormal) key = -10 + 2 * normal(random);
    if (shape == Shape::kTwoValues) key = random() % 2 == 0 ? -1.0F : -2.0F;
    if (shape == Shape::kOutlierAndBulk) key = i == size / 3 ? 0.0F : -20 + 1e-3F * normal(random);
    list[i] = {std::min(key, 0.0F), 0, static_cast<int32_t>(2 * i)};
  }
  set_weights(list);
  return list;
}

class FindMassCut : public testing::TestWithParam<Shape> {};

TEST_P(FindMassCut, FindsWhatSortingFinds) {
  std::vector<Candidate> work;
  for (const size_t size : {1, 2, 100, 257, 3000, 20000}) {
    const auto list = make_list(GetParam(), size, static_cast<uint32_t>(size));
    auto sorted = list;
    std::sort(sorted.begin(), sorted.end(), precedes);
    double total = 0;
    for (const Candidate& c : sorted) total += c.weight;
    for (const double fraction : {0.0, 1e-9, 0.013, 0.3, 0.5123, 0.9, 0.99, 0.99999, 2.0}) {
      const double target = fraction * total;
      double before = 0;
      size_t last = 0;
      while (last + 1 < size && before + sorted[last].weight < target) {
        before += sorted[last++].weight;
      }
      const MassCut cut = find_mass_cut(list, target, work);
      EXPECT_EQ(cut.last.id, sorted[last].id) << size << " at " << fraction;
      EXPECT_NEAR(cut.mass_before, before, 1e-12 * total);
      EXPECT_NEAR(cut.mass_through, before + sorted[last].weight, 1e-12 * total);

      auto kept = list;
      kept.resize(keep_through(kept, cut.last));
      EXPECT_EQ(kept.size(), last + 1);
      EXPECT_TRUE(std::is_sorted(kept.begin(), kept.end(),
                                 [](const auto& a, const auto& b) { return a.id < b.id; }));
    }
  }
}

TEST_P(FindMassCut, KeepsExactlyKWhateverTheTies) {
  std::vector<Candidate> work;
  const auto list = make_list(GetParam(), 5000, 9);
  auto sorted = list;
  std::sort(sorted.begin(), sorted.end(), precedes);
  for (const size_t k : {1, 2, 40, 300, 4999, 5000, 6000}) {
    auto kept = list;
    kept.resize(keep_top_k(kept, k, work));
    ASSERT_EQ(kept.size(), std::min<size_t>(k, 5000));
    std::sort(kept.begin(), kept.end(), precedes);
    for (size_t i = 0; i < kept.size(); ++i) EXPECT_EQ(kept[i].id, sorted[i].id);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, FindMassCut,
                         testing::Values(Shape::kNormal, Shape::kTwoValues, Shape::kAllEqual,
                                         Shape::kOutlierAndBulk));

TEST(KeepTypical, MayDropTheMostProbableToken) {
  // 0.4 and 60 of 0.01: the entropy is 3.13 nats, the information of a small token 4.6, of the
  // large one 0.92.
  std::vector<Candidate> list;
  for (int32_t id = 0; id < 61; ++id) {
    list.push_back({id == 7 ? 0.0F : std::log(0.01F / 0.4F), 0, id});
  }
  const double total = set_weights(list);
  std::vector<Candidate> typical, work;
  list.resize(keep_typical(list, total, 0.295, typical, work));
  EXPECT_EQ(list.size(), 30U);
  for (const Candidate& c : list) EXPECT_NE(c.id, 7);
}

}  // namespace
}  // namespace orrery::sampler
