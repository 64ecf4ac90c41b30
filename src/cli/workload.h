// Workload: when requests arrive and how long they are, as published traces tell.
//
// A trace holds no text. Prompts are made of random ids; where the trace says which blocks of which
// prompts are equal (Mooncake), equal blocks get equal ids, so that prefixes are shared as they
// were.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/bench_drive.h"

namespace orrery::cli {

inline constexpr int64_t kTraceBlock = 512;  // tokens that one hash of a trace stands for
inline constexpr int64_t kMaxTraceTokens = int64_t{1} << 24;  // of one prompt or output

struct TraceRequest {
  double arrival_s = 0;  // after the first request
  int64_t prompt_tokens = 1;
  int64_t output_tokens = 1;
  // One for each kTraceBlock tokens of the prompt; equal numbers, equal tokens. Empty: the prompt
  // is equal to nobody's.
  std::vector<int64_t> block_hashes;
};

struct Workload {
  std::string format;  // "azure", "mooncake", "servegen"
  std::vector<TraceRequest> requests;
};

struct WorkloadOptions {
  int64_t limit = 100;  // the first so many requests
  uint64_t seed = 0;    // of what a trace leaves to chance
};

// `path` is one of
//   * an Azure file: lines TIMESTAMP,ContextTokens,GeneratedTokens (github.com/Azure/
//     AzurePublicDataset);
//   * a Mooncake file: a JSON object a line with timestamp (ms), input_length, output_length,
//     hash_ids (arXiv:2407.00079);
//   * a ServeGen client, chunk-N-trace.csv with chunk-N-dataset.json beside it, or a folder of
//     them (arXiv:2505.09999). These give distributions, from which requests are drawn.
// In the order of arrival. Errors: as MappedFile::open; kMalformed with file, line, what was
// expected and found; kUnsupported for a distribution that we do not have.
Result<Workload> read_workload(const std::string& path, const WorkloadOptions& options);

// One reader per format; `name` is for messages.
Result<std::vector<TraceRequest>> read_azure(std::string_view text, const std::string& name,
                                             int64_t limit);
Result<std::vector<TraceRequest>> read_mooncake(std::string_view text, const std::string& name,
                                                int64_t limit);
// `traces` are paths of chunk-N-trace.csv.
Result<std::vector<TraceRequest>> read_servegen(const std::vector<std::string>& traces,
                                                const WorkloadOptions& options);

struct FitOptions {
  double rate_scale = 1;    // arrivals so many times as fast; 0: all at once
  double length_scale = 1;  // of prompts, outputs and shared blocks
  int64_t max_len = 0;      // prompt and output together, at least 2
  int64_t vocab_size = 0;
  uint64_t seed = 0;
};

// The requests as the engine gets them. What is longer than max_len is clipped: an output to half
// of it, then a prompt to what is left, at its end.
struct FittedWorkload {
  std::vector<Work> work;
  int64_t num_clipped = 0;  // requests that lost tokens,
  int64_t num_clipped_tokens = 0;
  int64_t num_tokens = 0;  // of so many before
};
FittedWorkload fit(const Workload& workload, const FitOptions& options);

// For readers: a line of fields between commas, and a whole number in one of them.
std::vector<std::string_view> split_fields(std::string_view line, char separator);
Result<int64_t> parse_tokens(std::string_view text);  // from 0 to kMaxTraceTokens
Result<double> parse_number(std::string_view text);   // finite

}  // namespace orrery::cli
