#include "sampler/row_ops.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "base/check.h"

namespace orrery::sampler {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// Four floats: what every 64-bit x86 and ARM has. A 128,256-token row is read at about 20 GB/s and
// exponentiated at about 2 elements per nanosecond with them.
using Vec = float __attribute__((vector_size(16)));
using VecU = uint32_t __attribute__((vector_size(16)));
constexpr int kLanes = 4;

Vec load(const float* p) {
  Vec v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
Vec broadcast(float x) { return Vec{x, x, x, x}; }

// exp(x) = 2^n * exp(r), n = round(x / ln 2), |r| <= ln 2 / 2; exp(r) by its Taylor polynomial of
// degree 7, whose remainder is below 6e-9 there.
Vec exp_vec(Vec x) {
  constexpr float kLog2E = 1.44269504F;
  // ln 2 in two parts, the first short enough that n * kLn2High is exact.
  constexpr float kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F;
  // Adding 1.5 * 2^23 leaves round(x / ln 2) in the low bits of the sum.
  constexpr float kRounder = 12582912.0F;
  constexpr std::array<float, 6> kInverseFactorial = {1.0F / 5040, 1.0F / 720, 1.0F / 120,
                                                      1.0F / 24,   1.0F / 6,   1.0F / 2};
  const Vec rounded = x * kLog2E + kRounder;
  const Vec n = rounded - kRounder;
  const Vec r = (x - n * kLn2High) - n * kLn2Low;
  Vec p = broadcast(kInverseFactorial[0]);
  for (size_t i = 1; i < kInverseFactorial.size(); ++i) p = p * r + kInverseFactorial[i];
  p = p * r * r + r + 1.0F;
  VecU integer, bits;
  std::memcpy(&integer, &rounded, sizeof integer);
  std::memcpy(&bits, &p, sizeof bits);
  bits += integer << 23;
  std::memcpy(&p, &bits, sizeof p);
  return x >= kMinKey ? p : broadcast(0);
}

// Block b of the row: in place, or for a partial last block a copy padded with -infinity.
const float* block_at(std::span<const float> row, int64_t b, std::array<float, kRowBlock>& padded) {
  const int64_t begin = b * kRowBlock;
  const auto size = static_cast<int64_t>(row.size()) - begin;
  if (size >= kRowBlock) return row.data() + begin;
  padded.fill(-kInf);
  std::copy(row.begin() + begin, row.end(), padded.begin());
  return padded.data();
}

float largest(Vec v) { return std::max(std::max(v[0], v[1]), std::max(v[2], v[3])); }

}  // namespace

float exp_of_key(float key) { return exp_vec(broadcast(key))[0]; }

double set_weights(std::span<Candidate> candidates) {
  double sum = 0;
  size_t i = 0;
  for (; i + kLanes <= candidates.size(); i += kLanes) {
    Candidate* c = candidates.data() + i;
    const Vec w = exp_vec(Vec{c[0].key, c[1].key, c[2].key, c[3].key});
    for (int lane = 0; lane < kLanes; ++lane) {
      c[lane].weight = w[lane];
      sum += w[lane];
    }
  }
  for (; i < candidates.size(); ++i) {
    candidates[i].weight = exp_of_key(candidates[i].key);
    sum += candidates[i].weight;
  }
  return sum;
}

float block_maxima(std::span<const float> row, std::span<float> maxima) {
  const int64_t blocks = num_blocks(static_cast<int64_t>(row.size()));
  CHECK(static_cast<int64_t>(maxima.size()) == blocks);
  std::array<float, kRowBlock> padded;
  float max = -kInf;
  for (int64_t b = 0; b < blocks; ++b) {
    const float* p = block_at(row, b, padded);
    Vec m0 = broadcast(-kInf), m1 = m0;
    for (int64_t i = 0; i < kRowBlock; i += 2 * kLanes) {
      const Vec x0 = load(p + i), x1 = load(p + i + kLanes);
      m0 = x0 > m0 ? x0 : m0;  // false for NaN
      m1 = x1 > m1 ? x1 : m1;
    }
    maxima[b] = largest(m0 > m1 ? m0 : m1);
    max = std::max(max, maxima[b]);
  }
  return max;
}

int32_t first_of_max(std::span<const float> row, std::span<const float> maxima, float max) {
  const auto block = std::find(maxima.begin(), maxima.end(), max) - maxima.begin();
  const auto id = std::find(row.begin() + block * kRowBlock, row.end(), max) - row.begin();
  CHECK(id < static_cast<int64_t>(row.size())) << "not the maximum of this row";
  return static_cast<int32_t>(id);
}

double sum_exp(const RowView& view) {
  const auto blocks = static_cast<int64_t>(view.maxima.size());
  const Vec max = broadcast(view.max), inv_temperature = broadcast(view.inv_temperature);
  std::array<float, kRowBlock> padded;
  double sum = 0;
  for (int64_t b = 0; b < blocks; ++b) {
    if (!(view.key(view.maxima[b]) >= kMinKey)) continue;
    const float* p = block_at(view.row, b, padded);
    Vec block_sum = broadcast(0);
    for (int64_t i = 0; i < kRowBlock; i += kLanes) {
      block_sum += exp_vec((load(p + i) - max) * inv_temperature);
    }
    sum += (block_sum[0] + block_sum[1]) + (block_sum[2] + block_sum[3]);
  }
  return sum;
}

size_t gather(const RowView& view, float threshold, std::span<Candidate> out) {
  const auto vocab_size = static_cast<int64_t>(view.row.size());
  CHECK(static_cast<int64_t>(out.size()) > vocab_size);
  size_t count = 0;
  for (size_t b = 0; b < view.maxima.size(); ++b) {
    if (!(view.key(view.maxima[b]) >= threshold)) continue;
    const int64_t begin = static_cast<int64_t>(b) * kRowBlock;
    const int64_t end = std::min(begin + kRowBlock, vocab_size);
    for (int64_t id = begin; id < end; ++id) {
      const float key = view.key(view.row[id]);
      out[count].key = key;  // without a branch: overwritten unless it counts
      out[count].id = static_cast<int32_t>(id);
      count += key >= threshold;
    }
  }
  return count;
}

float bound_of_top_k(const RowView& view, int64_t k, std::vector<float>& scratch) {
  if (k > static_cast<int64_t>(view.maxima.size())) return -kInf;
  scratch.assign(view.maxima.begin(), view.maxima.end());
  std::nth_element(scratch.begin(), scratch.begin() + (k - 1), scratch.end(), std::greater<>());
  const float bound = view.key(scratch[k - 1]);
  return bound == bound ? bound : -kInf;  // 0 * -infinity, at an infinite temperature
}

int32_t rank_of(std::span<const float> row, int32_t id) {
  const float logit = std::isnan(row[id]) ? -kInf : row[id];
  int32_t before = 0;
  for (const float x : row) before += x > logit;
  for (int32_t i = 0; i < id; ++i) before += row[i] == logit;
  return before + 1;
}

}  // namespace orrery::sampler
