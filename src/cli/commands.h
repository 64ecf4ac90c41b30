// The commands of `orrery`. Each takes the arguments after its name and returns the process's exit
// code: 0 done, 1 failed, 2 usage.
#pragma once

#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cli/flags.h"

namespace orrery::cli {

using Args = std::span<const std::string_view>;

int run_command(Args args);
int chat_command(Args args);
int tokenize_command(Args args);
int template_command(Args args);
int inspect_command(Args args);
int batch_command(Args args);
int bench_command(Args args);
int replay_command(Args args);
int serve_command(Args args);
int completion_command(Args args);
int man_command(Args args);

struct Command {
  std::string_view name;
  int (*run)(Args);
  std::string_view summary;
  std::span<const Command> parts = {};  // `orrery bench` is one of these: latency, ...
  bool listed = true;                   // in the help; packages use those that are not
};

// All of them, in the order of the help.
std::span<const Command> commands();
// Those of `orrery bench`.
std::span<const Command> benchmarks();
const Command* find_command(std::span<const Command> table, std::string_view name);
// A line for each that is listed.
void print_commands(std::FILE* out, std::span<const Command> table);

// What --help tells of a command, for those who tell it in another form.
struct CommandHelp {
  std::string name;  // "serve", "bench latency"
  std::string_view summary;
  std::string usage;        // "serve [MODEL] [flags]"
  std::vector<Flag> flags;  // to be read: what they set is gone
};
// Of every listed command, and of the parts of `bench` after it. Not while another thread does.
std::vector<CommandHelp> help_of_commands();

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

// Prints "orrery COMMAND: message" to stderr and returns the code.
int report(std::string_view command, const Status& status, int code = kFailed);

// Prints what --help tells, and returns kDone.
int show_help(std::string_view usage, std::vector<Flag> flags, std::span<const Command> parts = {});

// Parses flags and at most `max_positional` other arguments, handling --config (the file first:
// what the command line says goes before it) and --help (prints `usage`, then the flags). Returns
// nothing if the command should go on, else the exit code.
std::optional<int> parse_command_line(std::string_view command, std::string_view usage, Args args,
                                      std::vector<Flag> flags, size_t max_positional,
                                      std::vector<std::string>& positional);

}  // namespace orrery::cli
