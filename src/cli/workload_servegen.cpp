// ServeGen's clients: for each ten minutes the rate of arrivals and the distribution of the gaps
// between them, for each six hours those of the lengths.
#include <algorithm>
#include <cmath>
#include <map>

#include "base/json.h"
#include "base/mapped_file.h"
#include "base/random.h"
#include "cli/workload.h"

namespace orrery::cli {
namespace {

constexpr double kTwoPi = 6.283185307179586;
constexpr int64_t kMaxDrawn = 10'000'000;  // requests; the published clients come to some thousands

// Uniform draws of one stream.
class Draws {
 public:
  Draws(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}
  double uniform() { return uniform_double(seed_, stream_, index_++); }
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(kTwoPi * uniform());
  }
  // Of scale 1. (Marsaglia and Tsang, "A Simple Method for Generating Gamma Variables", 2000)
  double gamma(double shape) {
    const double boost = shape < 1 ? std::pow(1 - uniform(), 1 / shape) : 1;
    const double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3;
    const double c = 1 / std::sqrt(9 * d);
    for (;;) {
      const double x = normal();
      const double v = std::pow(1 + c * x, 3);
      if (v <= 0) continue;
      if (std::log(1 - uniform()) < x * x / 2 + d - d * v + d * std::log(v)) return boost * d * v;
    }
  }

 private:
  uint64_t seed_, stream_;
  uint32_t index_ = 0;
};

struct Window {
  double begin_s = 0;
  double rate = 0;  // requests a second
  enum class Gaps { kGamma, kWeibull } gaps = Gaps::kGamma;
  double shape = 1;
};

// Gaps have the shape that was fitted and the mean that was counted.
double draw_gap(const Window& window, Draws& draws) {
  if (window.gaps == Window::Gaps::kGamma) {
    return draws.gamma(window.shape) / window.shape / window.rate;
  }
  const double mean = std::tgamma(1 + 1 / window.shape);
  return std::pow(-std::log(1 - draws.uniform()), 1 / window.shape) / mean / window.rate;
}

Result<Window> parse_window(std::string_view line) {
  const std::vector<std::string_view> fields = split_fields(line, ',');
  if (fields.size() != 6) {
    return malformed("expected 6 fields (start, rate, cv, distribution, shape, scale), got {}",
                     fields.size());
  }
  Window window;
  ASSIGN_OR_RETURN(window.begin_s, parse_number(fields[0]));
  ASSIGN_OR_RETURN(window.rate, parse_number(fields[1]));
  if (window.begin_s < 0 || window.rate < 0 || window.rate > 1e6) {
    return malformed("expected a start of at least 0 and a rate from 0 to 1000000, got {} and {}",
                     window.begin_s, window.rate);
  }
  if (window.rate == 0) return window;
  if (fields[3] != "Gamma" && fields[3] != "Weibull") {
    return unsupported("distribution of gaps: expected Gamma or Weibull, got \"{}\"",
                       fields[3].substr(0, 40));
  }
  window.gaps = fields[3] == "Gamma" ? Window::Gaps::kGamma : Window::Gaps::kWeibull;
  ASSIGN_OR_RETURN(window.shape, parse_number(fields[4]));
  if (window.shape < 0.01 || window.shape > 1000) {
    return malformed("shape: expected from 0.01 to 1000, got {}", window.shape);
  }
  return window;
}

Result<std::vector<Window>> read_windows(const std::string& path) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  std::vector<Window> windows;
  int64_t number = 0;
  for (std::string_view line : split_fields(file.text(), '\n')) {
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    auto window = parse_window(line);
    if (!window.ok()) return window.status().with_context(fmt::format("{}: line {}", path, number));
    if (!windows.empty() && window->begin_s <= windows.back().begin_s) {
      return malformed("{}: line {}: expected a start after {}, got {}", path, number,
                       windows.back().begin_s, window->begin_s);
    }
    windows.push_back(*window);
  }
  if (windows.size() < 2) {
    return malformed("{}: expected at least 2 lines, got {}", path, windows.size());
  }
  return windows;
}

// Lengths and the probability of at most each.
using Lengths = std::vector<std::pair<int64_t, double>>;

