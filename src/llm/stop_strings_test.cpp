#include "llm/stop_strings.h"

#include <gtest/gtest.h>

#include <random>

namespace orrery::llm {
namespace {

TEST(StopStrings, HoldsBackWhatMayBecomeAStop) {
  StopStrings stops({"</s>"}, false);
  EXPECT_EQ(stops.push("hi <"), "hi ");
  EXPECT_EQ(stops.held_back(), "<");
  EXPECT_EQ(stops.push("/"), "");
  EXPECT_EQ(stops.push("b"), "</b");
  EXPECT_EQ(stops.push("x</s"), "x");
  EXPECT_EQ(stops.push(">never"), "");
  EXPECT_TRUE(stops.matched());
  EXPECT_EQ(stops.match(), "</s>");
  EXPECT_EQ(stops.finish(), "");
}

TEST(StopStrings, ReleasesTheRestAtTheEndOfTheStream) {
  StopStrings stops({"abc"}, false);
  EXPECT_EQ(stops.push("xab"), "x");
  EXPECT_EQ(stops.finish(), "ab");
}

TEST(StopStrings, IncludesTheStopWhenAsked) {
  StopStrings stops({"END"}, true);
  EXPECT_EQ(stops.push("a END b"), "a END");
}

TEST(StopStrings, TheMatchThatIsCompleteFirstWins) {
  StopStrings stops({"bcde", "cd", "bcd"}, false);
  EXPECT_EQ(stops.push("abcde"), "a");
  EXPECT_EQ(stops.match(), "bcd");
}

TEST(StopStrings, NoneEndsInUnmatchedTextButOneMayBeginThere) {
  StopStrings stops({"abc"}, false);
  EXPECT_EQ(stops.push_unmatched("abc ab"), "abc ");
  EXPECT_FALSE(stops.matched());
  EXPECT_EQ(stops.push("c"), "");
  EXPECT_TRUE(stops.matched());
}

// Whatever the cut, the released text is the text before the stop that is complete first.
TEST(StopStrings, AnyCutGivesTheSameText) {
  std::mt19937 random(3);
  const std::vector<std::string> stops = {"aab", "ba", "abab"};
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (int i = 0; i < 12; ++i) text += "abc"[random() % 3];
    size_t first = text.size();
    for (size_t end = 0, found = 0; end <= text.size() && found == 0; ++end) {
      for (const std::string& stop : stops) {
        if (std::string_view(text).substr(0, end).ends_with(stop)) {
          first = std::min(first, end - stop.size());
          found = 1;
        }
      }
    }
    StopStrings filter(stops, false);
    std::string released;
    for (size_t at = 0; at < text.size();) {
      const size_t n = 1 + random() % 4;
      released += filter.push(std::string_view(text).substr(at, n));
      at += n;
    }
    released += filter.finish();
    ASSERT_EQ(released, text.substr(0, first)) << text;
  }
}

}  // namespace
}  // namespace orrery::llm
