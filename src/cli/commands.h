// The commands of `orrery`. Each takes the arguments after its name and returns the process's exit
// code: 0 done, 1 failed, 2 usage.
#pragma once

#include <span>
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

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

// Prints "orrery COMMAND: message" to stderr and returns the code.
int report(std::string_view command, const Status& status, int code = kFailed);

// Parses flags and at most `max_positional` other arguments, handling --config (the file first:
// what the command line says goes before it) and --help (prints `usage`, then the flags). Returns
// nothing if the command should go on, else the exit code.
std::optional<int> parse_command_line(std::string_view command, std::string_view usage, Args args,
                                      std::vector<Flag> flags, size_t max_positional,
                                      std::vector<std::string>& positional);

}  // namespace orrery::cli
