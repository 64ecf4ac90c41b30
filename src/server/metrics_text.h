// Histograms and the text format of Prometheus (version 0.0.4).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace orrery::server {

// Not synchronised.
class Histogram {
 public:
  // `bounds`: upper bounds of the buckets, rising; one more reaches to infinity.
  explicit Histogram(std::span<const double> bounds);
  void observe(double value, uint64_t times = 1);

  std::span<const double> bounds() const { return bounds_; }
  std::span<const uint64_t> counts() const { return counts_; }  // of each bucket alone
  double sum() const { return sum_; }
  uint64_t count() const { return count_; }

 private:
  std::vector<double> bounds_;
  std::vector<uint64_t> counts_;
  double sum_ = 0;
  uint64_t count_ = 0;
};

// 1, 2, 5, 10, 20, ... up to and with the first that is at least `last`.
std::vector<double> one_two_five(double last);

// Appends families of metrics to a text, each with the same first labels.
class MetricsText {
 public:
  using Labels = std::vector<std::pair<std::string_view, std::string>>;
  explicit MetricsText(Labels common) : common_(std::move(common)) {}

  void family(std::string_view name, std::string_view type, std::string_view help);
  // A sample of the family at hand.
  void sample(double value, const Labels& labels = {}, std::string_view suffix = {});
  void gauge(std::string_view name, std::string_view help, double value);
  // `name` ends in "_total".
  void counter(std::string_view name, std::string_view help, double value);
  void histogram(std::string_view name, std::string_view help, const Histogram& histogram);

  const std::string& text() const { return text_; }

 private:
  Labels common_;
  std::string name_;
  std::string text_;
};

}  // namespace orrery::server
