#include "base/files.h"

#include <gtest/gtest.h>

namespace orrery {
namespace {

TEST(Files, AFolderOpensOnlyPlainNamesInsideIt) {
  auto folder = open_folder(ORRERY_SOURCE_DIR);
  ASSERT_TRUE(folder.ok());
  EXPECT_TRUE((*folder)->has("CMakeLists.txt"));
  EXPECT_GT((*folder)->open("CMakeLists.txt")->size(), 0u);
  EXPECT_EQ((*folder)->open("../etc/passwd").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ((*folder)->open("..").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ((*folder)->open("no-such-file").status().code(), StatusCode::kNotFound);
  EXPECT_EQ((*folder)->open("src").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(open_folder("/no/such/folder").status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace orrery
