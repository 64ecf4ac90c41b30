// Where tests find the shared data, which the repository does not hold.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace orrery {

// $ORRERY_DATA, or ../shared/data beside the repository; empty if absent. Tests that need it begin
// with SKIP_WITHOUT_DATA().
inline std::string test_data_dir() {
  const char* set = std::getenv("ORRERY_DATA");
  const std::filesystem::path path =
      set != nullptr ? set : std::filesystem::path(ORRERY_SOURCE_DIR) / "../shared/data";
  std::error_code error;
  return std::filesystem::is_directory(path, error) ? path.string() : std::string();
}

}  // namespace orrery

#define SKIP_WITHOUT_DATA()                                                 \
  if (::orrery::test_data_dir().empty()) {                                  \
    GTEST_SKIP() << "needs the shared data: set ORRERY_DATA to its folder"; \
  }                                                                         \
  static_assert(true)
