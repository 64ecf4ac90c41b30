// orrery completion SHELL: a script that completes commands, flags and their values, made of the
// rows that --help shows.
#include "cli/completion.h"

#include "cli/commands.h"

namespace orrery::cli {
namespace {

bool takes_file(const Flag& flag) {
  return flag.value == "FILE" || flag.value == "FOLDER" || flag.value == "PATH" ||
         flag.value == "MODEL";
}

std::vector<std::string> names_of(const Flag& flag) {
  std::vector<std::string> names = {flag.name};
  if (flag.short_name != 0) names.push_back(fmt::format("-{}", flag.short_name));
  return names;
}

bool takes_model(const CommandHelp& help) { return help.usage.find("MODEL") != std::string::npos; }

// `bench` itself: what follows is the name of a benchmark.
bool has_parts(const CommandHelp& help) { return help.flags.empty(); }

std::vector<const CommandHelp*> parts_of(std::span<const CommandHelp> all, std::string_view name) {
  const std::string prefix = name.empty() ? "" : std::string(name) + " ";
  std::vector<const CommandHelp*> parts;
  for (const CommandHelp& help : all) {
    if (help.name.starts_with(prefix) && help.name.find(' ', prefix.size()) == std::string::npos) {
      parts.push_back(&help);
    }
  }
  return parts;
}

std::string last_word(const std::string& name) { return name.substr(name.rfind(' ') + 1); }

std::string words(const std::vector<const CommandHelp*>& parts) {
  std::vector<std::string> names;
  for (const CommandHelp* help : parts) names.push_back(last_word(help->name));
  return fmt::format("{}", fmt::join(names, " "));
}

// --- bash

constexpr std::string_view kBashBegin =
    R"(# bash completion of orrery, written by `orrery completion bash`

_orrery() {
  local word=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}
  local flags= values= files=
  if [[ $word == '=' ]]; then  # --flag=
    word=
  elif [[ $flag == '=' ]]; then
    flag=${COMP_WORDS[COMP_CWORD-2]}
  fi
)";

constexpr std::string_view kBashEnd = R"(  esac
  if [[ -z $values$files || $word == -* ]]; then values=$flags; files=; fi
  mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")
  if [[ -n $files ]]; then
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$word")
    compopt -o filenames 2> /dev/null
  fi
}

complete -F _orrery orrery
)";

std::string bash_case(const CommandHelp& help) {
  std::vector<std::string> flags, files, free;
  std::string choices;
  for (const Flag& flag : help.flags) {
    const std::vector<std::string> names = names_of(flag);
    flags.insert(flags.end(), names.begin(), names.end());
    if (flag.value.empty()) continue;
    if (!flag.choices.empty()) {
      choices += fmt::format("        {}) flags= values='{}' files= ;;\n", fmt::join(names, "|"),
                             fmt::join(flag.choices, " "));
    } else {
      std::vector<std::string>& group = takes_file(flag) ? files : free;
      group.insert(group.end(), names.begin(), names.end());
    }
  }
  std::string text =
      fmt::format("    '{}')\n      flags='{}' values={} files=yes\n      case $flag in\n{}",
                  help.name, fmt::join(flags, " "), takes_model(help) ? "demo" : "", choices);
  if (!files.empty()) {
    text += fmt::format("        {}) flags= values= ;;\n", fmt::join(files, "|"));
  }
  if (!free.empty()) text += fmt::format("        {}) return ;;\n", fmt::join(free, "|"));
  return text + "      esac ;;\n";
}

std::string bash_script(std::span<const CommandHelp> all) {
  std::string text(kBashBegin);
  text += "  case $command in\n";
  for (const CommandHelp& help : all) {
    if (!has_parts(help)) continue;
    text += fmt::format(
        "    {}) if ((COMP_CWORD > 2)); then command+=\" ${{COMP_WORDS[2]}}\"; fi ;;\n", help.name);
  }
  text += "  esac\n  if ((COMP_CWORD == 1)); then command=; fi\n  case $command in\n";
  text += fmt::format("    '') values='{}' ;;\n", words(parts_of(all, "")));
  for (const CommandHelp& help : all) {
    text += has_parts(help) ? fmt::format("    {}) values='{}' ;;\n", help.name,
                                          words(parts_of(all, help.name)))
                            : bash_case(help);
  }
  return text + std::string(kBashEnd);
}

// --- zsh

// For '...' of the shell, and the brackets and colons of _arguments.
std::string zsh_quoted(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
      continue;
    }
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_flag(const Flag& flag) {
  std::string action;
  if (!flag.value.empty()) {
    action = fmt::format(":{}:", zsh_quoted(flag.value));
    if (!flag.choices.empty()) {
      action += fmt::format("({})", fmt::join(flag.choices, " "));
    } else if (takes_file(flag)) {
      action += "_files";
    }
  }
  std::string text;
  for (const std::string& name : names_of(flag)) {
    const bool with_equals = !flag.value.empty() && name.size() > 2;
    text += fmt::format(" \\\n        '*{}{}[{}]{}'", name, with_equals ? "=" : "",
                        zsh_quoted(flag.help), action);
  }
  return text;
}

