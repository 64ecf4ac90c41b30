#include "cli/workload.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "base/mapped_file.h"
#include "base/random.h"

namespace orrery::cli {
namespace {

constexpr std::string_view kServeGenSuffix = "-trace.csv";

bool is_servegen(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with("chunk-") && name.ends_with(kServeGenSuffix);
}

Result<std::vector<std::string>> servegen_traces(const std::string& folder) {
  std::vector<std::string> traces;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (is_servegen(entry.path())) traces.push_back(entry.path().string());
  }
  if (error) return io_error("{}: cannot list: {}", folder, error.message());
  if (traces.empty()) {
    return not_found("{}: expected ServeGen's chunk-N-trace.csv in the folder, found none", folder);
  }
  std::sort(traces.begin(), traces.end());
  return traces;
}

Result<Workload> read_file_of_requests(const std::string& path, const WorkloadOptions& options) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  const std::string_view text = file.text();
  const std::string_view first = text.substr(0, text.find_first_of("\r\n"));
  Workload workload;
  if (first.starts_with("TIMESTAMP")) {
    workload.format = "azure";
    ASSIGN_OR_RETURN(workload.requests, read_azure(text, path, options.limit));
  } else if (first.starts_with("{")) {
    workload.format = "mooncake";
    ASSIGN_OR_RETURN(workload.requests, read_mooncake(text, path, options.limit));
  } else {
    return malformed(
        "{}: line 1: expected Azure's header TIMESTAMP,ContextTokens,GeneratedTokens, a JSON "
        "object of Mooncake's, or a file named as ServeGen's chunk-N-trace.csv; got \"{}\"",
        path, first.substr(0, 60));
  }
  return workload;
}

std::vector<int32_t> make_prompt(const TraceRequest& request, uint32_t index, int64_t length,
                                 const FitOptions& options) {
  std::vector<int32_t> ids;
  ids.reserve(static_cast<size_t>(length));
  const auto seed = static_cast<uint32_t>(options.seed);
  for (int64_t t = 0; t < length; ++t) {
    std::array<uint32_t, 4> counter = {static_cast<uint32_t>(t), 0, index, 0};
    uint32_t stream = 1;
    if (!request.block_hashes.empty()) {
      // Where the token stood before lengths were scaled. Prompts that begin with the same hashes
      // agree on it token by token.
      const auto source =
          std::min(static_cast<int64_t>(static_cast<double>(t) / options.length_scale),
                   static_cast<int64_t>(request.block_hashes.size()) * kTraceBlock - 1);
      const auto hash =
          static_cast<uint64_t>(request.block_hashes[static_cast<size_t>(source / kTraceBlock)]);
      counter = {static_cast<uint32_t>(source % kTraceBlock), 0, static_cast<uint32_t>(hash),
                 static_cast<uint32_t>(hash >> 32)};
      stream = 2;
    }
    ids.push_back(static_cast<int32_t>(philox4x32(counter, {seed, stream})[0] %
                                       static_cast<uint64_t>(options.vocab_size)));
  }
  return ids;
}

int64_t scaled(int64_t tokens, double scale) {
  return std::max<int64_t>(1, std::llround(static_cast<double>(tokens) * scale));
}

}  // namespace

std::vector<std::string_view> split_fields(std::string_view line, char separator) {
  std::vector<std::string_view> fields;
  for (;;) {
    const size_t end = line.find(separator);
    fields.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return fields;
    line.remove_prefix(end + 1);
  }
}

Result<int64_t> parse_tokens(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0 ||
      value > kMaxTraceTokens) {
    return malformed("expected a number of tokens from 0 to {}, got \"{}\"", kMaxTraceTokens,
                     text.substr(0, 40));
  }
  return value;
}

Result<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return malformed("expected a number, got \"{}\"", text.substr(0, 40));
  }
  return value;
}

Result<Workload> read_workload(const std::string& path, const WorkloadOptions& options) {
  std::error_code error;
  const bool folder = std::filesystem::is_directory(path, error);
  Workload workload;
  if (folder || is_servegen(path)) {
    workload.format = "servegen";
    std::vector<std::string> traces = {path};
    if (folder) {
      ASSIGN_OR_RETURN(traces, servegen_traces(path));
    }
    ASSIGN_OR_RETURN(workload.requests, read_servegen(traces, options));
  } else {
    ASSIGN_OR_RETURN(workload, read_file_of_requests(path, options));
  }
  std::vector<TraceRequest>& requests = workload.requests;
  if (requests.empty()) return malformed("{}: expected at least one request, got none", path);
  std::stable_sort(
      requests.begin(), requests.end(),
      [](const TraceRequest& a, const TraceRequest& b) { return a.arrival_s < b.arrival_s; });
  if (requests.size() > static_cast<size_t>(options.limit)) {
    requests.resize(static_cast<size_t>(options.limit));
  }
  const double first = requests.front().arrival_s;
  for (TraceRequest& request : requests) request.arrival_s -= first;
  return workload;
}

FittedWorkload fit(const Workload& workload, const FitOptions& options) {
  FittedWorkload fitted;
  uint32_t index = 0;
  for (const TraceRequest& request : workload.requests) {
    const int64_t prompt = scaled(request.prompt_tokens, options.length_scale);
    const int64_t output = scaled(request.output_tokens, options.length_scale);
    int64_t kept_output = output;
    if (prompt + output > options.max_len) {
      kept_output = std::min(output, std::max(options.max_len / 2, options.max_len - prompt));
    }
    const int64_t kept_prompt = std::min(prompt, options.max_len - kept_output);
    const int64_t lost = prompt + output - kept_prompt - kept_output;
    fitted.num_clipped += lost > 0 ? 1 : 0;
    fitted.num_clipped_tokens += lost;
    fitted.num_tokens += prompt + output;
    const double arrival = options.rate_scale == 0 ? 0 : request.arrival_s / options.rate_scale;
    fitted.work.push_back({arrival, make_prompt(request, index++, kept_prompt, options),
                           static_cast<int32_t>(kept_output)});
  }
  return fitted;
}

}  // namespace orrery::cli
