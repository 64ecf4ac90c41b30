// The definition against arithmetic in double.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/activations.h"
#include "kernels/attention_for_tests.h"
#include "kernels/kernels.h"
#include "kernels/packed.h"
#include "kernels/weights_for_tests.h"
#include "tensor/blocks.h"

namespace orrery::kernels {
namespace {

class MatmulOfReference : public testing::TestWithParam<Activations> {};

INSTANTIATE_TEST_SUITE_P(Bits, MatmulOfReference,
                         testing::Values(Activations::kTwoBytes, Activations::kByte));

TEST_P(MatmulOfReference, IsTheDotProductWithinRounding) {
  const auto kernels = make_reference_kernels(GetParam());
  for (const DType dtype : kWeightFormats) {
    SCOPED_TRACE(name(dtype));
    const int64_t n = 37, k = 512, rows = 3;
    const TestWeights weights(dtype, n, k, 2);
    const auto packed = kernels->pack(weights.rows());
    ASSERT_TRUE(packed.ok());
    TestRandom random(3);
    std::vector<float> x = random.floats(rows * k), bias = random.floats(n), out(rows * n),
                       w(static_cast<size_t>(k));
    kernels->matmul(view(x, {rows, k}), *packed, bias, view(out, {rows, n}));
    for (int64_t i = 0; i < n; ++i) {
      dequantise(dtype, weights.row(i), w);
      for (int64_t t = 0; t < rows; ++t) {
        double sum = bias[static_cast<size_t>(i)], size = std::abs(sum), rounding = 0;
        for (int64_t j = 0; j < k; ++j) {
          const double term = static_cast<double>(x[static_cast<size_t>(t * k + j)]) *
                              static_cast<double>(w[static_cast<size_t>(j)]);
          sum += term;
          size += std::abs(term);
          rounding += std::abs(w[static_cast<size_t>(j)]);
        }
        // k roundings of partial sums, each at most 2^-24 of the sum of magnitudes; of a block
        // format inputs below 1 in steps of 1 / 32639 or 1 / 127; bf16 with 8 significant bits.
        double error = static_cast<double>(k) * 0x1p-24 * size;
        if (is_quantised(dtype))
          error += rounding * 0.501 / static_cast<double>(largest_activation(GetParam()));
        else if (dtype == DType::kBF16 && GetParam() == Activations::kByte)
          error += 0x1p-9 * size;
        EXPECT_NEAR(out[static_cast<size_t>(t * n + i)], sum, error);
      }
    }
  }
}

TEST(Reference, AttentionIsTheSoftmaxOfTheTextbook) {
  const auto kernels = make_reference_kernels();
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kI8, DType::kF8E4M3}) {
    for (const int64_t window : {0, 1, 20, 700}) {
      TestAttention attention({2, 3, 40, dtype, window}, {{1, 1}, {35, 35}, {1100, 2}, {530, 20}},
                              7);
      const std::vector<float> got = attention.run(*kernels);
      const std::vector<double> expected = attention.expected();
      ASSERT_EQ(got.size(), expected.size());
      for (size_t i = 0; i < got.size(); ++i)
        ASSERT_NEAR(got[i], expected[i], 1e-5 * std::max(0.1, std::abs(expected[i])))
            << name(dtype) << " window " << window << " element " << i;
    }
  }
}

// Numbers between −1 and 1 and heads of 64: what a KV format costs in accuracy.
TEST(Reference, AttentionOverRoundedKeysAndValuesStaysNearTheExact) {
  const auto kernels = make_reference_kernels();
  struct Bound {
    DType dtype;
    double most, mean;  // |difference|
  };
  for (const auto& [dtype, most, mean] : {Bound{DType::kF32, 1e-6, 1e-7},
                                          {DType::kBF16, 4e-3, 4e-4},
                                          {DType::kI8, 6e-3, 6e-4},
                                          {DType::kF8E4M3, 5e-2, 5e-3}}) {
    TestAttention attention({2, 2, 64, dtype, 0}, {{300, 20}, {40, 40}}, 5);
    const std::vector<float> got = attention.run(*kernels);
    const std::vector<double> exact = attention.expected(true);
    double worst = 0, sum = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      const double difference = std::abs(got[i] - exact[i]);
      worst = std::max(worst, difference);
      sum += difference;
    }
    EXPECT_LE(worst, most) << name(dtype);
    EXPECT_LE(sum / static_cast<double>(got.size()), mean) << name(dtype);
  }
}

