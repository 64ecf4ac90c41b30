// The ablation as a picture: a bar per measure on a logarithmic axis, published ratios as marks.
#include <algorithm>
#include <cmath>

#include "cli/ablation.h"
#include "cli/svg.h"

namespace orrery::cli {
namespace {

using svg::Anchor, svg::Ink;

constexpr double kWidth = 960, kLabels = 350, kPlotEnd = 850, kTop = 104, kRow = 23, kHeading = 38;
constexpr double kLeast = 0.5;
constexpr svg::Ink kTimed = svg::Ink::kFirst, kCounted = svg::Ink::kSecond;

class Plot {
 public:
  explicit Plot(const std::vector<AblationRow>& rows) : rows_(rows) {
    for (const AblationRow& row : rows) {
      most_ = std::max({most_, row.ratio, row.published ? row.published->ratio : 0.0});
    }
    most_ *= 1.1;
  }

  std::string draw(const std::string& title) {
    std::string bars;
    double y = kTop;
    const std::string* technique = nullptr;
    for (const AblationRow& row : rows_) {
      if (technique == nullptr || *technique != row.technique) {
        y += kHeading;
        bars += svg::text(24, y - 8, Anchor::kStart, Ink::kText, row.technique, svg::Font::kStrong);
      }
      technique = &row.technique;
      bars += bar(row, y);
      y += kRow;
    }
    const double end = y + 8;
    return svg::document(kWidth, end + 34, heading(title) + grid(end) + bars);
  }

 private:
  double x_of(double ratio) const {
    const double clamped = std::clamp(ratio, kLeast, most_);
    return kLabels + (kPlotEnd - kLabels) * std::log(clamped / kLeast) / std::log(most_ / kLeast);
  }

  std::string bar(const AblationRow& row, double y) const {
    const double from = std::min(x_of(1), x_of(row.ratio)), to = std::max(x_of(1), x_of(row.ratio));
    std::string out = svg::text(kLabels - 12, y + 12, Anchor::kEnd, Ink::kText, row.measure);
    out += svg::rect(from, y + 1, to - from, kRow - 8, row.basis == "time" ? kTimed : kCounted);
    double label = to + 7;
    if (row.published) {
      const double mark = x_of(row.published->ratio);
      out += svg::rect(mark - 1.5, y - 2, 3, kRow - 2, Ink::kMark);
      if (mark > to - 4 && mark < to + 46) label = mark + 8;
    }
    out += svg::text(label, y + 12, Anchor::kStart, Ink::kText,
                     fmt::format("{:.{}f} ×", row.ratio, row.ratio < 99.5 ? 1 : 0));
    return out;
  }

  std::string heading(const std::string& title) const {
    std::string out = svg::text(24, 34, Anchor::kStart, Ink::kText, title, svg::Font::kTitle);
    const auto faint = [](double x, double y, std::string_view text) {
      return svg::text(x, y, Anchor::kStart, Ink::kFaint, text);
    };
    out += faint(24, 56, "How many times better with each technique than without; logarithmic.");
    out += svg::rect(24, 71, 14, 12, kTimed) + faint(44, 82, "measured in time");
    out += svg::rect(176, 71, 14, 12, kCounted) +
           faint(196, 82, "counted: steps, tokens, requests, bytes");
    out += svg::rect(455, 68, 3, 18, Ink::kMark) + faint(466, 82, "published");
    return out;
  }

  std::string grid(double end) const {
    std::string out;
    for (double decade = 0.1; decade < most_; decade *= 10) {
      for (const double factor : {1.0, 2.0, 5.0}) {
        const double ratio = decade * factor;
        if (ratio < kLeast * 0.99 || ratio > most_) continue;
        const bool one = std::abs(ratio - 1) < 1e-6;
        out += svg::line({x_of(ratio), kTop}, {x_of(ratio), end}, one ? Ink::kFaint : Ink::kGrid);
        out += svg::text(x_of(ratio), end + 18, Anchor::kMiddle, Ink::kFaint,
                         fmt::format("{:g} ×", ratio));
      }
    }
    return out;
  }

  const std::vector<AblationRow>& rows_;
  double most_ = 2;
};

}  // namespace

std::string ablation_plot(const std::vector<AblationRow>& rows, const std::string& title) {
  return Plot(rows).draw(title);
}

}  // namespace orrery::cli
