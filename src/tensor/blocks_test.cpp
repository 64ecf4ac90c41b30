#include "tensor/blocks.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/mapped_file.h"

namespace orrery {
namespace {

// Raw blocks and the numbers that gguf-py makes of them: tests/golden/quants, written by
// tools/goldens/make_quant_goldens.py.
const std::filesystem::path kGoldens =
    std::filesystem::path(ORRERY_SOURCE_DIR) / "tests/golden/quants";

MappedFile read(const std::string& name) {
  auto file = MappedFile::open((kGoldens / name).string());
  EXPECT_TRUE(file.ok()) << file.status().message();
  return file.ok() ? std::move(file).value() : MappedFile();
}

DType dtype_of(const Json& format) {
  std::string text = format["format"];
  for (char& c : text) c = static_cast<char>(std::tolower(c));
  const auto dtype = dtype_from_name(text);
  EXPECT_TRUE(dtype.has_value()) << text;
  return dtype.value_or(DType::kF32);
}

TEST(Blocks, EveryFormatDequantisesBitForBitAsGgufPyDoes) {
  const auto index = parse_json(read("quants.json").text(), "quants.json");
  ASSERT_TRUE(index.ok());
  const Json& formats = (*index)["formats"];
  EXPECT_EQ(formats.size(), 12U);
  for (const Json& format : formats) {
    const DType dtype = dtype_of(format);
    SCOPED_TRACE(name(dtype));
    ASSERT_EQ(info(dtype).block_elements, format["block_size"]);
    ASSERT_EQ(info(dtype).block_bytes, format["block_bytes"]);
    const MappedFile blocks = read(format["blocks"]), values = read(format["values"]);
    const size_t n = values.size() / sizeof(float);
    ASSERT_GT(n, 0U);
    ASSERT_EQ(blocks.size(), static_cast<size_t>(row_bytes(dtype, static_cast<int64_t>(n))));
    std::vector<float> expected(n), got(n);
    std::memcpy(expected.data(), values.bytes().data(), values.size());
    dequantise(dtype, blocks.bytes().data(), got);
    for (size_t i = 0; i < n; ++i) {
      if (std::isnan(expected[i])) {
        ASSERT_TRUE(std::isnan(got[i])) << "number " << i;
      } else {
        ASSERT_EQ(got[i], expected[i]) << "number " << i;
      }
    }
  }
}

TEST(Blocks, SourcesNeedNoAlignment) {
  const MappedFile blocks = read("q4_k.blocks.bin");
  std::vector<std::byte> shifted(blocks.size() + 1);
  std::memcpy(shifted.data() + 1, blocks.bytes().data(), blocks.size());
  std::vector<float> expected(256), got(256);
  dequantise(DType::kQ4_K, blocks.bytes().data(), expected);
  dequantise(DType::kQ4_K, shifted.data() + 1, got);
  EXPECT_EQ(got, expected);
}

TEST(Blocks, UnpackedBlocksHoldTheNumbersOfTheBlock) {
  for (DType dtype : {DType::kQ8_0, DType::kQ4_1, DType::kQ2_K, DType::kQ5_K, DType::kQ6_K}) {
    SCOPED_TRACE(name(dtype));
    const MappedFile blocks = read(std::string(name(dtype)) + ".blocks.bin");
    // The last block: random quants under a scale of the usual size.
    const std::byte* block =
        blocks.bytes().data() + blocks.size() - static_cast<size_t>(info(dtype).block_bytes);
    UnpackedBlock unpacked;
    unpack_block(dtype, block, unpacked);
    std::vector<float> expected(static_cast<size_t>(info(dtype).block_elements));
    dequantise(dtype, block, expected);
    const auto sub = static_cast<size_t>(sub_block_elements(dtype));
    for (size_t i = 0; i < expected.size(); ++i) {
      const float x = unpacked.scale[i / sub] * static_cast<float>(unpacked.q[i]);
      ASSERT_EQ(x - unpacked.minimum[i / sub], expected[i]) << "number " << i;
    }
  }
}

}  // namespace
}  // namespace orrery
