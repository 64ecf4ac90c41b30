#include "cli/bench_serve_plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orrery::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

size_t count_of(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size()) ++count;
  return count;
}

TEST(ServePlot, ShowsThePercentilesTheRatesAndWhatWasLate) {
  ServePlot plot{.title = "a & b", .ttft_limit_s = 0.075, .itl_limit_s = 0.1, .seconds = 10};
  for (int i = 1; i <= 100; ++i) {
    plot.ttft_s.push_back(i * 1e-3);
    plot.itl_s.push_back(2e-3);
    plot.token_s.push_back(i * 0.1);
    plot.ends.push_back({i * 0.1, i <= 75});
  }
  const std::string picture = serve_plot(plot);
  for (const char* part : {"a &amp; b", "p50 50 ms", "p90 90 ms", "p99 99 ms", "75 % within 75 ms",
                           "p99 2 ms", "100 % within 100 ms", "10 on average",
                           "goodput 7.5, 75 % of them", "prefers-color-scheme:dark"}) {
    EXPECT_THAT(picture, HasSubstr(part));
  }
  // A limit fifty times above every value would squeeze them: only its figure is there.
  EXPECT_EQ(count_of(picture, "class=\"mark-line\""), 1u);
  EXPECT_EQ(count_of(picture, "<svg"), 1u);
  EXPECT_THAT(picture, Not(HasSubstr("nan")));
}

TEST(ServePlot, OfNothingIsEmptyAndStillAPicture) {
  const std::string picture = serve_plot({.title = "none"});
  EXPECT_THAT(picture, HasSubstr("</svg>"));
  EXPECT_THAT(picture, Not(HasSubstr("nan")));
  EXPECT_THAT(picture, Not(HasSubstr("inf")));
}

}  // namespace
}  // namespace orrery::cli
