#include "base/json.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace orrery
