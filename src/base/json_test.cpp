#include "base/json.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>

namespace orrery {
namespace {

TEST(Json, DeepNestingIsRefusedWithoutRecursion) {
  EXPECT_EQ(parse_json(std::string(100000, '['), "x").status().code(), StatusCode::kMalformed);
  EXPECT_TRUE(parse_json(std::string(200, '[') + std::string(200, ']'), "x").ok());
}

TEST(Json, DuplicateKeysAreRefusedWhenAsked) {
  EXPECT_TRUE(parse_json(R"({"a":1,"a":2})", "x").ok());
  EXPECT_FALSE(parse_json(R"({"a":1,"a":2})", "x", 16, true).ok());
  EXPECT_TRUE(parse_json(R"({"a":{"b":1},"b":{"a":2}})", "x", 16, true).ok());
}

TEST(Json, NothingHidesBehindANulByte) {
  EXPECT_FALSE(parse_json(std::string_view("{}\0]", 4), "x").ok());
  EXPECT_FALSE(parse_json(std::string_view("\"a\0\"", 4), "x").ok());
}

TEST(Json, NeverWritesNanOrInvalidUtf8) {
  EXPECT_EQ(dump_json(Json(std::numeric_limits<double>::quiet_NaN())), "null");
  EXPECT_TRUE(parse_json(dump_json(Json("\xFF")), "x").ok());
}

TEST(Json, OrderedObjectsKeepTheirOrderAndTheLaterOfTwoValues) {
  for (const int extra : {0, 40}) {  // below and above what is looked up in an index
    std::string text = R"({"z":1,"a":{"y":[1,{"x":null}],"b":true},)";
    for (int i = 0; i < extra; ++i) text += fmt::format("\"k{}\":{},", i, i);
    text += R"("z":-2.5,"m":[]})";
    const auto json = parse_ordered_json(text, "x");
    ASSERT_TRUE(json.ok()) << json.status().message();
    EXPECT_EQ(json->begin().key(), "z");
    EXPECT_EQ((*json)["z"], -2.5);
    EXPECT_EQ(json->size(), static_cast<size_t>(3 + extra));
    EXPECT_EQ(dump_json((*json)["a"]), R"({"y":[1,{"x":null}],"b":true})");
  }
}

TEST(Json, OrderedObjectsRefuseWhatOthersRefuse) {
  for (const char* text :
       {"", "{", "[1,]", "{\"a\"}", "1 2", "NaN", "1e999", "\"\xFF\"", "{\"a\":1,}"}) {
    EXPECT_EQ(parse_ordered_json(text, "x").status().code(), StatusCode::kMalformed) << text;
  }
  EXPECT_FALSE(parse_ordered_json(std::string(100000, '['), "x").ok());
  EXPECT_TRUE(parse_ordered_json("[[[]]]", "x", 3).ok());
  EXPECT_FALSE(parse_ordered_json("[[[[]]]]", "x", 3).ok());
  EXPECT_TRUE(parse_ordered_json("[1,2]", "x", 3, 3).ok());
  EXPECT_FALSE(parse_ordered_json("[1,2,3]", "x", 3, 3).ok());
}

// A list of keys would compare each with all before it: 30 s for these.
TEST(Json, AHundredThousandKeysTakeNoTime) {
  std::string text = "{";
  for (int i = 0; i < 100'000; ++i) text += fmt::format("\"key{}\":{{\"n\":{}}},", i, i);
  text += "\"end\":0}";
  const auto start = std::chrono::steady_clock::now();
  const auto json = parse_ordered_json(text, "x");
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(json->size(), 100'001u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

}  // namespace
}  // namespace orrery
