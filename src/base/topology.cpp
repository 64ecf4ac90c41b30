#include "base/topology.h"

#include <fmt/ranges.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace orrery {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxNodes = 1024;  // Linux's own bound
constexpr size_t kBits = sizeof(unsigned long) * CHAR_BIT;

// The number in "node12"; -1 for any other name.
int node_number(std::string_view name) {
  constexpr std::string_view kPrefix = "node";
  if (name.substr(0, kPrefix.size()) != kPrefix) return -1;
  name.remove_prefix(kPrefix.size());
  int number = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc() && end == name.data() + name.size() ? number : -1;
}

}  // namespace

std::vector<int> usable_cpus() {
  std::vector<int> cpus;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  return cpus;
}

std::vector<int> nodes_of(const std::vector<int>& cpus, const std::string& folder) {
  std::vector<int> nodes;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const int node = node_number(it->path().filename().string());
    const auto has = [&](int cpu) {
      std::error_code ignored;
      return fs::exists(it->path() / fmt::format("cpu{}", cpu), ignored);
    };
    if (node >= 0 && std::any_of(cpus.begin(), cpus.end(), has)) nodes.push_back(node);
  }
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

// The system calls themselves: libnuma would be a library for these two.
bool interleave_memory(const std::vector<int>& nodes) {
  if (nodes.size() < 2) return false;
  int policy = MPOL_DEFAULT;
  if (syscall(SYS_get_mempolicy, &policy, nullptr, 0, nullptr, 0) != 0 || policy != MPOL_DEFAULT)
    return false;
  std::array<unsigned long, kMaxNodes / kBits> mask{};
  for (const int node : nodes) {
    const auto bit = static_cast<size_t>(node);
    if (bit < kMaxNodes) mask[bit / kBits] |= 1UL << bit % kBits;
  }
  // The system looks at one bit fewer than it is told of.
  if (syscall(SYS_set_mempolicy, MPOL_INTERLEAVE, mask.data(), kMaxNodes + 1) == 0) {
    spdlog::info("memory lies on nodes {} in turn", fmt::join(nodes, ", "));
    return true;
  }
  spdlog::warn("memory cannot lie on nodes {} in turn: {}", fmt::join(nodes, ", "),
               std::generic_category().message(errno));
  return false;
}

}  // namespace orrery
