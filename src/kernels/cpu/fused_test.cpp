// What a table does in one pass has the bits of the operations that it stands for.
#include <gtest/gtest.h>

#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/tables_for_tests.h"
#include "kernels/weights_for_tests.h"

namespace orrery::kernels::cpu {
namespace {

class Fused : public testing::TestWithParam<const CpuTable*> {};

INSTANTIATE_TEST_SUITE_P(Cpu, Fused, testing::ValuesIn(tables_to_test()), test_name);

constexpr int64_t kInputs = 512, kOutputs = 67;

enum class Kind : uint8_t { kNorm, kNormOfSum, kSwiGlu };

struct Made {
  std::vector<float> x;  // the residual stream afterwards
  std::vector<std::vector<float>> out;
  bool operator==(const Made&) const = default;
};

// Two matrices of one format, then one of another: the input is prepared twice.
Made project(Kernels& kernels, Kind kind, DType dtype, int64_t rows) {
  const Shape shape{rows, kInputs};
  std::vector<float> x = TestRandom(1).floats(rows * kInputs, 3), weight;
  std::vector<float> y = TestRandom(2).floats(rows * kInputs);
  weight = TestRandom(3).floats(kInputs);
  const DType other = dtype == DType::kQ8_0 ? DType::kF16 : DType::kQ8_0;
  std::vector<PackedMatrix> matrices;
  for (const DType format : {dtype, dtype, other})
    matrices.push_back(
        kernels.pack(TestWeights(format, kOutputs, kInputs, 4 + matrices.size()).rows()).value());
  Made made{.x = {},
            .out = std::vector(3, std::vector<float>(static_cast<size_t>(rows * kOutputs)))};
  std::vector<Projection> projections;
  for (size_t i = 0; i < 3; ++i)
    projections.push_back({matrices[i], {}, view(made.out[i], {rows, kOutputs})});
  if (kind == Kind::kSwiGlu) {
    kernels.project(SwiGlu{view(x, shape), view(y, shape)}, projections);
  } else {
    const Tensor added = kind == Kind::kNormOfSum ? view(y, shape) : Tensor{};
    kernels.project(Normed{view(x, shape), added, weight, 1e-5F}, projections);
  }
  made.x = std::move(x);
  return made;
}

TEST_P(Fused, InputsHaveTheBitsOfTheReference) {
  for (const Activations activations : {Activations::kTwoBytes, Activations::kByte}) {
    const auto reference = make_reference_kernels(activations);
    for (const DType dtype : {DType::kF32, DType::kBF16, DType::kQ8_0, DType::kQ4_K}) {
      for (const int64_t rows : {1, 5, 13, 34}) {
        for (const Kind kind : {Kind::kNorm, Kind::kNormOfSum, Kind::kSwiGlu}) {
          const Made expected = project(*reference, kind, dtype, rows);
          for (const int num_threads : {1, 3}) {
            const auto cpu =
                make_cpu_kernels(*GetParam(), num_threads, {.activations = activations});
            ASSERT_TRUE(project(*cpu, kind, dtype, rows) == expected)
                << name(dtype) << ", " << rows << " rows, kind " << static_cast<int>(kind) << ", "
                << num_threads << " threads, " << bits(activations) << " bits";
          }
        }
      }
    }
  }
}

// The sum is left in x, and of a norm alone x as it was.
TEST_P(Fused, NormsAddToTheResidualStreamOnce) {
  const auto cpu = make_cpu_kernels(*GetParam(), 2);
  const std::vector<float> x = TestRandom(1).floats(3 * kInputs, 3);
  std::vector<float> sum = x, y = TestRandom(2).floats(3 * kInputs);
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += y[i];
  EXPECT_EQ(project(*cpu, Kind::kNormOfSum, DType::kQ4_K, 3).x, sum);
  EXPECT_EQ(project(*cpu, Kind::kNorm, DType::kQ4_K, 3).x, x);
}

struct Stored {
  std::vector<float> q;
  std::vector<std::byte> cache;
  bool operator==(const Stored&) const = default;
};

Stored rope_and_store(Kernels& kernels, DType dtype, bool at_once) {
  constexpr int64_t kTokens = 40, kHeads = 4, kKvHeads = 2, kDim = 24, kRotary = 16;
  const Shape keys{kTokens, kKvHeads, kDim};
  std::vector<float> q = TestRandom(1).floats(kTokens * kHeads * kDim),
                     k = TestRandom(2).floats(kTokens * kKvHeads * kDim),
                     v = TestRandom(3).floats(kTokens * kKvHeads * kDim),
                     angles = TestRandom(4).floats(kTokens * kRotary);
  std::vector<int64_t> slots;
  for (int64_t t = 0; t < kTokens; ++t) slots.push_back(t * 7 % 48);
  KvCache cache{dtype, 3, kKvHeads, kDim, nullptr, nullptr};
  std::vector<std::byte> bytes(static_cast<size_t>(2 * 3 * cache.block_bytes()));
  cache.keys = bytes.data();
  cache.values = bytes.data() + 3 * cache.block_bytes();
  const Tensor queries = view(q, {kTokens, kHeads, kDim}), rotated = view(k, keys),
               cos_sin = view(angles, {kTokens, kRotary});
  if (at_once) {
    kernels.rope_and_store_kv(queries, rotated, view(v, keys), cos_sin, slots, cache);
  } else {
    kernels.rope(queries, cos_sin);
    kernels.rope(rotated, cos_sin);
    kernels.store_kv(rotated, view(v, keys), slots, cache);
  }
  return {std::move(q), std::move(bytes)};
}

TEST_P(Fused, RotatedKeysAreStoredAsTheReferenceStoresThem) {
  const auto reference = make_reference_kernels();
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kI8, DType::kF8E4M3}) {
    const Stored expected = rope_and_store(*reference, dtype, false);
    for (const int num_threads : {1, 3}) {
      const auto cpu = make_cpu_kernels(*GetParam(), num_threads);
      EXPECT_TRUE(rope_and_store(*cpu, dtype, true) == expected) << name(dtype);
    }
  }
}

}  // namespace
}  // namespace orrery::kernels::cpu
