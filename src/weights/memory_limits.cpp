#include "weights/memory_limits.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

namespace orrery::weights {
namespace {

namespace fs = std::filesystem;

// Files of /proc and /sys have no size to map.
std::string read_text(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::optional<int64_t> parse_number(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return number;
}

// The number after `key` and spaces, at the start of a line.
std::optional<int64_t> find_number(std::string_view text, std::string_view key) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (line.starts_with(key)) {
      const size_t digit = line.find_first_of("0123456789", key.size());
      return digit == line.npos ? std::nullopt : parse_number(line.substr(digit));
    }
    at = end + 1;
  }
  return std::nullopt;
}

struct CgroupFiles {
  const char *limit, *usage, *reclaimable;
};
constexpr CgroupFiles kV1 = {"memory.limit_in_bytes", "memory.usage_in_bytes",
                             "total_inactive_file "};
constexpr CgroupFiles kV2 = {"memory.max", "memory.current", "inactive_file "};

// What one group leaves: limit − usage, where page cache that the kernel can drop is not usage.
std::optional<int64_t> group_bytes(const fs::path& group, const CgroupFiles& files) {
  const auto limit = parse_number(read_text(group / files.limit));  // "max" is no number
  constexpr int64_t kNoLimit = int64_t{1} << 60;                    // v1 writes 2^63 − a page
  if (!limit || *limit >= kNoLimit) return std::nullopt;
  const int64_t usage = parse_number(read_text(group / files.usage)).value_or(0);
  const int64_t reclaimable =
      find_number(read_text(group / "memory.stat"), files.reclaimable).value_or(0);
  return std::max<int64_t>(0, *limit - std::max<int64_t>(0, usage - reclaimable));
}

// The tightest of `path` below `mount` and the groups above it. In a container the path may name
// groups that are not visible; what is, counts.
std::optional<int64_t> tightest(const fs::path& mount, fs::path path, const CgroupFiles& files) {
  std::optional<int64_t> result;
  for (;; path = path.parent_path()) {
    const auto bytes = group_bytes(path.empty() ? mount : mount / path, files);
    if (bytes && (!result || *bytes < *result)) result = bytes;
    if (path.empty() || path == path.parent_path()) return result;
  }
}

std::optional<int64_t> cgroup_bytes(const fs::path& root) {
  std::optional<int64_t> result;
  const std::string groups = read_text(root / "proc/self/cgroup");
  const std::string_view text = groups;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);  // "4:memory:/path", "0::/path"
    at = end + 1;
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const fs::path path = fs::path(line.substr(second + 1)).relative_path();
    const bool v2 = line.starts_with("0::");
    if (!v2 && controllers != "memory") continue;
    const auto bytes = v2 ? tightest(root / "sys/fs/cgroup", path, kV2)
                          : tightest(root / "sys/fs/cgroup/memory", path, kV1);
    if (bytes && (!result || *bytes < *result)) result = bytes;
  }
  return result;
}

}  // namespace

int64_t MemoryLimits::available_bytes() const {
  return cgroup_bytes ? std::min(*cgroup_bytes, system_bytes) : system_bytes;
}

std::string MemoryLimits::source() const {
  return cgroup_bytes && *cgroup_bytes < system_bytes ? "limit of the control group"
                                                      : "MemAvailable of the system";
}

Result<MemoryLimits> read_memory_limits(const std::string& root) {
  const fs::path meminfo = fs::path(root) / "proc/meminfo";
  const std::string text = read_text(meminfo);
  if (text.empty()) return io_error("{}: cannot read", meminfo.string());
  const auto available = find_number(text, "MemAvailable:");
  if (!available || *available > std::numeric_limits<int64_t>::max() / 1024) {
    return malformed("{}: MemAvailable: expected a number of kB", meminfo.string());
  }
  MemoryLimits limits;
  limits.system_bytes = *available * 1024;
  limits.cgroup_bytes = cgroup_bytes(root);
  return limits;
}

std::string format_bytes(int64_t bytes) {
  constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto number = static_cast<double>(bytes);
  int unit = 0;
  while (number >= 1024 && unit < 6) {
    number /= 1024;
    ++unit;
  }
  if (unit == 0) return fmt::format("{} bytes", bytes);
  return fmt::format("{:.{}f} {}", number, number < 10 ? 2 : number < 100 ? 1 : 0, kUnits[unit]);
}

}  // namespace orrery::weights