std::string zsh_list(std::span<const CommandHelp> all, std::string_view name) {
  std::string text = fmt::format("    parts=(");
  for (const CommandHelp* help : parts_of(all, name)) {
    text += fmt::format("\n      '{}:{}'", last_word(help->name), zsh_quoted(help->summary));
  }
  return text + ")\n    _describe command parts\n";
}

std::string zsh_script(std::span<const CommandHelp> all) {
  std::string text =
      "#compdef orrery\n# zsh completion of orrery, written by `orrery completion zsh`\n\n"
      "_orrery() {\n  local -a parts\n  if (( CURRENT == 2 )); then\n" +
      zsh_list(all, "") +
      "    return\n  fi\n  local command=$words[2]\n  shift words\n  (( CURRENT-- ))\n";
  for (const CommandHelp& help : all) {
    if (!has_parts(help)) continue;
    text += fmt::format(
        "  if [[ $command == {} ]]; then\n  if (( CURRENT == 2 )); then\n{}    return\n  fi\n"
        "  command+=\" $words[2]\"\n  shift words\n  (( CURRENT-- ))\n  fi\n",
        help.name, zsh_list(all, help.name));
  }
  text += "  case $command in\n";
  for (const CommandHelp& help : all) {
    if (has_parts(help)) continue;
    text += fmt::format("    '{}')\n      _arguments -s", help.name);
    for (const Flag& flag : help.flags) text += zsh_flag(flag);
    text += fmt::format(" \\\n        '*:{}:{}' ;;\n", takes_model(help) ? "model" : "file",
                        takes_model(help) ? "{ compadd demo; _files }" : "_files");
  }
  return text + "  esac\n}\n\n_orrery \"$@\"\n";
}

// --- fish

std::string fish_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

constexpr std::string_view kFishBegin =
    R"(# fish completion of orrery, written by `orrery completion fish`

# Whether the words before the cursor are of this command.
function __orrery_command
    set -l words (commandline -opc)
    set -l command $words[2]
    if contains -- "$command" $__orrery_with_parts; and set -q words[3]
        set command $command $words[3]
    end
    test "$command" = "$argv"
end

complete -c orrery -f
)";

std::string fish_flag(const CommandHelp& help, const Flag& flag) {
  std::string text = fmt::format("complete -c orrery -n '__orrery_command {}' -l {}", help.name,
                                 flag.name.substr(2));
  if (flag.short_name != 0) text += fmt::format(" -s {}", flag.short_name);
  if (takes_file(flag)) {
    text += " -r -F";
  } else if (!flag.value.empty()) {
    text += " -x";
  }
  if (!flag.choices.empty()) text += fmt::format(" -a '{}'", fmt::join(flag.choices, " "));
  return text + " -d " + fish_quoted(flag.help) + "\n";
}

std::string fish_script(std::span<const CommandHelp> all) {
  std::string text(kFishBegin);
  std::vector<std::string> with_parts;
  const auto list = [&](const std::string& name) {
    for (const CommandHelp* help : parts_of(all, name)) {
      text += fmt::format("complete -c orrery -n '__orrery_command {}' -a {} -d {}\n", name,
                          last_word(help->name), fish_quoted(help->summary));
    }
  };
  list("");
  for (const CommandHelp& help : all) {
    if (has_parts(help)) {
      with_parts.push_back(help.name);
      list(help.name);
      continue;
    }
    for (const Flag& flag : help.flags) text += fish_flag(help, flag);
    text += fmt::format("complete -c orrery -n '__orrery_command {}' -F{}\n", help.name,
                        takes_model(help) ? " -a demo" : "");
  }
  return text + fmt::format("set -g __orrery_with_parts {}\n", fmt::join(with_parts, " "));
}

}  // namespace

Result<std::string> completion_script(std::string_view shell) {
  const std::vector<CommandHelp> all = help_of_commands();
  if (shell == "bash") return bash_script(all);
  if (shell == "zsh") return zsh_script(all);
  if (shell == "fish") return fish_script(all);
  return invalid_argument("expected one of bash, zsh, fish, got \"{}\"", shell);
}

int completion_command(Args args) {
  std::vector<std::string> positional;
  const auto code =
      parse_command_line("completion", "completion {bash|zsh|fish}", args, {}, 1, positional);
  if (code) return *code;
  const auto script = completion_script(positional.empty() ? "" : positional[0]);
  if (!script.ok()) return report("completion", script.status(), kUsage);
  fmt::print("{}", *script);
  return kDone;
}

}  // namespace orrery::cli
