// orrery COMMAND ...: finds the command and runs it.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/log.h"
#include "cli/commands.h"

namespace {

struct Command {
  std::string_view name;
  int (*run)(orrery::cli::Args);
  std::string_view summary;
};

constexpr Command kCommands[] = {
    {"run", orrery::cli::run_command, "generate from one prompt"},
    {"serve", orrery::cli::serve_command, "OpenAI-compatible server"},
    {"chat", orrery::cli::chat_command, "talk in the terminal"},
    {"inspect", orrery::cli::inspect_command, "what is in a checkpoint, and does it fit"},
    {"tokenize", orrery::cli::tokenize_command, "text to token ids and back"},
    {"template", orrery::cli::template_command, "render a chat template"},
    {"batch", orrery::cli::batch_command, "answer a file of requests"},
    {"replay", orrery::cli::replay_command, "run a recording again, and compare"},
    {"bench", orrery::cli::bench_command, "measure against the machine's limits"},
};

void print_usage(std::FILE* out) {
  fmt::print(out,
             "Orrery runs large language models, and shows how.\n\nusage: orrery COMMAND "
             "[ARGUMENTS]   (orrery COMMAND --help)\n\n");
  for (const Command& command : kCommands)
    fmt::print(out, "  {:<10} {}\n", command.name, command.summary);
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
  std::vector<std::string> names;
  for (const Command& command : kCommands) {
    if (command.name == args[0]) return command.run(cli::Args(args).subspan(1));
    names.emplace_back(command.name);
  }
  const std::string near = cli::nearest(args[0], names);
  fmt::print(stderr, "orrery: unknown command \"{}\"{}\n", args[0],
             near.empty() ? "" : fmt::format("; did you mean {}?", near));
  print_usage(stderr);
  return cli::kUsage;
}
