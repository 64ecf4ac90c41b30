// A paged cache with random contexts, for tests of attention: block tables are a random
// permutation, and every slot that belongs to no context holds NaN, so that a kernel that reads a
// stale slot shows it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

#include "kernels/kernels.h"
#include "kernels/kv_int8.h"
#include "kernels/weights_for_tests.h"
#include "tensor/float8.h"

namespace orrery::kernels {

struct ContextShape {
  int32_t context, queries;  // tokens; the queries are the last ones
};

class TestAttention {
 public:
  struct Sizes {
    int64_t n_kv_heads, group, head_dim;
    DType dtype;
    int64_t window = 0;
  };

  TestAttention(Sizes sizes, std::vector<ContextShape> requests, uint64_t seed)
      : sizes_(sizes), requests_(std::move(requests)), random_(seed) {
    int32_t rows = 0, blocks = 0, longest = 0;
    query_start_loc_.push_back(0);
    for (const auto& [context, queries] : requests_) {
      rows += queries;
      query_start_loc_.push_back(rows);
      seq_lens_.push_back(context);
      longest = std::max(longest, blocks_for(context));
      blocks += blocks_for(context);
      keys_.push_back(random_.floats(context * row_elements()));
      values_.push_back(random_.floats(context * row_elements()));
    }
    q_ = random_.floats(rows * row_elements() * sizes.group, 2);
    max_blocks_ = longest + 1;
    make_block_tables(blocks + 3);
    KvCache cache{sizes.dtype, blocks + 3, sizes.n_kv_heads, sizes.head_dim, nullptr, nullptr};
    const auto bytes = static_cast<size_t>(cache.num_blocks * cache.block_bytes());
    key_bytes_.assign(bytes, std::byte{0xFF});
    value_bytes_.assign(bytes, std::byte{0xFF});
    cache.keys = key_bytes_.data();
    cache.values = value_bytes_.data();
    cache_ = cache;
  }

  // Stores every context and returns out [T, H, d].
  std::vector<float> run(Kernels& kernels) {
    for (size_t r = 0; r < requests_.size(); ++r) {
      std::vector<int64_t> slots;
      for (int32_t p = 0; p < requests_[r].context; ++p) slots.push_back(slot(r, p));
      const Shape shape{requests_[r].context, sizes_.n_kv_heads, sizes_.head_dim};
      kernels.store_kv(view(keys_[r], shape), view(values_[r], shape), slots, cache_);
    }
    return attend(kernels);
  }

  // Without storing anew.
  std::vector<float> attend(Kernels& kernels) {
    std::vector<float> out(q_.size(), -1.0F);
    const Shape shape{query_start_loc_.back(), heads(), sizes_.head_dim};
    const AttentionBatch batch{query_start_loc_, seq_lens_, block_tables_, max_blocks_};
    kernels.paged_attention(view(q_, shape), cache_, batch, scale(), sizes_.window,
                            view(out, shape));
    return out;
  }

  // The same by the textbook in double, from the numbers as the cache rounds them, or as they are.
  std::vector<double> expected(bool exact_numbers = false) const {
    std::vector<double> out;
    exact_numbers_ = exact_numbers;
    for (size_t r = 0; r < requests_.size(); ++r)
      for (int32_t t = 0; t < requests_[r].queries; ++t)
        for (int64_t h = 0; h < heads(); ++h) append_expected(r, t, h, out);
    return out;
  }

  const std::vector<std::byte>& key_bytes() const { return key_bytes_; }
  const std::vector<std::byte>& value_bytes() const { return value_bytes_; }

 private:
  static int32_t blocks_for(int32_t tokens) {
    return (tokens + static_cast<int32_t>(KvCache::kBlockSize) - 1) /
           static_cast<int32_t>(KvCache::kBlockSize);
  }
  int64_t heads() const { return sizes_.n_kv_heads * sizes_.group; }
  int64_t row_elements() const { return sizes_.n_kv_heads * sizes_.head_dim; }
  float scale() const { return 1.0F / std::sqrt(static_cast<float>(sizes_.head_dim)); }

  void make_block_tables(int32_t num_blocks) {
    std::vector<int32_t> order(static_cast<size_t>(num_blocks));
    std::iota(order.begin(), order.end(), 0);
    for (size_t i = order.size() - 1; i > 0; --i)
      std::swap(order[i], order[static_cast<size_t>(random_.below(static_cast<int64_t>(i + 1)))]);
    auto next = order.begin();
    for (const auto& request : requests_) {
      const size_t end = block_tables_.size() + static_cast<size_t>(max_blocks_);
      for (int32_t b = 0; b < blocks_for(request.context); ++b) block_tables_.push_back(*next++);
      block_tables_.resize(end, -1);
    }
  }

  int64_t slot(size_t request, int64_t position) const {
    const size_t block = request * static_cast<size_t>(max_blocks_) +
                         static_cast<size_t>(position / KvCache::kBlockSize);
    return block_tables_[block] * KvCache::kBlockSize + position % KvCache::kBlockSize;
  }

  // Number i of a token's keys or values of one head.
  double rounded(std::span<const float> numbers, size_t i) const {
    const float x = numbers[i];
    if (exact_numbers_) return x;
    switch (sizes_.dtype) {
      case DType::kBF16:
        return bf16_to_f32(f32_to_bf16(x));
      case DType::kF8E4M3:
        return e4m3_to_f32(f32_to_e4m3(x));
      case DType::kI8: {
        const float scale = int8_scale(numbers);
        return static_cast<double>(scale) * int8_code(x, scale);
      }
      default:
        return x;
    }
  }

  void append_expected(size_t r, int32_t t, int64_t h, std::vector<double>& out) const {
    const int64_t d = sizes_.head_dim, kv = h / sizes_.group;
    const int64_t p = requests_[r].context - requests_[r].queries + t;
    const int64_t oldest = sizes_.window > 0 ? std::max<int64_t>(p - sizes_.window + 1, 0) : 0;
    const float* q = q_.data() + ((query_start_loc_[r] + t) * heads() + h) * d;
    std::vector<double> weights, sum(static_cast<size_t>(d), 0.0);
    double max = -INFINITY, total = 0;
    const auto numbers = [&](const std::vector<float>& all, int64_t j) {
      return std::span(all).subspan(static_cast<size_t>((j * sizes_.n_kv_heads + kv) * d),
                                    static_cast<size_t>(d));
    };
    for (int64_t j = oldest; j <= p; ++j) {
      double score = 0;
      for (int64_t i = 0; i < d; ++i)
        score += static_cast<double>(q[i]) * rounded(numbers(keys_[r], j), static_cast<size_t>(i));
      weights.push_back(score * static_cast<double>(scale()));
      max = std::max(max, weights.back());
    }
    for (int64_t j = oldest; j <= p; ++j) {
      const double e = std::exp(weights[static_cast<size_t>(j - oldest)] - max);
      total += e;
      for (size_t c = 0; c < sum.size(); ++c) sum[c] += e * rounded(numbers(values_[r], j), c);
    }
    for (const double c : sum) out.push_back(c / total);
  }

  Sizes sizes_;
  std::vector<ContextShape> requests_;
  TestRandom random_;
  std::vector<int32_t> query_start_loc_, seq_lens_, block_tables_;
  std::vector<std::vector<float>> keys_, values_;  // per request [context, K, d]
  std::vector<float> q_;
  int64_t max_blocks_ = 0;
  KvCache cache_{};
  mutable bool exact_numbers_ = false;
  std::vector<std::byte> key_bytes_, value_bytes_;
};

}  // namespace orrery::kernels
