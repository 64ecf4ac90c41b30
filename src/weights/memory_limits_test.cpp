#include "weights/memory_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "weights/test_files.h"

namespace orrery::weights {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kGiB = int64_t{1} << 30;
constexpr const char* kMeminfo = "MemTotal:       16777216 kB\nMemAvailable:    8388608 kB\n";

TEST(MemoryLimits, WithoutGroupsTheSystemDecides) {
  const TempFolder root;
  root.write("proc/meminfo", kMeminfo);
  const auto limits = read_memory_limits(root.path());
  ASSERT_TRUE(limits.ok()) << limits.status().message();
  EXPECT_EQ(limits->available_bytes(), 8 * kGiB);
  EXPECT_FALSE(limits->cgroup_bytes.has_value());
  EXPECT_THAT(limits->source(), HasSubstr("MemAvailable"));
}

TEST(MemoryLimits, TheTightestGroupOfVersion2Decides) {
  const TempFolder root;
  root.write("proc/meminfo", kMeminfo);
  root.write("proc/self/cgroup", "0::/a/b\n");
  root.write("sys/fs/cgroup/a/b/memory.max", "max\n");
  root.write("sys/fs/cgroup/a/memory.max", std::to_string(3 * kGiB));
  root.write("sys/fs/cgroup/a/memory.current", std::to_string(2 * kGiB));
  root.write("sys/fs/cgroup/a/memory.stat",
             "anon 5\nactive_inactive_file 7\ninactive_file " + std::to_string(kGiB) + "\n");
  const auto limits = read_memory_limits(root.path());
  ASSERT_TRUE(limits.ok());
  EXPECT_EQ(limits->cgroup_bytes, 2 * kGiB);  // page cache that can be dropped is not in use
  EXPECT_EQ(limits->available_bytes(), 2 * kGiB);
  EXPECT_THAT(limits->source(), HasSubstr("control group"));
}

TEST(MemoryLimits, GroupsOfVersion1AreReadToo) {
  const TempFolder root;
  root.write("proc/meminfo", kMeminfo);
  root.write("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/hidden/here\n0::/\n");
  root.write("sys/fs/cgroup/memory/memory.limit_in_bytes", std::to_string(kGiB));
  root.write("sys/fs/cgroup/memory/memory.usage_in_bytes", "0");
  EXPECT_EQ(read_memory_limits(root.path())->available_bytes(), kGiB);
  root.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
  EXPECT_EQ(read_memory_limits(root.path())->available_bytes(), 8 * kGiB);
}

TEST(MemoryLimits, ThisMachineHasSome) {
  const auto limits = read_memory_limits();
  ASSERT_TRUE(limits.ok()) << limits.status().message();
  EXPECT_GT(limits->available_bytes(), 0);
}

TEST(MemoryLimits, BrokenFilesAreErrors) {
  const TempFolder root;
  EXPECT_EQ(read_memory_limits(root.path()).status().code(), StatusCode::kIo);
  root.write("proc/meminfo", "MemTotal: 5 kB\n");
  EXPECT_EQ(read_memory_limits(root.path()).status().code(), StatusCode::kMalformed);
  root.write("proc/meminfo", "MemAvailable: 99999999999999999999 kB\n");
  EXPECT_EQ(read_memory_limits(root.path()).status().code(), StatusCode::kMalformed);
}

TEST(FormatBytes, ReadsWell) {
  EXPECT_EQ(format_bytes(0), "0 bytes");
  EXPECT_EQ(format_bytes(1023), "1023 bytes");
  EXPECT_EQ(format_bytes(1536), "1.50 KiB");
  EXPECT_EQ(format_bytes(304 * 1024), "304 KiB");
  EXPECT_EQ(format_bytes(24 * kGiB + kGiB / 2), "24.5 GiB");
}

}  // namespace
}  // namespace orrery::weights
