// The ablation as a picture: a bar per measure on a logarithmic axis, published ratios as marks.
#include <algorithm>
#include <cmath>

#include "cli/ablation.h"

namespace orrery::cli {
namespace {

constexpr double kWidth = 960, kLabels = 350, kPlotEnd = 850, kTop = 104, kRow = 23, kHeading = 38;
constexpr double kLeast = 0.5;
constexpr std::string_view kTimed = "#3f6fb0", kCounted = "#7fb3a3", kMark = "#c2410c",
                           kText = "#1f2937", kFaint = "#6b7280", kGrid = "#e5e7eb";

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string text_at(double x, double y, std::string_view anchor, std::string_view attributes,
                    std::string_view text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" {}>{}</text>\n", x, y,
                     anchor, attributes, escape(text));
}

std::string rect(double x, double y, double width, double height, std::string_view fill) {
  return fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>\n", x, y,
      std::max(width, 1.0), height, fill);
}

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
        bars += text_at(24, y - 8, "start", fmt::format("font-weight=\"600\" fill=\"{}\"", kText),
                        row.technique);
      }
      technique = &row.technique;
      bars += bar(row, y);
      y += kRow;
    }
    const double end = y + 8;
    return fmt::format(
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
               "width=\"{0:.0f}\" height=\"{1:.0f}\" font-family=\"Helvetica, Arial, "
               "'Liberation Sans', sans-serif\" font-size=\"13\">\n",
               kWidth, end + 34) +
           rect(0, 0, kWidth, end + 34, "#ffffff") + heading(title) + grid(end) + bars + "</svg>\n";
  }

 private:
  double x_of(double ratio) const {
    const double clamped = std::clamp(ratio, kLeast, most_);
    return kLabels + (kPlotEnd - kLabels) * std::log(clamped / kLeast) / std::log(most_ / kLeast);
  }

  std::string bar(const AblationRow& row, double y) const {
    const double from = std::min(x_of(1), x_of(row.ratio)), to = std::max(x_of(1), x_of(row.ratio));
    std::string out =
        text_at(kLabels - 12, y + 12, "end", fmt::format("fill=\"{}\"", kText), row.measure);
    out += rect(from, y + 1, to - from, kRow - 8, row.basis == "time" ? kTimed : kCounted);
    double label = to + 7;
    if (row.published) {
      const double mark = x_of(row.published->ratio);
      out += rect(mark - 1.5, y - 2, 3, kRow - 2, kMark);
      if (mark > to - 4 && mark < to + 46) label = mark + 8;
    }
    out += text_at(label, y + 12, "start", fmt::format("fill=\"{}\"", kText),
                   fmt::format("{:.{}f} ×", row.ratio, row.ratio < 99.5 ? 1 : 0));
    return out;
  }

  std::string heading(const std::string& title) const {
    std::string out =
        text_at(24, 34, "start",
                fmt::format("font-size=\"18\" font-weight=\"600\" fill=\"{}\"", kText), title);
    const std::string faint = fmt::format("fill=\"{}\"", kFaint);
    out += text_at(24, 56, "start", faint,
                   "How many times better with each technique than without; logarithmic.");
    out += rect(24, 71, 14, 12, kTimed) + text_at(44, 82, "start", faint, "measured in time");
    out += rect(176, 71, 14, 12, kCounted) +
           text_at(196, 82, "start", faint, "counted: steps, tokens, requests, bytes");
    out += rect(455, 68, 3, 18, kMark) + text_at(466, 82, "start", faint, "published");
    return out;
  }

  std::string grid(double end) const {
    std::string out;
    for (double decade = 0.1; decade < most_; decade *= 10) {
      for (const double factor : {1.0, 2.0, 5.0}) {
        const double ratio = decade * factor;
        if (ratio < kLeast * 0.99 || ratio > most_) continue;
        const bool one = std::abs(ratio - 1) < 1e-6;
        out += fmt::format(
            "<line x1=\"{0:.1f}\" y1=\"{1:.1f}\" x2=\"{0:.1f}\" y2=\"{2:.1f}\" stroke=\"{3}\"/>\n",
            x_of(ratio), kTop, end, one ? kFaint : kGrid);
        out += text_at(x_of(ratio), end + 18, "middle", fmt::format("fill=\"{}\"", kFaint),
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
