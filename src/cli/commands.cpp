#include "cli/commands.h"

#include <cstdio>

#include "cli/config_file.h"

namespace orrery::cli {

namespace {

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
