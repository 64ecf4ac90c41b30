#include "cli/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "cli/commands.h"

namespace orrery::cli {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::IsSupersetOf;
using testing::Not;
using testing::StartsWith;

// The lines that a shell command prints.
std::vector<std::string> lines_of(const std::string& command) {
  std::FILE* pipe = ::popen(command.c_str(), "r");
  std::string text;
  char buffer[4096];
  for (size_t n; (n = std::fread(buffer, 1, sizeof(buffer), pipe)) > 0;) text.append(buffer, n);
  ::pclose(pipe);
  std::vector<std::string> lines;
  for (size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
    lines.push_back(text.substr(0, end));
  }
  return lines;
}

bool has_shell(const std::string& shell) {
  return std::system(("command -v " + shell + " > /dev/null").c_str()) == 0;
}

class Completion : public testing::Test {
 protected:
  Completion() {
    std::filesystem::create_directories(folder_);
    for (const char* shell : {"bash", "zsh", "fish"}) {
      const auto script = completion_script(shell);
      EXPECT_TRUE(script.ok());
      if (script.ok()) std::ofstream(folder_ + "/" + shell, std::ios::binary) << *script;
    }
    std::ofstream(folder_ + "/a model.gguf") << "";
  }
  ~Completion() override { std::filesystem::remove_all(folder_); }

  // What bash offers for the last of the words, quoted for the shell. Files are those of folder_.
  std::vector<std::string> offered(const std::string& words) const {
    return lines_of("cd " + folder_ + " && bash -c 'source ./bash; COMP_WORDS=(" + words +
                    "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _orrery; "
                    "if ((${#COMPREPLY[@]})); then printf \"%s\\n\" \"${COMPREPLY[@]}\"; fi' 2>&1");
  }
  // What fish offers, without the descriptions.
  std::vector<std::string> offered_by_fish(const std::string& line) const {
    return lines_of("cd " + folder_ + " && fish --no-config -c 'source ./fish; complete -C \"" +
                    line + "\"' 2>&1 | cut -f 1");
  }

  std::string folder_ = testing::TempDir() + "orrery_completion_" + std::to_string(::getpid());
};

TEST_F(Completion, BashCompletesCommandsFlagsAndValues) {
  EXPECT_THAT(offered("orrery ser"), ElementsAre("serve"));
  EXPECT_THAT(offered("orrery bench lat"), ElementsAre("latency"));
  EXPECT_THAT(offered("orrery serve --max-n"),
              ElementsAre("--max-num-seqs", "--max-num-batched-tokens"));
  EXPECT_THAT(offered("orrery serve --scheduling-policy f"), ElementsAre("fcfs", "fair"));
  EXPECT_THAT(offered("orrery serve --scheduling-policy = p"), ElementsAre("priority"));
  EXPECT_THAT(offered("orrery serve --scheduling-policy ="),
              ElementsAre("fcfs", "priority", "fair"));
  EXPECT_THAT(offered("orrery bench throughput --dtype b"), ElementsAre("bfloat16"));
}

TEST_F(Completion, BashOffersFilesWhereAFileOrAModelIsWantedAndNothingForANumber) {
  EXPECT_THAT(offered("orrery serve --config a"), ElementsAre("a model.gguf"));
  EXPECT_THAT(offered("orrery run \"\""), IsSupersetOf({"demo", "a model.gguf"}));
  EXPECT_THAT(offered("orrery replay \"\""),
              AllOf(Contains("a model.gguf"), Not(Contains("demo"))));
  EXPECT_THAT(offered("orrery serve --port \"\""), ElementsAre());
}

TEST_F(Completion, BashOffersEveryCommandAndFlagOfTheHelp) {
  for (const CommandHelp& help : help_of_commands()) {
    const size_t space = help.name.find(' ');
    const std::string parent = space == std::string::npos ? "" : help.name.substr(0, space + 1);
    EXPECT_THAT(offered("orrery " + parent + "\"\""), Contains(help.name.substr(parent.size())));
    if (help.flags.empty()) continue;
    std::vector<std::string> names;
    for (const Flag& flag : help.flags) names.push_back(flag.name);
    EXPECT_THAT(offered("orrery " + help.name + " --"), testing::UnorderedElementsAreArray(names));
  }
}

TEST_F(Completion, FishOffersEveryCommandAndFlagOfTheHelp) {
  if (!has_shell("fish")) GTEST_SKIP() << "no fish here";
  EXPECT_THAT(offered_by_fish("orrery ser"), ElementsAre("serve"));
  EXPECT_THAT(offered_by_fish("orrery bench l"), Contains("latency"));
  EXPECT_THAT(offered_by_fish("orrery serve --scheduling-policy f"), ElementsAre("fair", "fcfs"));
  EXPECT_THAT(offered_by_fish("orrery run d"), Contains("demo"));
  for (const CommandHelp& help : help_of_commands()) {
    std::vector<std::string> names;
    for (const Flag& flag : help.flags) names.push_back(flag.name);
    EXPECT_THAT(offered_by_fish("orrery " + help.name + " --"), IsSupersetOf(names)) << help.name;
  }
}

TEST_F(Completion, ZshReadsItsScriptWhichNamesEveryFlag) {
  const std::string script = completion_script("zsh").value();
  for (const CommandHelp& help : help_of_commands()) {
    for (const Flag& flag : help.flags) {
      EXPECT_THAT(script, testing::HasSubstr("'*" + flag.name + (flag.value.empty() ? "[" : "=[")));
    }
  }
  if (!has_shell("zsh")) GTEST_SKIP() << "no zsh here";
  EXPECT_THAT(lines_of("zsh -f -n " + folder_ + "/zsh 2>&1"), ElementsAre());
}

TEST_F(Completion, AnotherShellIsRefused) {
  EXPECT_EQ(completion_script("tcsh").status().message(),
            "expected one of bash, zsh, fish, got \"tcsh\"");
}

}  // namespace
}  // namespace orrery::cli
