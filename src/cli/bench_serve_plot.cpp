#include "cli/bench_serve_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/bench_drive.h"
#include "cli/svg.h"

namespace orrery::cli {
namespace {

using svg::Anchor, svg::Font, svg::Ink, svg::Point;

constexpr double kWidth = 960, kHeight = 628;
constexpr double kLeastSeconds = 1e-4;
constexpr double kPanelWidth = 392, kPanelHeight = 176;  // of the axes' inside

std::string duration(double seconds) {
  if (seconds >= 1) return fmt::format("{:.3g} s", seconds);
  if (seconds >= 1e-3) return fmt::format("{:.3g} ms", seconds * 1e3);
  return fmt::format("{:.3g} µs", seconds * 1e6);
}

// The least of 1, 2, 5, 10, 20, ... times a power of ten that is not below.
double round_up(double value) {
  const double decade = std::pow(10, std::floor(std::log10(value)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (value <= decade * factor * (1 + 1e-9)) return decade * factor;
  }
  return decade * 10;
}

// Axes at a place of the picture, with a heading and the figures beside it.
class Panel {
 public:
  Panel(double left, double top) : left_(left), top_(top) {}

  double right() const { return left_ + kPanelWidth; }
  double bottom() const { return top_ + kPanelHeight; }
  double x_of(double fraction) const { return left_ + fraction * kPanelWidth; }
  double y_of(double fraction) const { return bottom() - fraction * kPanelHeight; }

  std::string heading(std::string_view name, std::string_view figures) const {
    return svg::text(left_, top_ - 14, Anchor::kStart, Ink::kText, name, Font::kStrong) +
           svg::text(right(), top_ - 14, Anchor::kEnd, Ink::kFaint, figures);
  }
  std::string across(double fraction, std::string_view label) const {
    return svg::line({left_, y_of(fraction)}, {right(), y_of(fraction)}, Ink::kGrid) +
           svg::text(left_ - 8, y_of(fraction) + 4, Anchor::kEnd, Ink::kFaint, label);
  }
  std::string up(double fraction, std::string_view label) const {
    return svg::line({x_of(fraction), top_}, {x_of(fraction), bottom()}, Ink::kGrid) +
           svg::text(x_of(fraction), bottom() + 18, Anchor::kMiddle, Ink::kFaint, label);
  }

 private:
  double left_, top_;
};

// A logarithmic axis of time, from a round number to a round number. Tokens that come together,
// microseconds apart, are all at its beginning.
class TimeAxis {
 public:
  TimeAxis(double least, double most)
      : least_(round_up(std::max(least / 2.5, kLeastSeconds))),
        most_(round_up(std::max(most, least_ * 4))) {}

  bool shows(double seconds) const { return seconds >= least_ && seconds <= most_; }
  double fraction_of(double seconds) const {
    return std::clamp(std::log(std::max(seconds, least_) / least_) / std::log(most_ / least_), 0.0,
                      1.0);
  }
  std::string ticks(const Panel& panel) const {
    // At most eight labels beside each other.
    const bool only_decades = most_ / least_ > 600;
    std::string out;
    for (double tick = least_; tick <= most_ * 1.01; tick = round_up(tick * 1.01)) {
      const double log = std::log10(tick);
      if (only_decades && std::abs(log - std::round(log)) > 1e-6) continue;
      out += panel.up(fraction_of(tick), duration(tick));
    }
    return out;
  }

 private:
  double least_, most_;
};

// Which share of `values` lies below each time.
std::string distribution(const Panel& panel, std::string_view name, std::vector<double> values,
                         double limit_s) {
  if (values.empty()) return panel.heading(name, "none");
  std::sort(values.begin(), values.end());
  const auto count = static_cast<double>(values.size());
  const auto within =
      static_cast<double>(std::upper_bound(values.begin(), values.end(), limit_s) - values.begin());
  const bool show_limit = limit_s < 10 * values.back() && limit_s > values.front() / 10;
  const TimeAxis axis(std::min(values.front(), show_limit ? limit_s : values.front()),
                      std::max(values.back(), show_limit ? limit_s : values.back()));
  std::string out = panel.heading(
      name, fmt::format("{:.3g} % within {}", 100 * within / count, duration(limit_s)));
  for (const int percent : {0, 25, 50, 75, 100}) {
    out += panel.across(percent / 100.0, fmt::format("{} %", percent));
  }
  out += axis.ticks(panel);
  if (show_limit) {
    const double x = panel.x_of(axis.fraction_of(limit_s));
    out += svg::line({x, panel.y_of(1)}, {x, panel.y_of(0)}, Ink::kMark, true);
  }
  constexpr int kSteps = 200;
  std::vector<Point> points;
  for (int i = 0; i <= kSteps; ++i) {
    const double share = static_cast<double>(i) / kSteps;
    const double value = values[static_cast<size_t>(share * (count - 1))];
    points.emplace_back(panel.x_of(axis.fraction_of(value)), panel.y_of(share));
  }
  out += svg::curve(points, Ink::kFirst);
  // The lower right is below every such curve.
  double row = 0.38;
  for (const int percent : {50, 90, 99}) {
    const double value = percentile(values, percent);
    out += svg::rect(panel.x_of(axis.fraction_of(value)) - 3, panel.y_of(percent / 100.0) - 3, 6, 6,
                     Ink::kFirst);
    out += svg::text(panel.right() - 12, panel.y_of(row), Anchor::kEnd, Ink::kText,
                     fmt::format("p{} {}", percent, duration(value)));
    row -= 0.13;
  }
  return out;
}

struct Bins {
  explicit Bins(double run_seconds, size_t count)
      : width_s(std::max(run_seconds, 1e-9) / static_cast<double>(count)), per_s(count) {}
  void add(double at_s) {
    const auto bin = static_cast<size_t>(std::max(at_s, 0.0) / width_s);
    per_s[std::min(bin, per_s.size() - 1)] += 1 / width_s;
  }
  double most() const { return *std::max_element(per_s.begin(), per_s.end()); }

  double width_s;
  std::vector<double> per_s;
};

// Axes of something per second over the time of the run. `most`: of the upward axis.
std::string rate_axes(const Panel& panel, double seconds, double most) {
  std::string out;
  for (const double fraction : {0.0, 0.5, 1.0}) {
    out += panel.across(fraction, fmt::format("{:g}", most * fraction));
  }
  const double step = round_up(std::max(seconds, 1e-9) / 6);
  for (double at = 0; at <= seconds * 1.001; at += step) {
    out += panel.up(at / seconds, at == 0 ? "0" : duration(at));
  }
  return out;
}

void add_bars(std::string& out, const Panel& panel, const std::vector<double>& from,
              const std::vector<double>& heights, double most, Ink ink) {
  const double width = kPanelWidth / static_cast<double>(heights.size());
  for (size_t i = 0; i < heights.size(); ++i) {
    if (heights[i] == 0) continue;
    const double top = panel.y_of((from[i] + heights[i]) / most);
    out += svg::rect(panel.x_of(0) + width * static_cast<double>(i) + 0.5, top, width - 1,
                     panel.y_of(from[i] / most) - top, ink);
  }
}

std::string throughput(const Panel& panel, const ServePlot& plot) {
  Bins bins(plot.seconds, 56);
  for (const double at : plot.token_s) bins.add(at);
  const double mean = static_cast<double>(plot.token_s.size()) / std::max(plot.seconds, 1e-9);
  std::string out =
      panel.heading("Output tokens per second", fmt::format("{:.4g} on average", mean));
  if (plot.token_s.empty()) return out;
  const double most = round_up(bins.most());
  out += rate_axes(panel, plot.seconds, most);
  add_bars(out, panel, std::vector<double>(bins.per_s.size()), bins.per_s, most, Ink::kSecond);
  return out + svg::line({panel.x_of(0), panel.y_of(mean / most)},
                         {panel.right(), panel.y_of(mean / most)}, Ink::kText, true);
}

std::string goodput(const Panel& panel, const ServePlot& plot) {
  Bins good(plot.seconds, 28), late(plot.seconds, 28), all(plot.seconds, 28);
  double num_good = 0;
  for (const ServePlot::End& end : plot.ends) {
    (end.good ? good : late).add(end.at_s);
    all.add(end.at_s);
    num_good += end.good ? 1 : 0;
  }
  std::string out = panel.heading(
      "Requests ended per second",
      fmt::format("goodput {:.3g}, {:.3g} % of them", num_good / std::max(plot.seconds, 1e-9),
                  100 * num_good / std::max<double>(1, static_cast<double>(plot.ends.size()))));
  if (plot.ends.empty()) return out;
  const double most = round_up(all.most());
  out += rate_axes(panel, plot.seconds, most);
  add_bars(out, panel, std::vector<double>(good.per_s.size()), good.per_s, most, Ink::kFirst);
  add_bars(out, panel, good.per_s, late.per_s, most, Ink::kMark);
  const double y = panel.bottom() + 42;
  return out + svg::rect(panel.x_of(0), y - 10, 14, 12, Ink::kFirst) +
         svg::text(panel.x_of(0) + 20, y, Anchor::kStart, Ink::kFaint, "within both limits") +
         svg::rect(panel.x_of(0) + 160, y - 10, 14, 12, Ink::kMark) +
         svg::text(panel.x_of(0) + 180, y, Anchor::kStart, Ink::kFaint, "late");
}

}  // namespace

std::string serve_plot(const ServePlot& plot) {
  const Panel first(64, 122), between(544, 122), tokens(64, 380), ends(544, 380);
  return svg::document(
      kWidth, kHeight,
      svg::text(24, 36, Anchor::kStart, Ink::kText, plot.title, Font::kTitle) +
          svg::text(24, 60, Anchor::kStart, Ink::kFaint, plot.subtitle) +
          distribution(first, "Time to first token", plot.ttft_s, plot.ttft_limit_s) +
          distribution(between, "Time between tokens", plot.itl_s, plot.itl_limit_s) +
          throughput(tokens, plot) + goodput(ends, plot));
}

}  // namespace orrery::cli
