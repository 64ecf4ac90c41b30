#include "weights/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/mapped_file.h"
#include "base/test_data.h"
#include "weights/test_files.h"

namespace orrery::weights {
namespace {

using ::testing::HasSubstr;

Status parse_status(const std::string& file) {
  return Safetensors::parse(as_bytes(file), "x.safetensors").status();
}

// The message of a malformed file.
std::string refused(const std::string& file) {
  const Status status = parse_status(file);
  EXPECT_EQ(status.code(), StatusCode::kMalformed) << status.message();
  EXPECT_THAT(status.message(), HasSubstr("x.safetensors"));
  return status.message();
}

std::string refused(const std::string& header, size_t data_bytes) {
  return refused(safetensors_file(header, data_bytes));
}

std::string tensor(const std::string& name, const std::string& dtype, const std::string& shape,
                   const std::string& offsets) {
  return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
         offsets + "}";
}

TEST(Safetensors, ListsTensorsByOffsetWithTheirBytes) {
  const std::string file = tiny_safetensors();
  const auto header = Safetensors::parse(as_bytes(file), "x");
  ASSERT_TRUE(header.ok()) << header.status().message();
  const auto& tensors = header->tensors();
  ASSERT_EQ(tensors.size(), 3U);
  EXPECT_EQ(tensors[0].name, "a");
  EXPECT_EQ(tensors[1].name, "b");
  EXPECT_EQ(tensors[1].dtype, "BF16");
  EXPECT_EQ(tensors[1].shape, (std::vector<uint64_t>{2, 3}));
  EXPECT_EQ(tensors[1].data.data(), as_bytes(file).data() + file.size() - 36 + 16);
  EXPECT_EQ(tensors[1].data.size(), 12U);
  EXPECT_TRUE(tensors[2].shape.empty());
  EXPECT_EQ(header->metadata().at("format"), "pt");
}

TEST(Safetensors, AcceptsEmptyFilesAndEmptyTensors) {
  EXPECT_TRUE(parse_status(safetensors_file("{}", 0)).ok());
  EXPECT_TRUE(parse_status(safetensors_file("{" + tensor("a", "F32", "[0,4]", "[0,0]") + "," +
                                                tensor("b", "F32", "[1]", "[0,4]") + "}",
                                            4))
                  .ok());
}

TEST(Safetensors, RefusesAHeaderLengthOf2To63) {
  for (uint64_t length : {uint64_t{1} << 63, ~uint64_t{0}, ~uint64_t{7}, uint64_t{100'000'001}}) {
    EXPECT_THAT(refused(raw(length) + "{}"), HasSubstr("header length: expected at most 100000000"))
        << length;
  }
}

TEST(Safetensors, RefusesAHeaderThatEndsOutsideTheFile) {
  EXPECT_THAT(refused(raw(uint64_t{3}) + "{}"), HasSubstr("only 2 bytes follow"));
  EXPECT_THAT(refused(raw(uint64_t{99'999'999}) + "{}"), HasSubstr("truncated"));
  EXPECT_THAT(refused(std::string(7, '\0')), HasSubstr("truncated"));
  EXPECT_THAT(refused(std::string()), HasSubstr("truncated"));
}

TEST(Safetensors, RefusesOverlappingTensors) {
  EXPECT_THAT(refused("{" + tensor("a", "F32", "[2]", "[0,8]") + "," +
                          tensor("b", "F32", "[2]", "[4,12]") + "}",
                      12),
              HasSubstr("tensor b: overlaps the tensor before it: begins at 4, expected 8"));
  EXPECT_THAT(refused("{" + tensor("a", "F32", "[2]", "[0,8]") + "," +
                          tensor("b", "F32", "[2]", "[0,8]") + "}",
                      8),
              HasSubstr("overlaps"));
}

TEST(Safetensors, RefusesGappedTensors) {
  EXPECT_THAT(refused("{" + tensor("a", "F32", "[1]", "[0,4]") + "," +
                          tensor("b", "F32", "[1]", "[8,12]") + "}",
                      12),
              HasSubstr("tensor b: gap before it: begins at 8, expected 4"));
  EXPECT_THAT(refused("{" + tensor("a", "F32", "[1]", "[4,8]") + "}", 8), HasSubstr("gap"));
}

TEST(Safetensors, RefusesTrailingBytes) {
  EXPECT_THAT(refused("{" + tensor("a", "F32", "[1]", "[0,4]") + "}", 5),
              HasSubstr("trailing bytes: the tensors end at 4, the data at 5"));
  EXPECT_THAT(refused("{}", 1), HasSubstr("trailing bytes"));
}

TEST(Safetensors, RefusesDuplicateKeys) {
  EXPECT_THAT(refused("{" + tensor("a", "F32", "[1]", "[0,4]") + "," +
                          tensor("a", "F32", "[1]", "[4,8]") + "}",
                      8),
              HasSubstr("duplicate key \"a\""));
  EXPECT_THAT(refused(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4),
              HasSubstr("duplicate key"));
}

TEST(Safetensors, RefusesRangesOutOfOrderOrOutsideTheData) {
  EXPECT_THAT(refused("{" + tensor("a", "F32", "[1]", "[4,0]") + "}", 4),
              HasSubstr("tensor a: data_offsets out of order: begin 4, end 0"));
  EXPECT_THAT(refused("{" + tensor("a", "F32", "[2]", "[0,8]") + "}", 4),
              HasSubstr("data_offsets end at 8, but the file holds 4 bytes"));
  EXPECT_THAT(
      refused("{" + tensor("a", "U8", "[18446744073709551615]", "[0,18446744073709551615]") + "}",
              4),
      HasSubstr("data_offsets end at 18446744073709551615"));
}

TEST(Safetensors, RefusesSizesThatDifferFromShapeTimesDtype) {
  EXPECT_THAT(refused("{" + tensor("a", "BF16", "[2,3]", "[0,16]") + "}", 16),
              HasSubstr("tensor a: expected 12 bytes for shape [2, 3] of BF16, got 16"));
  EXPECT_THAT(refused("{" + tensor("a", "F4", "[3]", "[0,1]") + "}", 1),
              HasSubstr("not a whole number of bytes"));
}

TEST(Safetensors, RefusesShapesThatMultiplyPast64Bits) {
  EXPECT_THAT(refused("{" + tensor("a", "F32", "[4294967296,4294967296]", "[0,0]") + "}", 0),
              HasSubstr("overflows 64 bits"));
  // Wraps to 0 in 64 bits, which would be the size.
  EXPECT_THAT(refused("{" + tensor("a", "F32", "[4611686018427387904,4]", "[0,0]") + "}", 0),
              HasSubstr("overflows 64 bits"));
  EXPECT_THAT(refused("{" + tensor("a", "F32", "[0,18446744073709551615]", "[0,0]") + "}", 0),
              HasSubstr("overflows 64 bits"));
}

TEST(Safetensors, RefusesEntriesOfTheWrongKind) {
  const std::string t = tensor("a", "F32", "[1]", "[0,4]");
  EXPECT_THAT(refused("[" + t + "]", 4), HasSubstr("expected a JSON object"));
  EXPECT_THAT(refused("", 0), HasSubstr("expected a JSON object"));
  EXPECT_THAT(refused(" {}", 0), HasSubstr("expected a JSON object"));
  EXPECT_THAT(refused("{\"a\":1}", 0), HasSubstr("tensor a: entry: expected an object, got 1"));
  EXPECT_THAT(refused("{" + tensor("a", "F32", "[-1]", "[0,4]") + "}", 4),
              HasSubstr("shape: expected integers"));
  EXPECT_THAT(refused("{" + tensor("a", "F32", "[1.5]", "[0,4]") + "}", 4),
              HasSubstr("shape: expected integers"));
  EXPECT_THAT(refused("{" + tensor("a", "F32", "[1e3]", "[0,4]") + "}", 4),
              HasSubstr("shape: expected integers"));
  EXPECT_THAT(refused("{" + tensor("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") + "}", 4),
              HasSubstr("at most 8"));
  EXPECT_THAT(refused("{" + tensor("a", "F32", "[1]", "[0]") + "}", 4),
              HasSubstr("data_offsets: expected 2 numbers, got 1"));
  EXPECT_THAT(refused(R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4),
              HasSubstr("dtype: expected a string"));
  EXPECT_THAT(refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4),
              HasSubstr("unknown field \"x\""));
  EXPECT_THAT(refused("{" + tensor("", "F32", "[1]", "[0,4]") + "}", 4), HasSubstr("tensor name"));
  EXPECT_THAT(refused("{" + tensor("\\u001b[2J", "F32", "[1]", "[0,4]") + "}", 4),
              HasSubstr("tensor name \"\\x1b[2J\""));
  EXPECT_THAT(refused(R"({"__metadata__":{"a":1}})", 0),
              HasSubstr("__metadata__: a: expected a string, got 1"));
  EXPECT_THAT(refused(R"({"__metadata__":[]})", 0), HasSubstr("__metadata__"));
}

TEST(Safetensors, RefusesDeepNestingAndBrokenJson) {
  EXPECT_THAT(refused("{\"a\":" + std::string(100000, '[') + "}", 0), HasSubstr("nesting"));
  EXPECT_THAT(refused("{\"a\":" + std::string(100000, '{') + "}", 0), HasSubstr("not valid JSON"));
  EXPECT_THAT(refused("{\"a\"", 0), HasSubstr("not valid JSON"));
  EXPECT_THAT(refused(std::string("{}\0hidden", 9), 0), HasSubstr("NUL byte"));
}

TEST(Safetensors, NamesDtypesThatTheFormatDoesNotKnow) {
  const Status status =
      parse_status(safetensors_file("{" + tensor("a", "Q4_K", "[1]", "[0,4]") + "}", 4));
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr("tensor a: unknown dtype \"Q4_K\""));
}

