// One table of flags per command: parsing, help and shell completion read the same rows.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace orrery::cli {

struct Flag {
  std::string name;     // "--max-tokens"; a '_' given by the user counts as '-'
  char short_name = 0;  // 'p' for -p, 0 for none
  std::string value;    // what the help calls the value: "N", "FILE"; empty for a switch
  std::string help;     // one line
  std::function<Status(std::string_view)> set;  // gets the value; "" for a switch
  std::vector<std::string> choices = {};        // the values there are; empty: `set` judges alone
};

// `flag.set`, for one of its choices. Errors: kInvalidArgument.
Status set_flag(const Flag& flag, std::string_view value);

// Ready-made setters that check what they are given.
std::function<Status(std::string_view)> set_text(std::string& target);
std::function<Status(std::string_view)> append_text(std::vector<std::string>& target);
std::function<Status(std::string_view)> set_switch(bool& target, bool value = true);
std::function<Status(std::string_view)> set_int(int64_t& target, int64_t low, int64_t high);
std::function<Status(std::string_view)> set_optional_int(std::optional<int64_t>& target,
                                                         int64_t low, int64_t high);
std::function<Status(std::string_view)> set_double(double& target, double low, double high);

// Parses `args`. `--name value`, `--name=value`, `-p value`; "--" ends the flags. What is not a
// flag goes to `positional`. Errors: kInvalidArgument with the nearest known name for an unknown
// flag.
Status parse_flags(std::span<const std::string_view> args, std::span<const Flag> flags,
                   std::vector<std::string>& positional);

// Aligned lines for --help; a switch "--x" and the "--no-x" behind it share one: "--[no-]x".
std::string describe_flags(std::span<const Flag> flags);

// The candidate nearest to `word` by edit distance, or empty if none is near (a third of its
// length).
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace orrery::cli
