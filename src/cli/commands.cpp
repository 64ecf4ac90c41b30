#include "cli/commands.h"

#include <cstdio>

namespace orrery::cli {

int report(std::string_view command, const Status& status, int code) {
  fmt::print(stderr, "orrery {}: {}\n", command, status.message());
  return code;
}

std::optional<int> parse_command_line(std::string_view command, std::string_view usage, Args args,
                                      std::vector<Flag> flags, size_t max_positional,
                                      std::vector<std::string>& positional) {
  bool help = false;
  flags.push_back({"--help", 'h', "", "this text", set_switch(help)});
  Status status = parse_flags(args, flags, positional);
  if (status.ok() && help) {
    fmt::print("usage: orrery {}\n\n{}", usage, describe_flags(flags));
    return kDone;
  }
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
