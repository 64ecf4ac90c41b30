// How much memory this process may use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"

namespace orrery::weights {

// What this process may still use.
struct MemoryLimits {
  int64_t system_bytes = 0;             // MemAvailable of /proc/meminfo
  std::optional<int64_t> cgroup_bytes;  // the tightest limit above this process, less what is used
  int64_t available_bytes() const;      // the smaller one
  std::string source() const;           // which one that is, for messages
};
// Reads /proc and /sys/fs/cgroup (v1 and v2) below `root`. Errors: kIo, kMalformed (meminfo).
Result<MemoryLimits> read_memory_limits(const std::string& root = "/");

// "1.5 GiB", "304 KiB"
std::string format_bytes(int64_t bytes);

}  // namespace orrery::weights