TEST(Safetensors, RefusesEveryPrefixOfAFile) {
  const std::string file = tiny_safetensors();
  for (size_t size = 0; size < file.size(); ++size) {
    const auto bytes = exact_copy(std::string_view(file).substr(0, size));
    EXPECT_FALSE(Safetensors::parse(bytes, "x").ok()) << size << " of " << file.size();
  }
}

TEST(Safetensors, SurvivesEveryByteChanged) {
  const std::string file = tiny_safetensors();
  for (size_t i = 0; i + 36 < file.size(); ++i) {
    for (char value : {'\0', '\x7F', '\xFF', '9', '"', '}'}) {
      std::string changed = file;
      changed[i] = value;
      const auto bytes = exact_copy(changed);
      const auto header = Safetensors::parse(bytes, "x");
      if (!header.ok()) continue;
      size_t total = 0;
      for (const SafetensorsTensor& t : header->tensors()) total += t.data.size();
      EXPECT_EQ(total, 36U) << "byte " << i;  // whatever is accepted covers the data
    }
  }
}

TEST(Safetensors, ReadsWhatTheReferenceLibraryWrote) {
  SKIP_WITHOUT_DATA();
  const std::string folder = test_data_dir() + "/models/safetensors-tiny/";
  const auto parse_file = [&](const std::string& name, std::vector<SafetensorsTensor>& tensors) {
    auto file = MappedFile::open(folder + name);
    ASSERT_TRUE(file.ok());
    const auto header = Safetensors::parse(file->bytes(), name);
    ASSERT_TRUE(header.ok()) << header.status().message();
    tensors = header->tensors();
  };
  std::vector<SafetensorsTensor> tensors;
  parse_file("tensor-2d-float64.safetensors", tensors);
  ASSERT_EQ(tensors.size(), 1U);
  EXPECT_EQ(tensors[0].dtype, "F64");
  EXPECT_FALSE(dtype_from_safetensors(tensors[0].dtype).has_value());
  parse_file("tensor-4d-float32.safetensors", tensors);
  EXPECT_EQ(tensors[0].shape, (std::vector<uint64_t>{2, 3, 1, 3}));
  parse_file("gptq_small.safetensors", tensors);
  EXPECT_EQ(tensors.size(), 5U);
  parse_file("test.safetensors", tensors);
  EXPECT_GT(tensors.size(), 15U);
}

}  // namespace
}  // namespace orrery::weights
