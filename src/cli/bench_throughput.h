// bench throughput --trace: what of a trace to run, and how.
#pragma once

#include <optional>
#include <string>

#include "cli/bench.h"

namespace orrery::cli {

struct TraceOptions {
  std::string file;
  int64_t limit = 100;                   // requests
  double rate_scale = 1;                 // arrivals so many times as fast; 0: all at once
  double length_scale = 1;               // of prompts and outputs
  std::optional<int64_t> max_len;        // prompt and output together; default: the model's
  std::optional<int64_t> num_kv_blocks;  // of the pool; default: 1 GiB of them
  int64_t max_num_seqs = 256;
};

// Runs the trace and prints the result. Threads and instruction set of `engine` are resolved.
Status bench_trace(const EngineOptions& engine, const TraceOptions& options, bool json);

}  // namespace orrery::cli
