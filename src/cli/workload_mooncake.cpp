// Mooncake's traces: one JSON object a line, with a hash for each 512 tokens of the prompt.
#include "base/json.h"
#include "cli/workload.h"

namespace orrery::cli {
namespace {

Result<int64_t> integer(const Json& object, const char* key, int64_t low, int64_t high) {
  const auto found = object.find(key);
  if (found == object.end()) return malformed("expected the key {}, found none", key);
  // An integer above 2^63 is unsigned and would come out negative.
  const bool whole = found->is_number_integer();
  const auto value = whole ? found->get<int64_t>() : -1;
  if (!whole || value < low || value > high) {
    return malformed("{}: expected an integer from {} to {}, got {}", key, low, high,
                     dump_json(*found).substr(0, 40));
  }
  return value;
}

Result<std::vector<int64_t>> hashes(const Json& object, int64_t prompt_tokens) {
  const auto found = object.find("hash_ids");
  const int64_t expected = (prompt_tokens + kTraceBlock - 1) / kTraceBlock;
  if (found == object.end() || !found->is_array() ||
      static_cast<int64_t>(found->size()) != expected) {
    return malformed("hash_ids: expected {} integers, one for each {} of {} tokens, got {}",
                     expected, kTraceBlock, prompt_tokens,
                     found == object.end() ? "none"
                     : found->is_array()   ? std::to_string(found->size())
                                           : dump_json(*found).substr(0, 40));
  }
  std::vector<int64_t> result;
  for (const Json& hash : *found) {
    if (!hash.is_number_integer()) {
      return malformed("hash_ids[{}]: expected an integer, got {}", result.size(),
                       dump_json(hash).substr(0, 40));
    }
    result.push_back(hash.get<int64_t>());
  }
  return result;
}

Result<TraceRequest> parse_line(std::string_view line, const std::string& where) {
  constexpr int64_t kMaxMs = int64_t{1} << 50;
  ASSIGN_OR_RETURN(const Json object, parse_json(line, where));
  const auto read = [&]() -> Result<TraceRequest> {
    if (!object.is_object()) return malformed("expected a JSON object");
    TraceRequest request;
    ASSIGN_OR_RETURN(const int64_t timestamp_ms, integer(object, "timestamp", 0, kMaxMs));
    request.arrival_s = static_cast<double>(timestamp_ms) / 1000;
    ASSIGN_OR_RETURN(request.prompt_tokens, integer(object, "input_length", 1, kMaxTraceTokens));
    ASSIGN_OR_RETURN(request.output_tokens, integer(object, "output_length", 0, kMaxTraceTokens));
    ASSIGN_OR_RETURN(request.block_hashes, hashes(object, request.prompt_tokens));
    return request;
  };
  auto request = read();
  if (!request.ok()) return request.status().with_context(where);
  return request;
}

}  // namespace

Result<std::vector<TraceRequest>> read_mooncake(std::string_view text, const std::string& name,
                                                int64_t limit) {
  std::vector<TraceRequest> requests;
  int64_t number = 0;
  for (const std::string_view line : split_fields(text, '\n')) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    ASSIGN_OR_RETURN(TraceRequest request,
                     parse_line(line, fmt::format("{}: line {}", name, number)));
    requests.push_back(std::move(request));
    if (static_cast<int64_t>(requests.size()) == limit) break;
  }
  return requests;
}

}  // namespace orrery::cli
