#include "server/http_parser.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace orrery::server {
namespace {

constexpr std::string_view kPost =
    "POST /v1/completions?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nX-Thing:  a b "
    "\r\n\r\nhello";

// Feeds `text` in pieces of `size` bytes; how many were consumed.
size_t feed(HttpParser& parser, std::string_view text, size_t size) {
  size_t used = 0;
  while (used < text.size() && parser.state() != HttpParser::State::kDone &&
         parser.state() != HttpParser::State::kFailed) {
    used += parser.feed(text.substr(used, size));
  }
  return used;
}

TEST(HttpParser, ReadsARequest) {
  HttpParser parser{HttpLimits()};
  EXPECT_EQ(feed(parser, kPost, 1000), kPost.size());
  ASSERT_EQ(parser.state(), HttpParser::State::kDone);
  const HttpRequest& request = parser.request();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/v1/completions");
  EXPECT_EQ(request.query, "a=b");
  EXPECT_EQ(request.body, "hello");
  ASSERT_NE(request.header("x-thing"), nullptr);
  EXPECT_EQ(*request.header("x-thing"), "a b");
  EXPECT_TRUE(request.keep_alive);
}

TEST(HttpParser, ReadsTheSameHoweverTheBytesAreCut) {
  const std::string chunked =
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;name=\"value\"\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n";
  for (const std::string_view text : {kPost, std::string_view(chunked)}) {
    for (size_t size = 1; size <= text.size(); ++size) {
      HttpParser parser{HttpLimits()};
      EXPECT_EQ(feed(parser, text, size), text.size());
      ASSERT_EQ(parser.state(), HttpParser::State::kDone) << size;
      EXPECT_EQ(parser.request().body, "hello") << size;
    }
  }
}

TEST(HttpParser, LeavesTheNextRequestAlone) {
  const std::string two = std::string(kPost) + "GET / HTTP/1.1\r\n";
  HttpParser parser{HttpLimits()};
  EXPECT_EQ(feed(parser, two, two.size()), kPost.size());
}

TEST(HttpParser, StopsAtTheEndOfTheHead) {
  HttpParser parser{HttpLimits()};
  const size_t used = parser.feed(kPost);
  EXPECT_EQ(parser.state(), HttpParser::State::kBody);
  EXPECT_EQ(kPost.substr(used), "hello");
  EXPECT_EQ(parser.content_length(), 5u);
}

TEST(HttpParser, KnowsWhenTheConnectionEnds) {
  const auto keeps = [](std::string_view version, std::string_view connection) {
    HttpParser parser{HttpLimits()};
    parser.feed(
        fmt::format("GET / HTTP/{}\r\nHost: x\r\nConnection: {}\r\n\r\n", version, connection));
    EXPECT_EQ(parser.state(), HttpParser::State::kDone);
    return parser.request().keep_alive;
  };
  EXPECT_TRUE(keeps("1.1", "x"));
  EXPECT_FALSE(keeps("1.1", "x, Close"));
  EXPECT_FALSE(keeps("1.0", "x"));
  EXPECT_TRUE(keeps("1.0", "Keep-Alive"));
}

TEST(HttpParser, TakesTheAbsoluteForm) {
  HttpParser parser{HttpLimits()};
  parser.feed("GET http://elsewhere/health?x HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_EQ(parser.state(), HttpParser::State::kDone);
  EXPECT_EQ(parser.request().path, "/health");
}

TEST(HttpParser, HoldsABodyToItsLimit) {
  HttpLimits limits;
  limits.max_body_bytes = 4;
  for (const std::string_view framing :
       {"Content-Length: 5\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n"}) {
    HttpParser parser(limits);
    const std::string text = "POST / HTTP/1.1\r\nHost: x\r\n" + std::string(framing);
    feed(parser, text, text.size());
    ASSERT_EQ(parser.state(), HttpParser::State::kFailed);
    EXPECT_EQ(parser.error_status(), 413);
  }
}

TEST(HttpParser, ThrowsAwayABodyThatNobodyWants) {
  HttpParser parser{HttpLimits()};
  const size_t used = parser.feed(kPost);
  parser.discard_body();
  parser.feed(kPost.substr(used));
  EXPECT_EQ(parser.state(), HttpParser::State::kDone);
  EXPECT_TRUE(parser.request().body.empty());
}

}  // namespace
}  // namespace orrery::server
