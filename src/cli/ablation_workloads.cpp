#include "cli/ablation_workloads.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace orrery::cli {
namespace {

std::vector<int32_t> random_ids(uint64_t stream, int64_t count, int64_t vocab) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  for (size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<int32_t>(uniform_double(1, stream, static_cast<uint32_t>(i)) *
                                  static_cast<double>(vocab));
  }
  return ids;
}

}  // namespace

int32_t exponential_length(uint64_t stream, uint32_t index, double mean) {
  const double length = std::ceil(-mean * std::log(1 - uniform_double(2, stream, index)));
  return static_cast<int32_t>(std::clamp(length, 1.0, 1e6));
}

std::vector<Work> exponential_requests(int64_t count, int64_t prompt_mean, int64_t output_mean,
                                       int64_t max_len, int64_t vocab) {
  std::vector<Work> work;
  for (uint32_t i = 0; i < static_cast<uint32_t>(count); ++i) {
    const int64_t drawn =
        prompt_mean == 0 ? 1 : exponential_length(1, i, static_cast<double>(prompt_mean));
    const int64_t prompt = std::min(drawn, max_len / 2);
    const int64_t output = exponential_length(2, i, static_cast<double>(output_mean));
    work.push_back({0, random_ids(i + 100, prompt, vocab),
                    static_cast<int32_t>(std::min(output, max_len - prompt))});
  }
  return work;
}

std::vector<Work> equal_requests(int64_t count, int64_t prompt, int64_t output, int64_t vocab) {
  std::vector<Work> work;
  for (uint64_t i = 0; i < static_cast<uint64_t>(count); ++i) {
    work.push_back({0, random_ids(i + 100, prompt, vocab), static_cast<int32_t>(output)});
  }
  return work;
}

std::vector<Work> grouped_requests(const AblationSizes& sizes, int64_t vocab) {
  std::vector<Work> work;
  for (int64_t member = 0; member < sizes.prefix_members; ++member) {
    for (int64_t group = 0; group < sizes.prefix_groups; ++group) {
      std::vector<int32_t> prompt =
          random_ids(static_cast<uint64_t>(group) + 100, sizes.prefix_shared, vocab);
      const auto own =
          random_ids(static_cast<uint64_t>(member * sizes.prefix_groups + group) + 1000,
                     sizes.prefix_own, vocab);
      prompt.insert(prompt.end(), own.begin(), own.end());
      work.push_back({0, std::move(prompt), static_cast<int32_t>(sizes.prefix_output)});
    }
  }
  return work;
}

}  // namespace orrery::cli
