#include "cli/commands.h"

#include <algorithm>
#include <array>

#include "cli/config_file.h"

namespace orrery::cli {

namespace {

// Where --help goes while help_of_commands() asks for it; null: to the user. A command's flags set
// the variables of its call, so that only a call can show them.
CommandHelp* help_wanted = nullptr;

CommandHelp help_of(const Command& command, const std::string& prefix) {
  CommandHelp help{prefix + std::string(command.name), command.summary, "", {}};
  help_wanted = &help;
  command.run(std::array<std::string_view, 1>{"--help"});
  help_wanted = nullptr;
  return help;
}

// The value of --config, which comes before all other flags are set.
std::optional<std::string_view> config_file_of(Args args) {
  constexpr std::string_view kName = "--config";
  for (size_t i = 0; i < args.size() && args[i] != "--"; ++i) {
    if (args[i] == kName && i + 1 < args.size()) return args[i + 1];
    if (args[i].starts_with(kName) && args[i].substr(kName.size()).starts_with('=')) {
      return args[i].substr(kName.size() + 1);
    }
  }
  return std::nullopt;
}

}  // namespace

std::span<const Command> commands() {
  static const Command table[] = {
      {"run", run_command, "generate from one prompt"},
      {"serve", serve_command, "OpenAI-compatible server"},
      {"chat", chat_command, "talk in the terminal"},
      {"inspect", inspect_command, "what is in a checkpoint, and does it fit"},
      {"tokenize", tokenize_command, "text to token ids and back"},
      {"template", template_command, "render a chat template"},
      {"batch", batch_command, "answer a file of requests"},
      {"replay", replay_command, "run a recording again, and compare"},
      {"bench", bench_command, "measure against the machine's limits", benchmarks()},
      {"completion", completion_command, "write a shell's completions", {}, false},
      {"man", man_command, "write the manual", {}, false},
  };
  return table;
}

const Command* find_command(std::span<const Command> table, std::string_view name) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const Command& c) { return c.name == name; });
  return found == table.end() ? nullptr : &*found;
}

void print_commands(std::FILE* out, std::span<const Command> table) {
  for (const Command& command : table) {
    if (command.listed) fmt::print(out, "  {:<10} {}\n", command.name, command.summary);
  }
}

std::vector<CommandHelp> help_of_commands() {
  std::vector<CommandHelp> all;
  for (const Command& command : commands()) {
    if (!command.listed) continue;
    all.push_back(help_of(command, ""));
    for (const Command& part : command.parts) {
      all.push_back(help_of(part, std::string(command.name) + " "));
    }
  }
  return all;
}

int show_help(std::string_view usage, std::vector<Flag> flags, std::span<const Command> parts) {
  if (help_wanted != nullptr) {
    help_wanted->usage = usage;
    help_wanted->flags = std::move(flags);
    return kDone;
  }
  fmt::print("usage: orrery {}\n\n", usage);
  print_commands(stdout, parts);
  fmt::print("{}", describe_flags(flags));
  return kDone;
}

int report(std::string_view command, const Status& status, int code) {
  fmt::print(stderr, "orrery {}: {}\n", command, status.message());
  return code;
}

std::optional<int> parse_command_line(std::string_view command, std::string_view usage, Args args,
                                      std::vector<Flag> flags, size_t max_positional,
                                      std::vector<std::string>& positional) {
  bool help = false;
  std::string config;
  flags.push_back({"--config", 0, "FILE", "flags from a YAML file; these here go before them",
                   set_text(config)});
  flags.push_back({"--help", 'h', "", "this text", set_switch(help)});
  std::vector<std::string> from_file;
  Status status;
  if (const auto file = config_file_of(args)) {
    status = apply_config_file(std::string(*file), flags, from_file);
  }
  if (status.ok()) status = parse_flags(args, flags, positional);
  if (positional.empty()) positional = std::move(from_file);
  if (status.ok() && help) return show_help(usage, std::move(flags));
  if (status.ok() && positional.size() > max_positional) {
    status = invalid_argument("expected at most {} argument{}, got \"{}\" too", max_positional,
                              max_positional == 1 ? "" : "s", positional[max_positional]);
  }
  if (status.ok()) return std::nullopt;
  report(command, status);
  fmt::print(stderr, "usage: orrery {}\n", usage);
  return kUsage;
}

}  // namespace orrery::cli
