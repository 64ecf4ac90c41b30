#include "server/metrics.h"

#include <gtest/gtest.h>

namespace orrery::server {
namespace {

using trace::Event;
using trace::EventKind;

Event event(EventKind kind, uint32_t request = 0, std::array<int32_t, 4> value = {}) {
  Event e;
  e.kind = kind;
  e.request = request;
  e.value = value;
  return e;
}

TEST(MetricsText, WritesHistogramsThatAddUp) {
  Histogram histogram(std::vector<double>{1, 2});
  histogram.observe(1);
  histogram.observe(1.5, 2);
  histogram.observe(9);
  MetricsText::Labels labels;
  labels.emplace_back("model_name", "a\"b\\c\nd");
  MetricsText text(std::move(labels));
  text.histogram("x", "Help.", histogram);
  EXPECT_EQ(text.text(),
            "# HELP x Help.\n# TYPE x histogram\n"
            "x_bucket{model_name=\"a\\\"b\\\\c\\nd\",le=\"1\"} 1\n"
            "x_bucket{model_name=\"a\\\"b\\\\c\\nd\",le=\"2\"} 3\n"
            "x_bucket{model_name=\"a\\\"b\\\\c\\nd\",le=\"+Inf\"} 4\n"
            "x_sum{model_name=\"a\\\"b\\\\c\\nd\"} 13\n"
            "x_count{model_name=\"a\\\"b\\\\c\\nd\"} 4\n");
}

TEST(MetricsText, CountsTokensInOneTwoFive) {
  EXPECT_EQ(one_two_five(60), (std::vector<double>{1, 2, 5, 10, 20, 50, 100}));
}

// Steps of 0.1 s: request 1 is admitted in the first and has its token at the end of the second;
// request 2 waits for two steps.
TEST(LogTimes, MeasuresQueuePrefillAndDecodeByTheEnginesSteps) {
  LogTimes times;
  const auto end_step = [&] {
    times.on_event(event(EventKind::kStepTimed, 0, {10'000, 80'000, 5'000, 5'000}));
  };
  times.on_event(event(EventKind::kArrived, 1));
  times.on_event(event(EventKind::kArrived, 2));
  times.on_event(event(EventKind::kAdmitted, 1));
  times.on_event(event(EventKind::kStepPlanned, 0, {7}));
  end_step();
  times.on_event(event(EventKind::kSampled, 1));
  end_step();
  times.on_event(event(EventKind::kAdmitted, 2));
  times.on_event(event(EventKind::kSampled, 1));
  times.on_event(event(EventKind::kFinished, 1));
  end_step();
  EXPECT_EQ(times.queue.count(), 2u);
  EXPECT_NEAR(times.queue.sum(), 0.2, 1e-9);
  EXPECT_EQ(times.prefill.count(), 1u);
  EXPECT_NEAR(times.prefill.sum(), 0.2, 1e-9);
  EXPECT_EQ(times.decode.count(), 1u);
  EXPECT_NEAR(times.decode.sum(), 0.1, 1e-9);
  EXPECT_EQ(times.iteration_tokens.sum(), 7);
}

TEST(LogTimes, ForgetsWhatItCanNoLongerTime) {
  LogTimes times;
  times.on_event(event(EventKind::kArrived, 1));
  times.forget();
  times.on_event(event(EventKind::kAdmitted, 1));
  EXPECT_EQ(times.queue.count(), 0u);
}

}  // namespace
}  // namespace orrery::server