// "{60: 0.25, 61: 0.75}", as Python prints a dictionary.
Result<Lengths> parse_lengths(std::string_view text) {
  const std::string_view whole = text;
  const auto wrong = [whole] {
    return malformed("expected a dictionary as {{60: 0.25, 61: 0.75}}, got \"{}\"",
                     whole.substr(0, 40));
  };
  if (!text.starts_with("{") || !text.ends_with("}") || text.size() < 2) return wrong();
  text = text.substr(1, text.size() - 2);
  Lengths lengths;
  double sum = 0;
  if (text.empty()) return lengths;
  for (std::string_view entry : split_fields(text, ',')) {
    while (entry.starts_with(' ')) entry.remove_prefix(1);
    const size_t colon = entry.find(": ");
    if (colon == std::string_view::npos) return wrong();
    ASSIGN_OR_RETURN(const int64_t length, parse_tokens(entry.substr(0, colon)));
    ASSIGN_OR_RETURN(const double probability, parse_number(entry.substr(colon + 2)));
    if (probability < 0) return wrong();
    lengths.emplace_back(length, sum += probability);
  }
  if (sum < 0.99 || sum > 1.01) return malformed("probabilities: expected a sum of 1, got {}", sum);
  return lengths;
}

int64_t draw_length(const Lengths& lengths, Draws& draws) {
  const double u = draws.uniform() * lengths.back().second;
  const auto found =
      std::upper_bound(lengths.begin(), lengths.end(), u,
                       [](double value, const auto& entry) { return value < entry.second; });
  return std::max<int64_t>(1, (found == lengths.end() ? lengths.back() : *found).first);
}

struct Period {
  Lengths prompt, output;
};

// Seconds of the day → the lengths from then on.
Result<std::map<double, Period>> read_periods(const std::string& path) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  ASSIGN_OR_RETURN(const Json json, parse_json(file.text(), path));
  if (!json.is_object()) return malformed("{}: expected a JSON object", path);
  std::map<double, Period> periods;
  for (const auto& [key, value] : json.items()) {
    auto begin = parse_number(key);
    if (!begin.ok()) return begin.status().with_context(path + ": key");
    Period& period = periods[*begin];
    for (auto [target, name] :
         {std::pair{&period.prompt, "input_tokens"}, std::pair{&period.output, "output_tokens"}}) {
      const std::string where = fmt::format("{}: {}: {}", path, key, name);
      if (!value.is_object() || !value.contains(name) || !value[name].is_string()) {
        return malformed("{}: expected a string", where);
      }
      auto lengths = parse_lengths(value[name].get_ref<const std::string&>());
      if (!lengths.ok()) return lengths.status().with_context(where);
      *target = std::move(lengths).value();
    }
  }
  return periods;
}

Status draw_client(const std::string& trace, Draws draws, int64_t limit,
                   std::vector<TraceRequest>& out) {
  const std::string dataset =
      trace.substr(0, trace.size() - std::string_view("trace.csv").size()) + "dataset.json";
  ASSIGN_OR_RETURN(const std::vector<Window> windows, read_windows(trace));
  ASSIGN_OR_RETURN(const auto periods, read_periods(dataset));
  int64_t num_drawn = 0;
  for (size_t i = 0; i < windows.size() && num_drawn < limit; ++i) {
    const Window& window = windows[i];
    if (window.rate == 0) continue;
    const double end = i + 1 < windows.size() ? windows[i + 1].begin_s
                                              : 2 * window.begin_s - windows[i - 1].begin_s;
    auto period = periods.upper_bound(window.begin_s);
    if (period != periods.begin()) --period;
    if (period == periods.end() || period->second.prompt.empty() || period->second.output.empty()) {
      return malformed("{}: expected lengths for second {}, when {} requests a second arrive",
                       dataset, window.begin_s, window.rate);
    }
    for (double now = window.begin_s + draw_gap(window, draws); now < end && num_drawn < limit;
         now += draw_gap(window, draws), ++num_drawn) {
      const int64_t prompt = draw_length(period->second.prompt, draws);
      out.push_back({now, prompt, draw_length(period->second.output, draws), {}});
    }
  }
  return {};
}

}  // namespace

Result<std::vector<TraceRequest>> read_servegen(const std::vector<std::string>& traces,
                                                const WorkloadOptions& options) {
  std::vector<TraceRequest> requests;
  uint64_t stream = 0;
  for (const std::string& trace : traces) {
    RETURN_IF_ERROR(draw_client(trace, Draws(options.seed, stream++),
                                std::min(options.limit, kMaxDrawn), requests));
  }
  return requests;
}

}  // namespace orrery::cli
