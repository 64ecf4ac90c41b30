#include "cli/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orrery::cli {
namespace {

struct Parsed {
  std::string prompt;
  int64_t n = 0;
  bool json = false;
  std::vector<std::string> stops, positional;
  Status status;
};

Parsed parse(std::vector<std::string_view> args) {
  Parsed p;
  const std::vector<Flag> flags = {
      {"--prompt", 'p', "TEXT", "", set_text(p.prompt)},
      {"--max-tokens", 0, "N", "", set_int(p.n, 1, 100)},
      {"--json", 0, "", "", set_switch(p.json)},
      {"--stop", 0, "S", "", append_text(p.stops)},
  };
  p.status = parse_flags(args, flags, p.positional);
  return p;
}

TEST(Flags, TakesValuesInEveryForm) {
  const Parsed p = parse(
      {"m.gguf", "-p", "hi", "--max_tokens=7", "--stop", "a", "--stop=b", "--json", "--", "--x"});
  EXPECT_TRUE(p.status.ok()) << p.status.message();
  EXPECT_EQ(p.prompt, "hi");
  EXPECT_EQ(p.n, 7);
  EXPECT_TRUE(p.json);
  EXPECT_THAT(p.stops, testing::ElementsAre("a", "b"));
  EXPECT_THAT(p.positional, testing::ElementsAre("m.gguf", "--x"));
}

TEST(Flags, AnUnknownFlagGetsTheNearestKnownOne) {
  EXPECT_THAT(parse({"--max-token", "3"}).status.message(),
              testing::HasSubstr("did you mean --max-tokens?"));
  EXPECT_THAT(parse({"--jsno"}).status.message(), testing::HasSubstr("did you mean --json?"));
  EXPECT_EQ(parse({"--zzz"}).status.message(), "unknown flag --zzz");
}

TEST(Flags, WrongValuesSayWhatWasExpected) {
  EXPECT_EQ(parse({"--max-tokens", "0"}).status.message(),
            "--max-tokens: expected an integer from 1 to 100, got \"0\"");
  EXPECT_FALSE(parse({"--max-tokens", "7x"}).status.ok());
  EXPECT_FALSE(parse({"--max-tokens", "99999999999999999999"}).status.ok());
  EXPECT_FALSE(parse({"--max-tokens"}).status.ok());
  EXPECT_FALSE(parse({"--json=1"}).status.ok());
}

}  // namespace
}  // namespace orrery::cli
