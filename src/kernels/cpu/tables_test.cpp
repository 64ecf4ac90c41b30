// Every table gives the bits of the reference, whatever the shape and the number of threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/attention_for_tests.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/tables_for_tests.h"
#include "kernels/weights_for_tests.h"
#include "tensor/float16.h"

namespace orrery::kernels::cpu {
namespace {

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

class Tables : public testing::TestWithParam<const CpuTable*> {
 protected:
  std::unique_ptr<Kernels> kernels(int num_threads, Activations a = Activations::kTwoBytes) {
    return make_cpu_kernels(*GetParam(), num_threads, {.activations = a});
  }
  std::unique_ptr<Kernels> reference_ = make_reference_kernels();
};

INSTANTIATE_TEST_SUITE_P(Cpu, Tables, testing::ValuesIn(tables_to_test()), test_name);

struct MatmulShape {
  int64_t n, k;
};

class Matmuls : public Tables {
 protected:
  // The first `rows` rows of x, for each number of rows, against the reference's of all.
  void expect_reference(DType dtype, MatmulShape shape, std::span<const int64_t> row_counts) {
    expect_reference(dtype, shape, row_counts, Activations::kTwoBytes);
    if (is_quantised(dtype) || dtype == DType::kBF16)
      expect_reference(dtype, shape, row_counts, Activations::kByte);
  }
  void expect_reference(DType dtype, MatmulShape shape, std::span<const int64_t> row_counts,
                        Activations activations) {
    const auto [n, k] = shape;
    SCOPED_TRACE(testing::Message()
                 << name(dtype) << " [" << n << ", " << k << "], " << bits(activations) << " bits");
    const auto reference = make_reference_kernels(activations);
    const TestWeights weights(dtype, n, k, 11);
    const auto packed = reference_->pack(weights.rows());
    ASSERT_TRUE(packed.ok());
    const int64_t most = *std::ranges::max_element(row_counts);
    TestRandom random(12);
    std::vector<float> x = random.floats(most * k), bias = random.floats(n), expected(most * n);
    for (const bool with_bias : {false, true}) {
      const auto b = with_bias ? std::span<const float>(bias) : std::span<const float>();
      reference->matmul(view(x, {most, k}), *packed, b, view(expected, {most, n}));
      for (const int num_threads : {1, 2, 3}) {
        const auto cpu = kernels(num_threads, activations);
        for (const int64_t rows : row_counts) {
          std::vector<float> out(static_cast<size_t>(rows * n), -1.0F);
          cpu->matmul(view(x, {rows, k}), *packed, b, view(out, {rows, n}));
          ASSERT_TRUE(same_bits(out, std::span(expected).first(out.size())))
              << rows << " rows, " << num_threads << " threads, bias " << with_bias;
        }
        if (with_bias) break;
      }
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Cpu, Matmuls, testing::ValuesIn(tables_to_test()), test_name);

TEST_P(Matmuls, GiveTheBitsOfTheReferenceInEveryFormat) {
  const int64_t rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 24, 25, 40};
  for (const DType dtype : kWeightFormats) {
    const int64_t block = info(dtype).block_elements;
    expect_reference(dtype, {259, block == 1 ? 515 : block == 32 ? 288 : 512}, rows);
  }
}

// Queries and keys of one format, values of another, as in q4_k_m; and plain ones.
TEST_P(Matmuls, OfOneInputGiveTheBitsOfEachAlone) {
  constexpr int64_t k = 256;
  const std::pair<DType, int64_t> kMatrices[] = {{DType::kQ4_K, 96}, {DType::kQ4_K, 33},
                                                 {DType::kQ6_K, 64}, {DType::kBF16, 50},
                                                 {DType::kBF16, 7},  {DType::kQ4_K, 32}};
  const auto cpu = kernels(2);
  std::vector<PackedMatrix> packed;
  for (const auto& [dtype, n] : kMatrices)
    packed.push_back(cpu->pack(TestWeights(dtype, n, k, 21 + packed.size()).rows()).value());
  TestRandom random(13);
  for (const int64_t rows : {1, 5, 17, 200}) {
    std::vector<float> x = random.floats(rows * k), bias = random.floats(96);
    std::vector<std::vector<float>> outs;
    std::vector<Projection> projections;
    outs.reserve(packed.size());
    for (const PackedMatrix& w : packed) {
      const auto b = w.n == 96 ? std::span<const float>(bias) : std::span<const float>();
      outs.emplace_back(static_cast<size_t>(rows * w.n), -1.0F);
      projections.push_back({w, b, view(outs.back(), {rows, w.n})});
    }
    cpu->project(view(x, {rows, k}), projections);
    for (size_t i = 0; i < outs.size(); ++i) {
      std::vector<float> alone(outs[i].size());
      cpu->matmul(view(x, {rows, k}), packed[i], projections[i].bias,
                  view(alone, {rows, packed[i].n}));
      EXPECT_TRUE(same_bits(outs[i], alone)) << "matrix " << i << ", " << rows << " rows";
    }
  }
}

TEST_P(Matmuls, GiveTheBitsOfTheReferenceForNarrowMatrices) {
  const int64_t rows[] = {1, 2, 7};
  for (const DType dtype : kWeightFormats) {
    const int64_t block = info(dtype).block_elements;
    for (const int64_t n : {1, 16, 17, 31, 32}) expect_reference(dtype, {n, block}, rows);
  }
}

TEST_P(Matmuls, GiveTheBitsOfTheReferenceForMoreRowsThanATask) {
  const int64_t rows[] = {191, 192, 193, 400};
  expect_reference(DType::kBF16, {70, 64}, rows);
  expect_reference(DType::kQ4_K, {70, 256}, rows);
  expect_reference(DType::kQ8_0, {70, 96}, rows);
}

// Codes at both ends of their range, activations as large as they become: what fp32 must hold.
TEST_P(Matmuls, GiveTheBitsOfTheReferenceForTheLargestSums) {
  const int64_t rows = 19, n = 32, k = 256;
  std::vector<float> x(rows * k), expected(rows * n), got(expected.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t row = i / k;
    const bool negative[] = {false, true, i % 2 != 0, i / 16 % 2 != 0};
    x[i] = negative[row % 4] ? -1.0F : 1.0F;
  }
  x.back() = std::numeric_limits<float>::quiet_NaN();  // a block of zeros with a scale of NaN
  for (const Activations activations : {Activations::kTwoBytes, Activations::kByte}) {
    const auto reference = make_reference_kernels(activations);
    for (const DType dtype : kWeightFormats) {
      for (const int fill : {0, 0x80, 0xFF}) {
        const TestWeights weights(dtype, n, k, 13, fill);
        const auto packed = reference->pack(weights.rows());
        ASSERT_TRUE(packed.ok());
        reference->matmul(view(x, {rows, k}), *packed, {}, view(expected, {rows, n}));
        kernels(1, activations)->matmul(view(x, {rows, k}), *packed, {}, view(got, {rows, n}));
        const auto finite = static_cast<size_t>((rows - 1) * n);
        EXPECT_TRUE(same_bits(std::span(got).first(finite), std::span(expected).first(finite)))
            << name(dtype) << " of bytes " << fill << ", " << bits(activations) << " bits";
        for (size_t i = finite; i < got.size(); ++i) EXPECT_TRUE(std::isnan(got[i])) << name(dtype);
      }
    }
  }
}

// bf16 by bf16 where numbers are smaller than the smallest normal one: weights, activations, sums.
TEST_P(Matmuls, TakeSubnormalNumbersForZerosWhereActivationsAreBf16) {
  const int64_t rows = 15, n = 40, k = 96;
  TestRandom random(14);
  std::vector<float> x = random.floats(rows * k), numbers = random.floats(n * k);
  for (size_t i = 0; i < x.size(); ++i)  // a row: 2^20, 2^5, … 2^-115
    x[i] = std::ldexp(x[i], 20 - 15 * static_cast<int>(i / k % 10));
  std::vector<uint16_t> w;
  for (size_t i = 0; i < numbers.size(); ++i)  // an output: 1, 2^-14, … 2^-140
    w.push_back(f32_to_bf16(std::ldexp(numbers[i], -14 * static_cast<int>(i / k % 11))));
  const auto source = [&](int64_t row) { return reinterpret_cast<const std::byte*>(&w[row * k]); };
  const auto packed = reference_->pack({DType::kBF16, n, k, source});
  ASSERT_TRUE(packed.ok());
  std::vector<float> expected(rows * n), got(rows * n), exact(rows * n);
  const auto run = [&](Kernels& kernels, std::vector<float>& out) {
    kernels.matmul(view(x, {rows, k}), *packed, {}, view(out, {rows, n}));
  };
  run(*make_reference_kernels(Activations::kByte), expected);
  run(*kernels(2, Activations::kByte), got);
  EXPECT_TRUE(same_bits(got, expected));
  run(*reference_, exact);
  run(*kernels(1), got);
  EXPECT_TRUE(same_bits(got, exact)) << "other matmuls of this thread keep them";
}

// The kernel of fp32 does the work, with the same bits.
TEST_P(Matmuls, LeaveProductsOfPairsThatAreSlowerOrAddInAnotherOrderUnused) {
  if (GetParam()->pairs == nullptr) return;  // a table without them
  const int64_t rows = 15, n = 40, k = 96;
  const auto packed = reference_->pack(TestWeights(DType::kBF16, n, k, 15).rows());
  ASSERT_TRUE(packed.ok());
  std::vector<float> x = TestRandom(16).floats(rows * k), expected(rows * n), got(rows * n);
  make_reference_kernels(Activations::kByte)
      ->matmul(view(x, {rows, k}), *packed, {}, view(expected, {rows, n}));
  const auto expect_unused = [&](PairMatmul pairs) {
    pairs.matmul = [](const MatmulTask&) { ADD_FAILURE() << "was used"; };
    CpuTable table = *GetParam();
    table.pairs = &pairs;
    make_cpu_kernels(table, 2, {.activations = Activations::kByte})
        ->matmul(view(x, {rows, k}), *packed, {}, view(got, {rows, n}));
    EXPECT_TRUE(same_bits(got, expected));
  };
  PairMatmul other = *GetParam()->pairs;
  other.adds_in_order = [] { return false; };
  expect_unused(other);
  PairMatmul slow = *GetParam()->pairs;
  const DotProducts nothing{0, [](int64_t) { return 0U; }};
  slow.dots = &nothing;
  expect_unused(slow);
}

TEST_P(Tables, PackAsTheReferenceDoesOnSeveralThreads) {
  for (const DType dtype : {DType::kBF16, DType::kQ6_K}) {
    const TestWeights weights(dtype, 259, 512, 3);
    const auto expected = reference_->pack(weights.rows());
    const auto got = kernels(3)->pack(weights.rows());
    ASSERT_TRUE(got.ok() && expected.ok());
    ASSERT_EQ(got->data.size(), expected->data.size());
    EXPECT_EQ(std::memcmp(got->data.data(), expected->data.data(), got->data.size()), 0);
  }
}

TEST_P(Tables, GiveTheBitsOfTheReferenceInAttention) {
  const std::vector<ContextShape> mixed = {{1, 1}, {40, 40}, {17, 1}, {1100, 3}, {530, 20}};
  const std::vector<ContextShape> decode = {{2000, 1}};  // parts on several threads
  const std::vector<ContextShape> batch(9, {520, 1});
  struct Case {
    TestAttention::Sizes sizes;
    const std::vector<ContextShape>& requests;
  };
  const Case cases[] = {
      {{2, 1, 32, DType::kF32, 0}, mixed},     {{1, 2, 64, DType::kBF16, 0}, mixed},
      {{2, 4, 80, DType::kBF16, 5}, mixed},    {{1, 7, 96, DType::kF32, 600}, mixed},
      {{1, 4, 128, DType::kBF16, 16}, mixed},  {{2, 2, 8, DType::kF32, 0}, mixed},
      {{1, 3, 40, DType::kBF16, 17}, mixed},   {{1, 30, 16, DType::kF32, 0}, mixed},
      {{2, 2, 128, DType::kBF16, 0}, decode},  {{1, 1, 64, DType::kF32, 1000}, decode},
      {{2, 2, 64, DType::kI8, 0}, mixed},      {{1, 3, 40, DType::kI8, 17}, mixed},
      {{2, 1, 128, DType::kI8, 0}, decode},    {{2, 2, 64, DType::kF8E4M3, 0}, mixed},
      {{1, 3, 8, DType::kF8E4M3, 600}, mixed}, {{1, 4, 128, DType::kF8E4M3, 0}, decode},
      {{2, 1, 48, DType::kBF16, 0}, mixed},    {{1, 2, 112, DType::kBF16, 0}, mixed},
      {{3, 2, 24, DType::kBF16, 700}, mixed},  {{2, 2, 16, DType::kF32, 0}, batch},
  };
  for (const auto& [sizes, requests] : cases) {
    TestAttention expected(sizes, requests, 21);
    const std::vector<float> out = expected.run(*reference_);
    for (const int num_threads : {1, 2, 3}) {
      TestAttention attention(sizes, requests, 21);
      const auto cpu = kernels(num_threads);
      ASSERT_TRUE(same_bits(attention.run(*cpu), out))
          << "d " << sizes.head_dim << " group " << sizes.group << " " << name(sizes.dtype)
          << " window " << sizes.window << ", " << num_threads << " threads";
      ASSERT_EQ(attention.key_bytes(), expected.key_bytes());
      ASSERT_EQ(attention.value_bytes(), expected.value_bytes());
    }
  }
}

// Keys as wide as the formats go: saturation of e4m3, subnormals, one large number in a token.
TEST_P(Tables, StoreWhatTheReferenceStores) {
  const int64_t tokens = 40, heads = 2, d = 24;
  TestRandom random(22);
  std::vector<float> k = random.floats(tokens * heads * d), v = k;
  for (size_t i = 0; i < k.size(); ++i) {
    k[i] = std::ldexp(k[i], static_cast<int>(i % 29) - 16);
    v[i] = i % 7 == 0 ? 0.0F : std::ldexp(v[i], -140);
  }
  std::vector<int64_t> slots;
  for (int64_t t = 0; t < tokens; ++t) slots.push_back(t * 7 % 48);
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kI8, DType::kF8E4M3}) {
    const auto stored = [&](Kernels& kernels) {
      KvCache cache{dtype, 3, heads, d, nullptr, nullptr};
      std::vector<std::byte> bytes(static_cast<size_t>(2 * 3 * cache.block_bytes()));
      cache.keys = bytes.data();
      cache.values = bytes.data() + 3 * cache.block_bytes();
      kernels.store_kv(view(k, {tokens, heads, d}), view(v, {tokens, heads, d}), slots, cache);
      return bytes;
    };
    EXPECT_EQ(stored(*kernels(2)), stored(*reference_)) << name(dtype);
  }
}

TEST_P(Tables, MaterialisedAttentionIsTheSameWithinRounding) {
  const std::vector<ContextShape> requests = {{1, 1}, {40, 40}, {17, 1}, {700, 9}};
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kI8, DType::kF8E4M3}) {
    for (const int64_t window : {0, 100}) {
      TestAttention attention({2, 3, 40, dtype, window}, requests, 21);
      const std::vector<float> flash = attention.run(*reference_);
      const auto plain =
          make_cpu_kernels(*GetParam(), 2, {.attention = AttentionMethod::kMaterialised});
      const std::vector<float> got = attention.attend(*plain);
      for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], flash[i], 2e-6) << name(dtype);
    }
  }
}

