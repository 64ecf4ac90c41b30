// Azure's LLM inference traces: one request a line, the time of day to 100 ns.
#include <array>
#include <chrono>

#include "cli/workload.h"

namespace orrery::cli {
namespace {

constexpr std::string_view kHeader = "TIMESTAMP,ContextTokens,GeneratedTokens";

// "2023-11-16 18:17:03.9799600" → seconds since 1970.
Result<double> parse_time(std::string_view text) {
  const auto wrong = [text] {
    return malformed("TIMESTAMP: expected as 2023-11-16 18:17:03.9799600, got \"{}\"",
                     text.substr(0, 40));
  };
  constexpr std::string_view kPattern = "dddd-dd-dd dd:dd:dd";
  if (text.size() < kPattern.size()) return wrong();
  std::array<int, 6> part = {};
  size_t at_part = 0;
  for (size_t i = 0; i < kPattern.size(); ++i) {
    if (kPattern[i] != 'd') {
      if (text[i] != kPattern[i]) return wrong();
      ++at_part;
    } else {
      if (text[i] < '0' || text[i] > '9') return wrong();
      part[at_part] = part[at_part] * 10 + (text[i] - '0');
    }
  }
  double fraction = 0;
  if (text.size() > kPattern.size()) {
    if (text[kPattern.size()] != '.') return wrong();
    auto parsed = parse_number(text.substr(kPattern.size()));
    if (!parsed.ok() || *parsed >= 1) return wrong();
    fraction = *parsed;
  }
  const std::chrono::year_month_day date{std::chrono::year(part[0]),
                                         std::chrono::month(static_cast<unsigned>(part[1])),
                                         std::chrono::day(static_cast<unsigned>(part[2]))};
  if (!date.ok() || part[3] > 23 || part[4] > 59 || part[5] > 60) return wrong();
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  return static_cast<double>(days) * 86400 + part[3] * 3600 + part[4] * 60 + part[5] + fraction;
}

Result<TraceRequest> parse_line(std::string_view line) {
  const std::vector<std::string_view> fields = split_fields(line, ',');
  if (fields.size() != 3)
    return malformed("expected 3 fields ({}), got {}", kHeader, fields.size());
  TraceRequest request;
  ASSIGN_OR_RETURN(request.arrival_s, parse_time(fields[0]));
  for (auto [target, field, name] :
       {std::tuple{&request.prompt_tokens, fields[1], "ContextTokens"},
        std::tuple{&request.output_tokens, fields[2], "GeneratedTokens"}}) {
    auto tokens = parse_tokens(field);
    if (!tokens.ok()) return tokens.status().with_context(name);
    *target = *tokens;
  }
  return request;
}

}  // namespace

Result<std::vector<TraceRequest>> read_azure(std::string_view text, const std::string& name,
                                             int64_t limit) {
  std::vector<TraceRequest> requests;
  int64_t number = 0;
  for (std::string_view line : split_fields(text, '\n')) {
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (number == 1) {
      if (line != kHeader) {
        return malformed("{}: line 1: expected {}, got \"{}\"", name, kHeader, line.substr(0, 60));
      }
      continue;
    }
    if (line.empty()) continue;
    auto request = parse_line(line);
    if (!request.ok())
      return request.status().with_context(fmt::format("{}: line {}", name, number));
    requests.push_back(std::move(request).value());
    if (static_cast<int64_t>(requests.size()) == limit) break;
  }
  return requests;
}

}  // namespace orrery::cli
