#include "server/metrics_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace orrery::server {
namespace {

void append_label(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append("=\"");
  for (const char c : value) {
    if (c == '\n') {
      out += "\\n";
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  out += '"';
}

}  // namespace

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds.begin(), bounds.end()), counts_(bounds.size() + 1) {}

void Histogram::observe(double value, uint64_t times) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[static_cast<size_t>(bucket)] += times;
  sum_ += value * static_cast<double>(times);
  count_ += times;
}

std::vector<double> one_two_five(double last) {
  std::vector<double> bounds;
  for (double decade = 1;; decade *= 10) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      bounds.push_back(decade * factor);
      if (bounds.back() >= last) return bounds;
    }
  }
}

void MetricsText::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void MetricsText::sample(double value, const Labels& labels, std::string_view suffix) {
  text_.append(name_).append(suffix) += '{';
  bool first = true;
  for (const Labels* list : {&std::as_const(common_), &labels}) {
    for (const auto& [name, text] : *list) {
      if (!std::exchange(first, false)) text_ += ',';
      append_label(text_, name, text);
    }
  }
  text_ += fmt::format("}} {}\n", value);
}

void MetricsText::gauge(std::string_view name, std::string_view help, double value) {
  family(name, "gauge", help);
  sample(value);
}

void MetricsText::counter(std::string_view name, std::string_view help, double value) {
  family(name, "counter", help);
  sample(value);
}

void MetricsText::histogram(std::string_view name, std::string_view help,
                            const Histogram& histogram) {
  family(name, "histogram", help);
  uint64_t below = 0;
  for (size_t i = 0; i < histogram.bounds().size(); ++i) {
    below += histogram.counts()[i];
    sample(static_cast<double>(below), {{"le", fmt::format("{}", histogram.bounds()[i])}},
           "_bucket");
  }
  sample(static_cast<double>(histogram.count()), {{"le", "+Inf"}}, "_bucket");
  sample(histogram.sum(), {}, "_sum");
  sample(static_cast<double>(histogram.count()), {}, "_count");
}

}  // namespace orrery::server