TEST_P(Tables, MaterialisedScoresTakeMemoryWithTheContext) {
  const auto peak_bytes = [&](AttentionMethod method, int32_t context) {
    const auto cpu = make_cpu_kernels(*GetParam(), 1, {.attention = method});
    TestAttention({1, 2, 16, DType::kF32, 0}, {{context, context}}, 23).run(*cpu);
    return cpu->attention_scratch_bytes();
  };
  // Two heads' scores of 320 rows over 320 positions, states of 48 floats and queries of 16.
  EXPECT_EQ(peak_bytes(AttentionMethod::kMaterialised, 320), 2 * 320 * (320 + 48 + 16) * 4);
  EXPECT_EQ(peak_bytes(AttentionMethod::kMaterialised, 160), 2 * 160 * (160 + 48 + 16) * 4);
  EXPECT_LT(peak_bytes(AttentionMethod::kFlash, 320), 32 << 10);
  EXPECT_EQ(peak_bytes(AttentionMethod::kFlash, 320), peak_bytes(AttentionMethod::kFlash, 160));
}

TEST_P(Tables, GiveTheBitsOfTheReferenceElementwise) {
  TestRandom random(31);
  for (const int64_t cols : {1, 15, 16, 17, 77, 1024}) {
    const int64_t rows = 37;
    const Shape shape{rows, cols};
    std::vector<float> x = random.floats(rows * cols, 12), y = random.floats(rows * cols, 3),
                       weight = random.floats(cols);
    x[0] = 200;
    x[x.size() / 2] = -200;
    x[x.size() / 3] = 1e-40F;
    x.back() = -0.0F;
    for (const int num_threads : {1, 3}) {
      const auto cpu = kernels(num_threads);
      const auto expect_same = [&](const char* what, const auto& operation) {
        std::vector<float> expected = x, got = x;
        operation(*reference_, expected);
        operation(*cpu, got);
        EXPECT_TRUE(same_bits(got, expected)) << what << " of " << cols;
      };
      expect_same("rms_norm", [&](Kernels& k, std::vector<float>& v) {
        k.rms_norm(view(v, shape), weight, 1e-6F, view(v, shape));
      });
      expect_same(
          "add", [&](Kernels& k, std::vector<float>& v) { k.add(view(v, shape), view(y, shape)); });
      expect_same("silu_mul", [&](Kernels& k, std::vector<float>& v) {
        k.silu_mul(view(v, shape), view(y, shape));
      });
    }
  }
}

