#include "weights/hf_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "weights/test_files.h"

namespace orrery::weights {
namespace {

using ::testing::HasSubstr;

Environment environment(std::map<std::string, std::string> variables) {
  return [variables](const char* name) -> std::optional<std::string> {
    const auto it = variables.find(name);
    return it == variables.end() ? std::nullopt : std::optional(it->second);
  };
}

TEST(HfCache, FindsTheSnapshotThatRefsMainNames) {
  const TempFolder folder;
  folder.write("hub/models--org--name/refs/main", "abc123\n");
  folder.write("hub/models--org--name/snapshots/abc123/config.json", "{}");
  folder.write("hub/models--org--name/snapshots/old/config.json", "{}");
  const std::string expected = folder.path("hub/models--org--name/snapshots/abc123");
  for (const auto& variables : std::vector<std::map<std::string, std::string>>{
           {{"HF_HOME", folder.path()}},
           {{"HF_HUB_CACHE", folder.path("hub")}, {"HF_HOME", "/nowhere"}}}) {
    const auto path = resolve_model_path("org/name", environment(variables));
    ASSERT_TRUE(path.ok()) << path.status().message();
    EXPECT_TRUE(std::filesystem::equivalent(*path, expected)) << *path;
  }
}

TEST(HfCache, FallsBackToTheUsersCacheAndToTheOnlySnapshot) {
  const TempFolder folder;
  folder.write(".cache/huggingface/hub/models--o--n/snapshots/only/config.json", "{}");
  const auto path = resolve_model_path("o/n", environment({{"HOME", folder.path()}}));
  ASSERT_TRUE(path.ok()) << path.status().message();
  EXPECT_THAT(*path, HasSubstr("snapshots/only"));
  folder.write(".cache/huggingface/hub/models--o--n/snapshots/second/config.json", "{}");
  EXPECT_THAT(resolve_model_path("o/n", environment({{"HOME", folder.path()}})).status().message(),
              HasSubstr("no refs/main, and 2 snapshots"));
}

TEST(HfCache, PathsThatExistStandForThemselves) {
  const TempFolder folder;
  const std::string path = folder.write("model.gguf", "x");
  EXPECT_EQ(*resolve_model_path(path, environment({})), path);
}

TEST(HfCache, NamesNeverLeaveTheCache) {
  const TempFolder folder;
  folder.write("secret/config.json", "{}");
  folder.write("hub/models--org--name/refs/main", "../../../secret");
  folder.write("hub/models--org--name/snapshots/x/config.json", "{}");
  const Environment env = environment({{"HF_HOME", folder.path()}});
  EXPECT_THAT(resolve_model_path("org/name", env).status().message(),
              HasSubstr("expected the name of a snapshot, got \"../../../secret\""));
  for (const char* name :
       {"../secret", "org/..", "a/b/c", "org/", "/name", "no-such-name", "org/na\x1Bme", ""}) {
    EXPECT_EQ(resolve_model_path(name, env).status().code(), StatusCode::kNotFound) << name;
  }
  EXPECT_THAT(resolve_model_path("org/absent", env).status().message(),
              HasSubstr("models--org--absent does not exist"));
  EXPECT_THAT(resolve_model_path("org/name", environment({})).status().message(),
              HasSubstr("no Hugging Face cache"));
}

}  // namespace
}  // namespace orrery::weights
