#include "weights/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>

#include "base/mapped_file.h"
#include "base/sanitizers.h"
#include "base/test_data.h"
#include "weights/test_files.h"

namespace orrery::weights {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uint64_t kHuge = uint64_t{1} << 60;

std::string refused(const std::string& file, StatusCode code = StatusCode::kMalformed) {
  const auto bytes = exact_copy(file);
  const Status status = Gguf::parse(bytes, "x.gguf").status();
  EXPECT_EQ(status.code(), code) << status.message();
  EXPECT_THAT(status.message(), HasSubstr("x.gguf"));
  return status.message();
}

// Everything that a caller can see, as text.
std::string dump(const Gguf& gguf) {
  std::string out = fmt::format("{} {}\n", gguf.version(), gguf.alignment());
  for (const GgufEntry& entry : gguf.metadata()) {
    out += fmt::format("{} {} {} ", entry.key, name(entry.value.type), entry.value.count);
    out.append(reinterpret_cast<const char*>(entry.value.bytes.data()), entry.value.bytes.size());
  }
  for (const GgufTensor& tensor : gguf.tensors()) {
    out +=
        fmt::format("\n{} {} {} {} ", tensor.name, tensor.type_id, tensor.dims[0], tensor.dims[1]);
    out.append(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
  }
  return out;
}

TEST(Gguf, ReadsMetadataOfEveryType) {
  GgufBuilder b;
  b.entry("u8", GgufType::kU8, raw(uint8_t{255})).entry("i8", GgufType::kI8, raw(int8_t{-3}));
  b.entry("u16", GgufType::kU16, raw(uint16_t{65535}));
  b.entry("i64", GgufType::kI64, raw(int64_t{1} << 40));
  b.entry("u64", GgufType::kU64, raw(~uint64_t{0}));
  b.entry("f64", GgufType::kF64, raw(0.5)).f32("f32", 1.5F);
  b.entry("f64 too large", GgufType::kF64, raw(1e300));
  b.entry("yes", GgufType::kBool, raw(uint8_t{1})).string("text", "h\xC3\xA9llo");
  b.strings("strings", {"", "b", std::string("\0\xFF", 2)});
  b.array("i32s", GgufType::kI32, 2, raw(int32_t{-7}) + raw(int32_t{8}));
  b.array("u8s", GgufType::kU8, 2, std::string("\x01\xFF"));
  b.array("u64s", GgufType::kU64, 1, raw(kHuge));
  b.array("f32s", GgufType::kF32, 2, raw(0.5F) + raw(-2.0F));
  b.array("nested", GgufType::kArray, 1,
          raw(static_cast<uint32_t>(GgufType::kU8)) + raw(uint64_t{2}) + "ab");
  b.array("empty", GgufType::kI32, 0, "");
  const std::string file = b.build();
  const auto gguf = Gguf::parse(as_bytes(file), "x");
  ASSERT_TRUE(gguf.ok()) << gguf.status().message();

  EXPECT_EQ(gguf->find_u64("u8"), 255U);
  EXPECT_EQ(gguf->find_u64("u16"), 65535U);
  EXPECT_EQ(gguf->find_u64("i64"), uint64_t{1} << 40);
  EXPECT_EQ(gguf->find_u64("u64"), ~uint64_t{0});
  EXPECT_FALSE(gguf->find_u64("i8").has_value());  // negative
  EXPECT_FALSE(gguf->find_u64("f32").has_value());
  EXPECT_FALSE(gguf->find_u64("absent").has_value());
  EXPECT_EQ(gguf->find_f32("f32"), 1.5F);
  EXPECT_EQ(gguf->find_f32("f64"), 0.5F);
  EXPECT_FALSE(gguf->find_f32("f64 too large").has_value());
  EXPECT_EQ(gguf->find_bool("yes"), true);
  EXPECT_FALSE(gguf->find_bool("u8").has_value());
  EXPECT_EQ(gguf->find_string("text"), "h\xC3\xA9llo");
  EXPECT_THAT(*gguf->find_string_array("strings"),
              ElementsAre("", "b", std::string_view("\0\xFF", 2)));
  EXPECT_THAT(*gguf->find_i32_array("i32s"), ElementsAre(-7, 8));
  EXPECT_THAT(*gguf->find_i32_array("u8s"), ElementsAre(1, 255));
  EXPECT_FALSE(gguf->find_i32_array("u64s").has_value());  // does not fit
  EXPECT_THAT(*gguf->find_i32_array("empty"), ElementsAre());
  EXPECT_THAT(*gguf->find_f32_array("f32s"), ElementsAre(0.5F, -2.0F));
  EXPECT_FALSE(gguf->find_f32_array("i32s").has_value());
  EXPECT_FALSE(gguf->find_string_array("nested").has_value());
  EXPECT_EQ(gguf->find("nested")->element_type, GgufType::kArray);
}

TEST(Gguf, ReadsVersions2And3AndNamesTheOthers) {
  for (uint32_t version : {2U, 3U}) {
    GgufBuilder b = tiny_llama();
    b.version = version;
    const std::string file = b.build();
    const auto gguf = Gguf::parse(as_bytes(file), "x");
    ASSERT_TRUE(gguf.ok());
    EXPECT_EQ(gguf->version(), version);
    EXPECT_EQ(gguf->tensors().size(), 7U);
  }
  GgufBuilder b;
  for (uint32_t version : {0U, 1U, 4U, 1000U}) {
    b.version = version;
    EXPECT_THAT(refused(b.build(), StatusCode::kUnsupported), HasSubstr("expected 2 or 3"));
  }
  b.version = __builtin_bswap32(3);
  EXPECT_THAT(refused(b.build(), StatusCode::kUnsupported), HasSubstr("big-endian"));
  EXPECT_THAT(refused("tjgg" + std::string(20, '\0'), StatusCode::kUnsupported),
              HasSubstr("before GGUF"));
  EXPECT_THAT(refused("GGUX" + std::string(20, '\0')), HasSubstr("expected \"GGUF\", got"));
}

TEST(Gguf, TensorsHaveTheBytesThatTheirShapeAndTypeSay) {
  GgufBuilder b;
  b.u32("general.alignment", 64);
  b.alignment = 64;
  b.tensor("q", 8, {64, 3}, std::string(3 * 68, 'q')).f32_tensor("f", {5});
  b.tensor("scalar", 0, {}, std::string(4, 's'));
  const std::string file = b.build();
  const auto gguf = Gguf::parse(as_bytes(file), "x");
  ASSERT_TRUE(gguf.ok()) << gguf.status().message();
  EXPECT_EQ(gguf->alignment(), 64U);
  EXPECT_EQ(gguf->find_tensor("q")->data.size(), 204U);
  EXPECT_EQ(gguf->find_tensor("q")->data[0], std::byte{'q'});
  EXPECT_EQ(gguf->find_tensor("f")->data.size(), 20U);
  EXPECT_EQ(gguf->find_tensor("scalar")->data.size(), 4U);
  EXPECT_EQ(gguf->find_tensor("absent"), nullptr);
}

TEST(Gguf, RefusesSizesThatMultiplyPast64Bits) {
  const auto file = [](uint32_t type, std::vector<uint64_t> dims) {
    GgufBuilder b;
    return b.tensor("huge", type, std::move(dims), "x").build();
  };
  constexpr uint64_t k32 = uint64_t{1} << 32;
  EXPECT_THAT(refused(file(0, {k32, k32})), HasSubstr("overflows 64 bits"));
  EXPECT_THAT(refused(file(0, {uint64_t{1} << 62, 4})), HasSubstr("overflows 64 bits"));  // to 0
  EXPECT_THAT(refused(file(0, {k32, k32 / 4, 1, 1})), HasSubstr("overflows 64 bits"));
  EXPECT_THAT(refused(file(8, {k32, k32 / 4, 1, 1})), HasSubstr("end outside"));
  EXPECT_THAT(refused(file(0, {~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}})),
              HasSubstr("overflows 64 bits"));
  EXPECT_THAT(refused(file(0, {~uint64_t{0}})), HasSubstr("overflows 64 bits"));
  EXPECT_THAT(refused(file(99, {k32, k32, 2})), HasSubstr("overflows 64 bits"));  // unknown type
}

TEST(Gguf, RefusesCountsOf2To60BeforeAllocating) {
  for (uint64_t count : {kHuge, ~uint64_t{0}, uint64_t{1} << 63, uint64_t{1000}}) {
    GgufBuilder b = tiny_llama_metadata();
    b.tensor_count = count;
    EXPECT_THAT(refused(b.build()), HasSubstr("tensor count")) << count;
    b.tensor_count = 0;
    b.entry_count = count;
    EXPECT_THAT(refused(b.build()), HasSubstr("metadata count")) << count;
    for (GgufType type : {GgufType::kU8, GgufType::kF64, GgufType::kString, GgufType::kArray}) {
      GgufBuilder a;
      a.array("numbers", type, count, std::string(24, '\0'));
      EXPECT_THAT(refused(a.build()), HasSubstr("numbers at byte")) << count;
    }
  }
}

TEST(Gguf, RefusesMoreTensorsThanTheMetadataLeavesRoomFor) {
  GgufBuilder b;
  b.string("padding", std::string(1000, 'x'));
  b.tensor_count = 30;  // 30 records would fit into the file, not into what is left
  EXPECT_THAT(refused(b.build()), HasSubstr("cannot lie in the remaining 0 bytes"));
}

TEST(Gguf, RefusesStringsThatEndOutsideTheFile) {
  for (uint64_t size : {uint64_t{7}, kHuge, ~uint64_t{0}, ~uint64_t{0} - 7}) {
    GgufBuilder b;
    b.entry("text", GgufType::kString, raw(size) + "four");
    EXPECT_THAT(refused(b.build()), HasSubstr("text at byte")) << size;
    GgufBuilder a;
    a.array("texts", GgufType::kString, 1, raw(size) + "four");
    EXPECT_THAT(refused(a.build()), HasSubstr("texts at byte")) << size;
    const std::string file =
        "GGUF" + raw(3U) + raw(uint64_t{0}) + raw(uint64_t{1}) + raw(size) + std::string("key456");
    EXPECT_THAT(refused(file), HasSubstr("metadata key at byte")) << size;
  }
}

TEST(Gguf, RefusesUnalignedOffsets) {
  for (uint64_t offset : {1U, 16U, 33U}) {
    GgufBuilder b;
    b.tensor("a", 0, {1}, std::string(64, '\0'), offset);
    EXPECT_THAT(refused(b.build()), HasSubstr("offset: expected a multiple of 32, got"));
  }
  for (uint32_t alignment : {0U, 3U, 48U, 1U << 21, ~0U}) {
    GgufBuilder b;
    b.u32("general.alignment", alignment).f32_tensor("a", {1});
    EXPECT_THAT(refused(b.build()), HasSubstr("general.alignment: expected a power of two"));
  }
  GgufBuilder b;
  b.string("general.alignment", "32");
  EXPECT_THAT(refused(b.build()), HasSubstr("a value of another type"));
}

TEST(Gguf, RefusesEndlessMetadataArrays) {
  // Arrays of arrays of arrays ...: depth is bounded, so the parser's recursion is.
  std::string nested;
  for (int i = 0; i < 100000; ++i) {
    nested += raw(static_cast<uint32_t>(GgufType::kArray)) + raw(uint64_t{1});
  }
  GgufBuilder b;
  b.entry("deep", GgufType::kArray, nested);
  EXPECT_THAT(refused(b.build()), HasSubstr("deep: arrays nested deeper than 4"));
  // A million empty arrays need a million headers in the file.
  GgufBuilder a;
  a.array("wide", GgufType::kArray, 1000000,
          raw(static_cast<uint32_t>(GgufType::kU8)) + raw(uint64_t{0}));
  EXPECT_THAT(refused(a.build()), HasSubstr("wide at byte"));
}

TEST(Gguf, RefusesOverlappingTensors) {
  GgufBuilder b;
  b.tensor("a", 0, {16}, std::string(64, 'a')).tensor("b", 0, {8}, std::string(32, 'b'), 32);
  EXPECT_THAT(refused(b.build()), HasSubstr("tensor b: overlaps a: begins at offset 32"));
  GgufBuilder same;
  same.tensor("a", 0, {8}, std::string(32, 'a')).tensor("b", 0, {8}, std::string(32, 'b'), 0);
  EXPECT_THAT(refused(same.build()), HasSubstr("overlaps"));
}

TEST(Gguf, FindsNoOverlapWithATensorWhoseTypeItDoesNotKnow) {
  for (const bool empty_first : {true, false}) {
    GgufBuilder b;
    if (empty_first) b.tensor("of an unknown type", 99, {8}, "", 0);
    b.tensor("a", 0, {8}, std::string(32, 'a'), 0);
    if (!empty_first) b.tensor("of an unknown type", 99, {8}, "", 0);
    EXPECT_TRUE(Gguf::parse(exact_copy(b.build()), "x.gguf").ok()) << empty_first;
  }
}

TEST(Gguf, RefusesTensorsOutsideTheFile) {
  for (uint64_t offset : {uint64_t{32}, kHuge, ~uint64_t{31}, uint64_t{1} << 63}) {
    GgufBuilder b;
    b.tensor("a", 0, {8}, std::string(32, 'a'), offset);
    EXPECT_THAT(refused(b.build()), HasSubstr("end outside")) << offset;
  }
}

TEST(Gguf, RefusesDuplicateKeysAndTensors) {
  GgufBuilder keys;
  keys.u32("a", 1).u32("b", 2).u32("a", 3);
  EXPECT_THAT(refused(keys.build()), HasSubstr("duplicate metadata key a"));
  GgufBuilder tensors;
  tensors.f32_tensor("t", {1}).f32_tensor("t", {2});
  EXPECT_THAT(refused(tensors.build()), HasSubstr("duplicate tensor t"));
}

TEST(Gguf, RefusesShapesThatItsTypesCannotHave) {
  GgufBuilder rows;
  rows.tensor("t", 12, {128, 2}, std::string(288, '\0'));
  EXPECT_THAT(refused(rows.build()), HasSubstr("row length: expected a multiple of 256 (Q4_K)"));
  GgufBuilder zero;
  zero.tensor("t", 0, {4, 0}, "");
  EXPECT_THAT(refused(zero.build()), HasSubstr("a dimension is 0"));
  GgufBuilder rank;
  rank.tensor("t", 0, {1, 1, 1, 1, 1}, "");
  EXPECT_THAT(refused(rank.build()), HasSubstr("dimensions: expected at most 4, got 5"));
}

TEST(Gguf, RefusesValuesThatItsTypesCannotHave) {
  GgufBuilder b;
  b.entry("flag", GgufType::kBool, raw(uint8_t{2}));
  EXPECT_THAT(refused(b.build()), HasSubstr("flag: bool: expected 0 or 1, got 2"));
  for (uint32_t type : {13U, 255U, ~0U}) {
    GgufBuilder t;
    t.entry("x", static_cast<GgufType>(type), std::string(16, '\0'));
    EXPECT_THAT(refused(t.build()), HasSubstr("x: value type: expected 0 to 12"));
    GgufBuilder a;
    a.array("x", static_cast<GgufType>(type), 1, std::string(16, '\0'));
    EXPECT_THAT(refused(a.build()), HasSubstr("x: value type: expected 0 to 12"));
  }
}

TEST(Gguf, RefusesNamesThatATerminalWouldObey) {
  GgufBuilder key;
  key.u32("evil\x1B[2J", 1);
  EXPECT_THAT(refused(key.build()), HasSubstr("evil\\x1b[2J"));
  GgufBuilder tensor;
  tensor.f32_tensor("\xFF\xFE", {1});
  EXPECT_THAT(refused(tensor.build()), HasSubstr("tensor name"));
  GgufBuilder empty;
  empty.u32("", 1);
  EXPECT_THAT(refused(empty.build()), HasSubstr("metadata key"));
}

TEST(Gguf, ListsUnknownTensorTypes) {
  GgufBuilder b;
  b.tensor("iq", 17, {256}, std::string(96, 'x')).tensor("new", 99, {256}, std::string(32, 'y'));
  const std::string file = b.build();
  const auto gguf = Gguf::parse(as_bytes(file), "x");
  ASSERT_TRUE(gguf.ok()) << gguf.status().message();
  EXPECT_EQ(gguf->find_tensor("iq")->type->name, "IQ2_XS");
  EXPECT_EQ(gguf->find_tensor("iq")->data.size(), 74U);
  EXPECT_EQ(gguf->find_tensor("new")->type, nullptr);
  EXPECT_TRUE(gguf->find_tensor("new")->data.empty());
  EXPECT_EQ(ggml_type_text(39), "39 (MXFP4)");
  EXPECT_EQ(ggml_type_text(99), "99 (unknown)");
}

TEST(Gguf, EveryPrefixOfAFileIsRefusedOrHoldsTheSame) {
  for (const std::string& file : {tiny_llama().build(), tiny_llama_metadata().build()}) {
    const auto whole = Gguf::parse(as_bytes(file), "x");
    ASSERT_TRUE(whole.ok());
    for (size_t size = 0; size < file.size(); ++size) {
      const auto bytes = exact_copy(std::string_view(file).substr(0, size));
      const auto gguf = Gguf::parse(bytes, "x");
      if (!gguf.ok()) continue;
      ASSERT_EQ(dump(*gguf), dump(*whole)) << size << " of " << file.size();
    }
  }
}

TEST(Gguf, SurvivesEveryByteChanged) {
  const std::string file = tiny_llama().build();
  const size_t header = file.find("ffn_down") + 64;
  for (size_t i = 0; i < header; ++i) {
    for (int value : {0, 1, 9, 0x7F, 0x80, 0xFF}) {
      std::string changed = file;
      changed[i] = static_cast<char>(value);
      const auto bytes = exact_copy(changed);
      const auto gguf = Gguf::parse(bytes, "x");
      if (!gguf.ok()) continue;
      EXPECT_FALSE(dump(*gguf).empty());  // touches every byte that it gives
    }
  }
}

TEST(Gguf, ParsesAVocabularyOf128000TokensInMilliseconds) {
  std::vector<std::string> tokens;
  std::string scores, types;
  for (int i = 0; i < 128000; ++i) {
    tokens.push_back(fmt::format("token{:x}", i * 7919));
    append(scores, static_cast<float>(-i));
    append(types, int32_t{1});
  }
  GgufBuilder b = tiny_llama();
  b.strings("tokens", tokens).strings("merges", tokens);
  b.array("scores", GgufType::kF32, 128000, scores).array("types", GgufType::kI32, 128000, types);
  const std::string file = b.build();
  const std::clock_t start = std::clock();  // processor time: neighbours do not count
  const auto gguf = Gguf::parse(as_bytes(file), "x");
  ASSERT_TRUE(gguf.ok());
  ASSERT_EQ(gguf->find_string_array("tokens")->size(), 128000U);
  const double ms = 1e3 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  RecordProperty("milliseconds", std::to_string(ms));
  EXPECT_EQ(gguf->find_string_array("merges")->back(), tokens.back());
  EXPECT_EQ(gguf->find_f32_array("scores")->back(), -127999.0F);
  EXPECT_LT(ms, kSanitized ? 500 : 50);  // about 2 ms; not optimised under sanitizers
}

TEST(Gguf, ReadsTheVocabularyFilesOfLlamaCpp) {
  SKIP_WITHOUT_DATA();
  struct Case {
    const char *file, *architecture;
    size_t tokens;
  };
  for (const Case& c : {Case{"llama-spm", "llama", 32000}, Case{"gpt-2", "gpt2", 50257},
                        Case{"falcon", "falcon", 65024}, Case{"starcoder", "starcoder2", 49152},
                        Case{"deepseek-llm", "llama", 102400}, Case{"bert-bge", "bert", 30522}}) {
    SCOPED_TRACE(c.file);
    auto file = MappedFile::open(
        fmt::format("{}/tokenizers/llama.cpp-vocab/ggml-vocab-{}.gguf", test_data_dir(), c.file));
    ASSERT_TRUE(file.ok());
    const auto gguf = Gguf::parse(file->bytes(), file->name());
    ASSERT_TRUE(gguf.ok()) << gguf.status().message();
    EXPECT_TRUE(gguf->find_string("general.architecture").has_value());
    EXPECT_EQ(gguf->find_string("general.architecture"), c.architecture);
    EXPECT_EQ(gguf->find_string_array("tokenizer.ggml.tokens")->size(), c.tokens);
    EXPECT_EQ(gguf->find_i32_array("tokenizer.ggml.token_type")->size(), c.tokens);
  }
}

}  // namespace
}  // namespace orrery::weights