// Exponentials of every exponent and sign, through silu.
TEST_P(Tables, GiveTheBitsOfTheReferenceForEveryExponential) {
  std::vector<float> z;
  for (uint32_t bits = 0; bits < 0x7F800000; bits += 65'521) {
    z.push_back(std::bit_cast<float>(bits));
    z.push_back(-z.back());
  }
  z.push_back(std::numeric_limits<float>::infinity());
  std::vector<float> up(z.size(), 1.0F), expected = z, got = z;
  const Shape shape{1, std::ssize(z)};
  reference_->silu_mul(view(expected, shape), view(up, shape));
  kernels(1)->silu_mul(view(got, shape), view(up, shape));
  EXPECT_TRUE(same_bits(got, expected));
}

TEST_P(Tables, GiveTheBitsOfTheReferenceInRope) {
  struct Sizes {
    int64_t heads, d, rotary_dim;
  };
  TestRandom random(41);
  for (const auto& [heads, d, rotary_dim] :
       {Sizes{4, 64, 64}, {3, 128, 32}, {2, 80, 20}, {1, 8, 4}}) {
    const int64_t tokens = 21;
    std::vector<float> x = random.floats(tokens * heads * d);
    std::vector<float> cos_sin = random.floats(tokens * rotary_dim), expected = x;
    reference_->rope(view(expected, {tokens, heads, d}), view(cos_sin, {tokens, rotary_dim}));
    for (const int num_threads : {1, 2}) {
      std::vector<float> got = x;
      kernels(num_threads)
          ->rope(view(got, {tokens, heads, d}), view(cos_sin, {tokens, rotary_dim}));
      EXPECT_TRUE(same_bits(got, expected)) << "d " << d << " rotary " << rotary_dim;
    }
  }
}

TEST_P(Tables, EmbedAndGatherTheRowsOfTheReference) {
  const int64_t vocab = 100, d = 512;
  const TestWeights weights(DType::kQ4_K, vocab, d, 51);
  const auto table = reference_->pack(weights.rows());
  ASSERT_TRUE(table.ok());
  const std::vector<int32_t> ids = {99, 0, 7, 7, 31, 32}, rows = {5, 0, 5};
  const auto cpu = kernels(2);
  std::vector<float> expected(ids.size() * d), got(expected.size());
  std::vector<float> expected_rows(rows.size() * d), got_rows(expected_rows.size());
  reference_->embed(ids, *table, view(expected, {6, d}));
  cpu->embed(ids, *table, view(got, {6, d}));
  reference_->gather_rows(view(expected, {6, d}), rows, view(expected_rows, {3, d}));
  cpu->gather_rows(view(got, {6, d}), rows, view(got_rows, {3, d}));
  EXPECT_TRUE(same_bits(got, expected));
  EXPECT_TRUE(same_bits(got_rows, expected_rows));
}

}  // namespace
}  // namespace orrery::kernels::cpu
