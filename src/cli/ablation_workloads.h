// The requests of the ablation.
#pragma once

#include <vector>

#include "cli/ablation.h"
#include "cli/bench_drive.h"

namespace orrery::cli {

// Number `index` of a stream of draws, exponential and at least 1.
int32_t exponential_length(uint64_t stream, uint32_t index, double mean);

// Prompts that share nothing; prompt_mean 0: one token. Longer than max_len: clipped, prompts to
// half of it.
std::vector<Work> exponential_requests(int64_t count, int64_t prompt_mean, int64_t output_mean,
                                       int64_t max_len, int64_t vocab);
std::vector<Work> equal_requests(int64_t count, int64_t prompt, int64_t output, int64_t vocab);
// Member after member, each of every group.
std::vector<Work> grouped_requests(const AblationSizes& sizes, int64_t vocab);

}  // namespace orrery::cli
