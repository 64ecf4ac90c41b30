#include "weights/pack_folder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "weights/pack_cache.h"

namespace orrery::weights {
namespace {

namespace fs = std::filesystem;

class PackFolderTest : public testing::Test {
 protected:
  PackFolderTest()
      : folder_(testing::TempDir() + "packs_" + std::to_string(::getpid()) + "/inner") {
    EXPECT_TRUE(prepare_pack_folder(folder_).ok());
  }
  ~PackFolderTest() override { fs::remove_all(fs::path(folder_).parent_path()); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  // 100,000 bytes (25 blocks of 4096), last used `age` seconds ago.
  void put(const std::string& name, int64_t age) const {
    std::ofstream(path(name), std::ios::binary) << std::string(100'000, 'x');
    timespec times[2] = {};
    ::clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= age;
    times[1] = times[0];
    ASSERT_EQ(::utimensat(AT_FDCWD, path(name).c_str(), times, 0), 0);
  }
  std::set<std::string> names() const {
    std::set<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder_))
      found.insert(entry.path().filename().string());
    return found;
  }

  std::string folder_;
};

using Names = std::set<std::string>;

TEST_F(PackFolderTest, IsMadeForThisUserAloneAndRefusedIfOthersMayWriteInIt) {
  struct stat info {};
  ASSERT_EQ(::stat(folder_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0700U);
  ::chmod(folder_.c_str(), 0777);
  EXPECT_EQ(prepare_pack_folder(folder_).code(), StatusCode::kInvalidArgument);
  ::chmod(folder_.c_str(), 0755);
  EXPECT_TRUE(prepare_pack_folder(folder_).ok());
  put("file", 0);
  EXPECT_FALSE(prepare_pack_folder(path("file")).ok());
  EXPECT_FALSE(prepare_pack_folder(path("file/below")).ok());
}

TEST_F(PackFolderTest, MakesRoomByRemovingWhatWasNotUsedForLongest) {
  put("old.pack", 30);
  put("new.pack", 10);
  put("older.pack", 40);
  put("notes.txt", 50);
  ASSERT_TRUE(make_room(folder_, 100'000, 1'000'000).ok());
  EXPECT_EQ(names().size(), 4u);
  touch_pack(path("older.pack"));
  ASSERT_TRUE(make_room(folder_, 100'000, 310'000).ok());
  EXPECT_EQ(names(), (Names{"older.pack", "new.pack", "notes.txt"}));
}

TEST_F(PackFolderTest, RemovesNothingForWhatCannotFit) {
  put("a.pack", 10);
  EXPECT_EQ(make_room(folder_, 300'000, 200'000).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(make_room(folder_, int64_t{1} << 60, int64_t{1} << 62).code(),
            StatusCode::kResourceExhausted);
  EXPECT_EQ(names(), (Names{"a.pack"}));
}

TEST_F(PackFolderTest, RemovesWhatKilledWritersLeftAndNothingOfLivingOnes) {
  put("dead.pack.tmp", 0);
  auto living = PackInProgress::begin(path("living.pack"), 4096);
  ASSERT_TRUE(living.ok()) << living.status().message();
  ASSERT_TRUE(make_room(folder_, 1000, 1'000'000).ok());
  EXPECT_EQ(names(), (Names{"living.pack.tmp"}));
  EXPECT_EQ(PackInProgress::begin(path("living.pack"), 4096).status().code(),
            StatusCode::kUnavailable);
  EXPECT_EQ(names(), (Names{"living.pack.tmp"}));
  ASSERT_TRUE(living->publish().ok());
  EXPECT_EQ(names(), (Names{"living.pack"}));
}

TEST_F(PackFolderTest, AFileThatIsNotPublishedLeavesNothing) {
  { ASSERT_TRUE(PackInProgress::begin(path("a.pack"), 4096).ok()); }
  EXPECT_EQ(names(), Names{});
}

TEST(PackCacheFolder, FollowsTheEnvironment) {
  ::setenv("XDG_CACHE_HOME", "/x", 1);
  EXPECT_EQ(default_pack_cache_folder(), "/x/orrery");
  ::setenv("XDG_CACHE_HOME", "relative", 1);  // to be ignored, says the specification
  ::setenv("HOME", "/h", 1);
  EXPECT_EQ(default_pack_cache_folder(), "/h/.cache/orrery");
  ::unsetenv("XDG_CACHE_HOME");
  ::unsetenv("HOME");
  EXPECT_EQ(default_pack_cache_folder(), "");
}

}  // namespace
}  // namespace orrery::weights
