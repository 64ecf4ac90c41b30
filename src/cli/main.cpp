// orrery COMMAND ...: finds the command and runs it.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/log.h"
#include "cli/commands.h"

namespace {

void print_usage(std::FILE* out) {
  fmt::print(out,
             "Orrery runs large language models, and shows how.\n\nusage: orrery COMMAND "
             "[ARGUMENTS]   (orrery COMMAND --help)\n\n");
  orrery::cli::print_commands(out, orrery::cli::commands());
}

}  // namespace

int main(int argc, char** argv) {
  using namespace orrery;
  log::init(std::getenv("ORRERY_LOG_LEVEL"));
  std::signal(SIGXFSZ, SIG_IGN);  // a file as large as it may be is an error of its writer
  std::signal(SIGPIPE, SIG_DFL);  // `orrery run | head` ends quietly
  std::vector<std::string_view> args(argv + 1, argv + argc);
  if (args.empty()) {
    print_usage(stderr);
    return cli::kUsage;
  }
  if (args[0] == "--help" || args[0] == "-h" || args[0] == "help") {
    print_usage(stdout);
    return cli::kDone;
  }
  if (args[0] == "--version") {
    fmt::print("orrery {}\n", ORRERY_VERSION);
    return cli::kDone;
  }
  if (const cli::Command* command = cli::find_command(cli::commands(), args[0])) {
    return command->run(cli::Args(args).subspan(1));
  }
  std::vector<std::string> names;
  for (const cli::Command& command : cli::commands()) names.emplace_back(command.name);
  const std::string near = cli::nearest(args[0], names);
  fmt::print(stderr, "orrery: unknown command \"{}\"{}\n", args[0],
             near.empty() ? "" : fmt::format("; did you mean {}?", near));
  print_usage(stderr);
  return cli::kUsage;
}
