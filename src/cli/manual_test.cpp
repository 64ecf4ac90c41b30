#include "cli/manual.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/commands.h"

namespace orrery::cli {
namespace {

using testing::HasSubstr;

std::string roff(std::string name) {
  for (size_t at = 0; (at = name.find('-', at)) != std::string::npos; at += 2) {
    name.replace(at, 1, "\\-");
  }
  return name;
}

TEST(Help, FitsAScreenForEachCommand) {
  for (const CommandHelp& help : help_of_commands()) {
    std::istringstream text(describe_flags(help.flags));
    int lines = 0;
    for (std::string line; std::getline(text, line); ++lines) {
      const auto columns = std::count_if(line.begin(), line.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0) != 0x80;  // begins a character
      });
      EXPECT_LE(columns, 100) << help.name << line;
    }
    EXPECT_LE(lines, 49) << help.name;
  }
}

TEST(Manual, HasAPageForEveryCommandWithEveryFlagOfTheHelp) {
  const std::vector<ManualPage> pages = manual_pages();
  const std::vector<CommandHelp> all = help_of_commands();
  ASSERT_EQ(pages.size(), all.size() + 1);
  EXPECT_EQ(pages[0].name, "orrery");
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_THAT(pages[0].roff, HasSubstr(roff(pages[i + 1].name) + "\\fR(1)"));
    EXPECT_THAT(pages[i + 1].roff, HasSubstr(".SH NAME\n" + roff(pages[i + 1].name + " - ")));
    for (const Flag& flag : all[i].flags) {
      EXPECT_THAT(pages[i + 1].roff, HasSubstr("\\fB" + roff(flag.name) + "\\fR")) << all[i].name;
    }
  }
}

// Writes the pages, runs `check PAGE` on each, and expects it to say nothing.
void expect_silence(const std::string& check) {
  const std::string folder = testing::TempDir() + "orrery_manual_" + std::to_string(::getpid());
  std::filesystem::create_directories(folder);
  for (const ManualPage& page : manual_pages()) {
    const std::string path = folder + "/" + page.name + ".1";
    std::ofstream(path, std::ios::binary) << page.roff;
    std::system((check + " " + path + " > " + folder + "/said 2>&1").c_str());
    std::ifstream said(folder + "/said");
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(said), {}), "") << page.name;
  }
  std::filesystem::remove_all(folder);
}

bool has_program(const std::string& name) {
  return std::system(("command -v " + name + " > /dev/null").c_str()) == 0;
}

TEST(Manual, GroffHasNoWarnings) {
  if (!has_program("groff")) GTEST_SKIP() << "no groff here";
  expect_silence("LC_ALL=C.UTF-8 groff -man -Tutf8 -ww -rCHECKSTYLE=10 -z");
}

TEST(Manual, MandocHasNoWarnings) {
  if (!has_program("mandoc")) GTEST_SKIP() << "no mandoc here";
  // There is no date: the same source makes the same bytes.
  expect_silence("f() { mandoc -T lint -W warning \"$1\" | grep -v 'missing date'; }; f");
}

}  // namespace
}  // namespace orrery::cli
