#include "kernels/packed.h"

#include <gtest/gtest.h>

#include "kernels/weights_for_tests.h"
#include "tensor/blocks.h"
#include "tensor/quantise.h"

namespace orrery::kernels {
namespace {

void expect_rows_survive(DType dtype, int64_t n, int64_t k) {
  SCOPED_TRACE(testing::Message() << name(dtype) << " [" << n << ", " << k << "]");
  const TestWeights weights(dtype, n, k, 1);
  auto packed = pack_panels(weights.rows());
  ASSERT_TRUE(packed.ok()) << packed.status().message();
  std::vector<float> expected(static_cast<size_t>(k)), got(expected.size());
  for (int64_t i = 0; i < n; ++i) {
    dequantise(dtype, weights.row(i), expected);
    unpack_row(*packed, i, got);
    ASSERT_EQ(std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)), 0)
        << "row " << i;
  }
}

TEST(Packed, GivesBackEveryRowBitForBitInEveryFormat) {
  for (const DType dtype : kWeightFormats) {
    const int64_t block = info(dtype).block_elements;
    expect_rows_survive(dtype, 1, block);
    expect_rows_survive(dtype, 32, 2 * block);
    expect_rows_survive(dtype, 259, 3 * block);
    if (block == 1) expect_rows_survive(dtype, 33, 77);
  }
}

// FNV-1a, 64 bits.
uint64_t sum(std::span<const std::byte> bytes, uint64_t hash) {
  for (const std::byte byte : bytes) hash = (hash ^ static_cast<uint64_t>(byte)) * 0x100000001b3;
  return hash;
}

TEST(Packed, GivesTheBytesThatItsLayoutsVersionStandsFor) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const DType dtype : kWeightFormats) {
    const auto packed = pack_panels(TestWeights(dtype, 40, 512, 3).rows());
    ASSERT_TRUE(packed.ok());
    hash = sum(packed->data.bytes(), hash);
  }
  const std::vector<float> numbers = TestRandom(4).floats(1024);
  for (const DType dtype : {DType::kQ8_0, DType::kQ4_0, DType::kQ4_K}) {
    std::vector<std::byte> blocks(static_cast<size_t>(row_bytes(dtype, 1024)));
    quantise(dtype, numbers, blocks.data());
    hash = sum(blocks, hash);
  }
  EXPECT_EQ(hash, 9428756666169037357U)
      << "packed or quantised bytes have changed: files of packed weights that "
         "exist no longer fit. Raise the number in kPanelLayout with this sum.";
  EXPECT_EQ(kPanelLayout, "panels 2");
}

TEST(Packed, TakesTheBytesThatItsLayoutStates) {
  EXPECT_EQ(panel_bytes(DType::kF32, 7), 7 * 128);
  EXPECT_EQ(panel_bytes(DType::kBF16, 7), 4 * 128);
  EXPECT_EQ(panel_bytes(DType::kF16, 8), 4 * 128);
  EXPECT_EQ(panel_bytes(DType::kQ8_0, 32), 64 + 1024);
  EXPECT_EQ(panel_bytes(DType::kQ4_0, 64), 2 * (64 + 512));
  EXPECT_EQ(panel_bytes(DType::kQ4_1, 32), 128 + 512);
  EXPECT_EQ(panel_bytes(DType::kQ5_0, 32), 64 + 512 + 128);
  EXPECT_EQ(panel_bytes(DType::kQ5_1, 32), 128 + 512 + 128);
  EXPECT_EQ(panel_bytes(DType::kQ4_K, 256), 128 + 8 * (64 + 512));
  EXPECT_EQ(panel_bytes(DType::kQ5_K, 256), 128 + 8 * (64 + 512 + 128));
  EXPECT_EQ(panel_bytes(DType::kQ6_K, 256), 64 + 16 * (32 + 256 + 128));
  EXPECT_EQ(panel_bytes(DType::kQ3_K, 256), 64 + 16 * (32 + 128 + 64));
  EXPECT_EQ(panel_bytes(DType::kQ2_K, 256), 128 + 16 * (32 + 128));
}

TEST(Packed, PutsALegacyNumberWhereTheLayoutSays) {
  const TestWeights weights(DType::kQ4_0, 32, 32, 5);
  const auto packed = pack_panels(weights.rows());
  ASSERT_TRUE(packed.ok());
  const int output = 21, k = 14;  // half 1, lane 5; group 3, byte 2; number 14 in a low nibble
  const int stored = static_cast<int>(weights.row(output)[2 + k]) & 15;
  const int byte = static_cast<int>(packed->data.data()[64 + 3 * 64 + 5 * 4 + 2]);
  EXPECT_EQ(byte >> 4, stored);
}

TEST(Packed, RefusesWhatIsNoWeightMatrix) {
  const auto row = [](int64_t) -> const std::byte* { return nullptr; };
  EXPECT_EQ(pack_panels({DType::kI32, 4, 4, row}).status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(pack_panels({DType::kQ8_0, 4, 33, row}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(pack_panels({DType::kF32, 0, 4, row}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(pack_panels({DType::kF32, 4, -4, row}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(pack_panels({DType::kF32, int64_t{1} << 61, int64_t{1} << 50, row}).status().code(),
            StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace orrery::kernels