TEST(Reference, Int8KeysAreWithinHalfAScale) {
  TestRandom random(6);
  std::vector<float> x = random.floats(128, 3);
  x[7] = -3.5F;
  const float scale = int8_scale(x);
  EXPECT_FLOAT_EQ(scale, 3.5F / 127);
  EXPECT_EQ(int8_code(x[7], scale), -127);
  for (const float value : x)
    EXPECT_NEAR(scale * static_cast<float>(int8_code(value, scale)), value, scale * 0.50001F);
}

TEST(Reference, Int8TakesZerosAndTinyNumbersAndShowsNaN) {
  const std::vector<float> zeros(4, 0.0F), tiny = {1e-45F, -1e-45F, 3e-45F, 0};
  EXPECT_EQ(int8_scale(zeros), 0);
  EXPECT_EQ(int8_code(0, 0), 0);
  for (const float value : tiny) EXPECT_LE(std::abs(int8_code(value, int8_scale(tiny))), 127);
  EXPECT_TRUE(std::isnan(int8_scale(std::vector<float>{1, NAN, -INFINITY})));
  EXPECT_TRUE(std::isinf(int8_scale(std::vector<float>{1, -INFINITY})));
  EXPECT_EQ(int8_code(1, NAN), 0);
}

TEST(Reference, RmsNormDividesByTheRootMeanSquare) {
  const auto kernels = make_reference_kernels();
  TestRandom random(4);
  const int64_t rows = 3, cols = 77;
  std::vector<float> x = random.floats(rows * cols, 30), weight = random.floats(cols),
                     out(x.size());
  kernels->rms_norm(view(x, {rows, cols}), weight, 1e-5F, view(out, {rows, cols}));
  for (size_t t = 0; t < rows; ++t) {
    double squares = 0;
    for (size_t i = 0; i < cols; ++i) squares += std::pow(x[t * cols + i], 2.0);
    const double root = std::sqrt(squares / static_cast<double>(cols) + 1e-5);
    for (size_t i = 0; i < cols; ++i)
      EXPECT_NEAR(out[t * cols + i], x[t * cols + i] / root * weight[i], 1e-6);
  }
}

TEST(Reference, SiluMulGatesAlsoFarOut) {
  const auto kernels = make_reference_kernels();
  std::vector<float> gate = {-200.0F, -88.0F, -3.0F, 0.0F, 3.0F, 88.0F, 200.0F};
  std::vector<float> up(gate.size(), 2.0F), out = gate;
  kernels->silu_mul(view(out, {1, 7}), view(up, {1, 7}));
  for (size_t i = 0; i < gate.size(); ++i) {
    const double z = gate[i];
    EXPECT_NEAR(out[i], 2 * z / (1 + std::exp(-z)), 1e-6 * std::max(1.0, std::abs(z)));
  }
}

TEST(Reference, RopeRotatesPairsAndLeavesTheRest) {
  const auto kernels = make_reference_kernels();
  std::vector<float> x = {1, 2, 3, 4, 5, 6}, cos_sin = {0, 1, 1, 0};  // by 90 and by 0 degrees
  kernels->rope(view(x, {1, 1, 6}), view(cos_sin, {1, 4}));
  EXPECT_EQ(x, (std::vector<float>{-3, 2, 1, 4, 5, 6}));
}

TEST(Reference, EmbedAndGatherCopyTheRowsAskedFor) {
  const auto kernels = make_reference_kernels();
  const int64_t vocab = 50, d = 64;
  const TestWeights weights(DType::kQ8_0, vocab, d, 9);
  const auto table = kernels->pack(weights.rows());
  ASSERT_TRUE(table.ok());
  const std::vector<int32_t> ids = {49, 0, 33, 33}, picked = {3, 0};
  std::vector<float> out(4 * d), gathered(2 * d), expected(d);
  kernels->embed(ids, *table, view(out, {4, d}));
  kernels->gather_rows(view(out, {4, d}), picked, view(gathered, {2, d}));
  for (size_t t = 0; t < ids.size(); ++t) {
    dequantise(DType::kQ8_0, weights.row(ids[t]), expected);
    EXPECT_TRUE(
        std::equal(expected.begin(), expected.end(), out.begin() + static_cast<long>(t * d)));
  }
  EXPECT_TRUE(std::equal(gathered.begin(), gathered.begin() + d, out.begin() + 3 * d));
  EXPECT_TRUE(std::equal(gathered.begin() + d, gathered.end(), out.begin()));
}

}  // namespace
}  // namespace orrery::kernels
