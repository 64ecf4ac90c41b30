#include "base/mapped_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

namespace orrery {
namespace {

TEST(MappedFile, MayBeReadBehindItsEndWhereverThatLies) {
  const std::string path = std::filesystem::temp_directory_path() /
                           ("orrery_mapped_file_test_" + std::to_string(getpid()));
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  for (const size_t size : {size_t{1}, page - MappedFile::kPadding, page - MappedFile::kPadding + 1,
                            page - 1, page, page + 1, 3 * page}) {
    std::ofstream(path, std::ios::binary) << std::string(size, 'x');
    const auto file = MappedFile::open(path);
    ASSERT_TRUE(file.ok()) << size;
    ASSERT_TRUE(file->padded());
    EXPECT_EQ(file->text(), std::string(size, 'x'));
    const std::string_view behind(file->text().data() + size, MappedFile::kPadding);
    EXPECT_EQ(behind, std::string(MappedFile::kPadding, '\0')) << size;
  }
  std::filesystem::remove(path);
}

TEST(MappedFile, PromisesNothingBehindBytesThatItBorrows) {
  EXPECT_FALSE(MappedFile::borrow({}, "none").padded());
}

}  // namespace
}  // namespace orrery
