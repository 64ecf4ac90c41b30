#include "sampler/filters.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "base/check.h"

namespace orrery::sampler {
namespace {

// Below this, sorting is cheaper than a histogram.
constexpr size_t kSortBelow = 256;
constexpr int kBuckets = 1024;

// Equal parts of [lowest, highest] key, the highest key in bucket 0.
struct Buckets {
  float highest = 0;
  float scale = 0;  // 0: the keys do not spread enough to be parted
  int of(float key) const {
    return std::min(kBuckets - 1, static_cast<int>((highest - key) * scale));
  }
};

Buckets part(std::span<const Candidate> items) {
  float lowest = items.front().key, highest = lowest;
  for (const Candidate& c : items) {
    lowest = c.key < lowest ? c.key : lowest;
    highest = c.key > highest ? c.key : highest;
  }
  const float scale = static_cast<float>(kBuckets - 1) / (highest - lowest);
  return {highest, std::isfinite(scale) ? scale : 0};
}

// The bucket in which the mass reaches `target`, the last filled one if none does; adds the mass of
// those before it to `mass_before`.
int find_bucket(std::span<const Candidate> items, const Buckets& buckets, double target,
                double& mass_before) {
  std::array<double, kBuckets> mass{};
  std::array<bool, kBuckets> filled{};
  for (const Candidate& c : items) {
    const int b = buckets.of(c.key);
    mass[b] += c.weight;
    filled[b] = true;
  }
  int last_filled = kBuckets - 1;
  while (!filled[last_filled]) --last_filled;
  int bucket = 0;
  while (bucket < last_filled && mass_before + mass[bucket] < target) {
    mass_before += mass[bucket++];
  }
  while (!filled[bucket])
    ++bucket;  // an empty one reaches the target only if it was reached before
  return bucket;
}

bool all_keys_equal(std::span<const Candidate> items) {
  return std::all_of(items.begin(), items.end(),
                     [&](const Candidate& c) { return c.key == items.front().key; });
}

}  // namespace

MassCut find_mass_cut(std::span<const Candidate> candidates, double target,
                      std::vector<Candidate>& work) {
  CHECK(!candidates.empty());
  double mass_before = 0;
  work.clear();
  std::span<const Candidate> items = candidates;
  while (items.size() > kSortBelow) {
    const Buckets buckets = part(items);
    if (buckets.scale == 0) break;
    const int bucket = find_bucket(items, buckets, target, mass_before);
    const auto elsewhere = [&](const Candidate& c) { return buckets.of(c.key) != bucket; };
    if (work.empty()) {
      std::remove_copy_if(items.begin(), items.end(), std::back_inserter(work), elsewhere);
    } else {
      work.erase(std::remove_if(work.begin(), work.end(), elsewhere), work.end());
    }
    items = work;
  }
  if (work.empty()) work.assign(candidates.begin(), candidates.end());
  if (!all_keys_equal(work)) std::sort(work.begin(), work.end(), precedes);

  size_t i = 0;
  for (; i + 1 < work.size() && mass_before + work[i].weight < target; ++i) {
    mass_before += work[i].weight;
  }
  return {work[i], mass_before, mass_before + work[i].weight};
}

size_t keep_through(std::span<Candidate> candidates, const Candidate& last) {
  const auto end = std::remove_if(candidates.begin(), candidates.end(),
                                  [&](const Candidate& c) { return precedes(last, c); });
  return static_cast<size_t>(end - candidates.begin());
}

size_t keep_top_k(std::span<Candidate> candidates, size_t k, std::vector<Candidate>& work) {
  if (candidates.size() <= k) return candidates.size();
  // With a weight of 1 each, the k-th candidate is the one through which the mass reaches k.
  for (Candidate& c : candidates) c.weight = 1;
  return keep_through(candidates, find_mass_cut(candidates, static_cast<double>(k), work).last);
}

size_t keep_typical(std::span<Candidate> candidates, double total, double typical_p,
                    std::vector<Candidate>& by_typicality, std::vector<Candidate>& work) {
  // With log p = key - log(total): -log p - entropy = sum(p * key) - key.
  double mean_key = 0;
  for (const Candidate& c : candidates) mean_key += static_cast<double>(c.weight) * c.key;
  mean_key /= total;
  const auto typicality = [&](float key) { return static_cast<float>(-std::abs(mean_key - key)); };

  by_typicality.assign(candidates.begin(), candidates.end());
  for (Candidate& c : by_typicality) c.key = typicality(c.key);
  const Candidate last = find_mass_cut(by_typicality, typical_p * total, work).last;
  const auto end = std::remove_if(candidates.begin(), candidates.end(), [&](const Candidate& c) {
    return precedes(last, {typicality(c.key), c.weight, c.id});
  });
  return static_cast<size_t>(end - candidates.begin());
}

}  // namespace orrery::sampler
