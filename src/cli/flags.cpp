#include "cli/flags.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace orrery::cli {
namespace {

template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<int64_t> parse_int(std::string_view text, int64_t low, int64_t high) {
  const auto value = parse_number<int64_t>(text);
  if (!value || *value < low || *value > high) {
    return invalid_argument("expected an integer from {} to {}, got \"{}\"", low, high, text);
  }
  return *value;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

const Flag* find_flag(std::string_view name, std::span<const Flag> flags) {
  std::string dashed(name);
  std::replace(dashed.begin(), dashed.end(), '_', '-');
  for (const Flag& flag : flags) {
    if (flag.name == dashed ||
        (name.size() == 2 && flag.short_name != 0 && name[1] == flag.short_name))
      return &flag;
  }
  return nullptr;
}

Status unknown_flag(std::string_view name, std::span<const Flag> flags) {
  std::vector<std::string> names;
  for (const Flag& flag : flags) names.push_back(flag.name);
  const std::string near = nearest(name, names);
  if (near.empty()) return invalid_argument("unknown flag {}", name);
  return invalid_argument("unknown flag {}; did you mean {}?", name, near);
}

}  // namespace

std::function<Status(std::string_view)> set_text(std::string& target) {
  return [&target](std::string_view value) {
    target = value;
    return Status();
  };
}

std::function<Status(std::string_view)> append_text(std::vector<std::string>& target) {
  return [&target](std::string_view value) {
    target.emplace_back(value);
    return Status();
  };
}

std::function<Status(std::string_view)> set_switch(bool& target, bool value) {
  return [&target, value](std::string_view) {
    target = value;
    return Status();
  };
}

std::function<Status(std::string_view)> set_int(int64_t& target, int64_t low, int64_t high) {
  return [&target, low, high](std::string_view text) -> Status {
    ASSIGN_OR_RETURN(target, parse_int(text, low, high));
    return {};
  };
}

std::function<Status(std::string_view)> set_optional_int(std::optional<int64_t>& target,
                                                         int64_t low, int64_t high) {
  return [&target, low, high](std::string_view text) -> Status {
    ASSIGN_OR_RETURN(target, parse_int(text, low, high));
    return {};
  };
}

std::function<Status(std::string_view)> set_double(double& target, double low, double high) {
  return [&target, low, high](std::string_view text) -> Status {
    const auto value = parse_number<double>(text);
    if (!value || !(*value >= low && *value <= high)) {
      return invalid_argument("expected a number from {} to {}, got \"{}\"", low, high, text);
    }
    target = *value;
    return {};
  };
}

Status set_flag(const Flag& flag, std::string_view value) {
  if (!flag.choices.empty() &&
      std::find(flag.choices.begin(), flag.choices.end(), value) == flag.choices.end()) {
    return invalid_argument("expected one of {}, got \"{}\"", fmt::join(flag.choices, ", "), value);
  }
  return flag.set(value);
}

Status parse_flags(std::span<const std::string_view> args, std::span<const Flag> flags,
                   std::vector<std::string>& positional) {
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string_view arg = args[i];
    if (arg == "--") {
      positional.insert(positional.end(), args.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                        args.end());
      return {};
    }
    if (arg.size() < 2 || arg[0] != '-') {
      positional.emplace_back(arg);
      continue;
    }
    const size_t equals = arg.starts_with("--") ? arg.find('=') : std::string_view::npos;
    const std::string_view name = arg.substr(0, equals);
    const Flag* flag = find_flag(name, flags);
    if (flag == nullptr) return unknown_flag(name, flags);
    std::string_view value;
    if (equals != std::string_view::npos) {
      if (flag->value.empty())
        return invalid_argument("{}: expected no value, got \"{}\"", flag->name,
                                arg.substr(equals + 1));
      value = arg.substr(equals + 1);
    } else if (!flag->value.empty()) {
      if (++i == args.size())
        return invalid_argument("{}: expected a value {}, got nothing", flag->name, flag->value);
      value = args[i];
    }
    RETURN_IF_ERROR(set_flag(*flag, value).with_context(flag->name));
  }
  return {};
}

std::string describe_flags(std::span<const Flag> flags) {
  constexpr size_t kColumn = 32;
  std::string text;
  for (size_t i = 0; i < flags.size(); ++i) {
    const Flag& flag = flags[i];
    std::string left = flag.short_name != 0 ? fmt::format("  -{}, {}", flag.short_name, flag.name)
                                            : "  " + flag.name;
    if (!flag.value.empty()) left += " " + flag.value;
    if (i + 1 < flags.size() && flags[i + 1].name == "--no-" + flag.name.substr(2) &&
        flag.value.empty()) {  // a switch and its opposite
      left = "  --[no-]" + flag.name.substr(2);
      ++i;
    }
    text += fmt::format("{:<{}} {}\n", left, kColumn, flag.help);
  }
  return text;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = word.size() / 3 + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = edit_distance(word, candidate);
    if (distance < best_distance ||
        (!word.empty() && best.empty() && word.size() > 4 && candidate.starts_with(word))) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace orrery::cli
