#include "server/sse_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/sse_events_for_tests.h"

namespace orrery::server {
namespace {

TEST(SseReader, ReadsTheSameEventsInPiecesOfAnySize) {
  const std::string_view text =
      ": a comment\n\ndata: {\"a\":1}\n\r\nevent: x\r\ndata:one\r\ndata: two\r\nid: "
      "3\r\n\r\n\n\ndata: "
      "[DONE]\n\ndata: not yet whole\n";
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    EXPECT_THAT(sse_events_of(text, piece), testing::ElementsAre("{\"a\":1}", "one\ntwo", "[DONE]"))
        << piece;
  }
}

TEST(SseReader, TakesNoMoreThanAnEventMayHave) {
  SseReader line;
  line.feed("data: " + std::string(SseReader::kMaxEventBytes + 1, 'x'));
  EXPECT_FALSE(line.next());
  EXPECT_TRUE(line.failed());
  SseReader lines;
  for (int i = 0; i < 5 && !lines.failed(); ++i) {
    lines.feed("data: " + std::string(SseReader::kMaxEventBytes / 4, 'x') + "\n");
    EXPECT_FALSE(lines.next());
  }
  EXPECT_TRUE(lines.failed());
  lines.feed("\n\ndata: more\n\n");
  EXPECT_FALSE(lines.next());
}

TEST(StreamedEvent, SaysWhatItTells) {
  EXPECT_TRUE(read_streamed_event("[DONE]", false).done);
  EXPECT_TRUE(read_streamed_event(R"({"error":{"message":"no"}})", false).is_error);
  EXPECT_TRUE(read_streamed_event(R"({"choices":[{"text":""}]})", false).has_token);
  EXPECT_FALSE(
      read_streamed_event(R"({"choices":[{"delta":{"role":"assistant"}}]})", true).has_token);
  EXPECT_TRUE(read_streamed_event(R"({"choices":[{"delta":{"content":"a"}}]})", true).has_token);
  const auto usage =
      read_streamed_event(R"({"choices":[],"usage":{"completion_tokens":7}})", false);
  EXPECT_FALSE(usage.has_token);
  EXPECT_EQ(usage.output_tokens, 7);
}

// A measured server may be anybody's.
TEST(StreamedEvent, OfAnyShapeDoesNoHarm) {
  for (const std::string_view data :
       {"", "7", "{", "[]", R"({"usage":7})", R"({"usage":{"completion_tokens":"seven"}})",
        R"({"choices":{"a":{}},"x":[]})", R"({"choices":[7,{"a":1}]})",
        R"({"x":"\"choices\":[{}]"})", R"({"choices":[{"delta":{"content":7}}]})",
        R"({"choices":[{"delta":[]}]})"}) {
    const StreamedEvent event = read_streamed_event(data, true);
    EXPECT_FALSE(event.done || event.is_error || event.has_token || event.output_tokens) << data;
  }
}

}  // namespace
}  // namespace orrery::server
