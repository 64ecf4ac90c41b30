// orrery man: the manual, made of the rows that --help shows.
#include "cli/manual.h"

#include <algorithm>
#include <filesystem>

#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/terminal.h"

namespace orrery::cli {
namespace {

// Text that roff prints as it is.
std::string plain(std::string_view text) {
  std::string out;
  if (text.starts_with('.') || text.starts_with('\'')) out = "\\&";
  while (!text.empty()) {
    const Utf8Char c = decode_utf8(text);
    if (c.code_point == '\\') {
      out += "\\e";
    } else if (c.code_point == '-') {
      out += "\\-";  // a bare one is a hyphen, which nobody can paste
    } else if (c.code_point < 0x80) {
      out += static_cast<char>(c.code_point);
    } else {
      out += fmt::format("\\[u{:04X}]", static_cast<uint32_t>(c.code_point));
    }
    text.remove_prefix(c.length);
  }
  return out;
}

std::string bold(std::string_view text) { return "\\fB" + plain(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + plain(text) + "\\fR"; }

std::string page_name(std::string_view command) {
  std::string name = "orrery-" + std::string(command);
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

// A tag and what stands beside it.
std::string item(const std::string& tag, std::string_view text) {
  return fmt::format(".TP\n{}\n{}\n", tag, plain(text));
}

std::string reference(std::string_view command) { return bold(page_name(command)) + "(1)"; }

std::string begin(std::string title, std::string_view summary, std::string_view usage) {
  std::string out = fmt::format(".SH NAME\n{} \\- {}\n.SH SYNOPSIS\n{} {}\n", plain(title),
                                plain(summary), bold("orrery"), plain(usage));
  std::transform(title.begin(), title.end(), title.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  // No date: the same source makes the same bytes.
  return fmt::format(".TH {} 1 \"\" \"Orrery {}\" \"User Commands\"\n", plain(title),
                     ORRERY_VERSION) +
         out;
}

struct Row {
  std::string_view tag, text;
};

constexpr Row kModels[] = {
    {"demo", "the embedded model; also what runs if none is named"},
    {"FOLDER", "a checkpoint: config.json, *.safetensors, tokenizer.json"},
    {"FILE.gguf", "also the first part of a split one, FILE-00001-of-0000N.gguf"},
    {"ORG/NAME", "in the cache of Hugging Face; nothing is downloaded"},
    {"synthetic:NAME[:FORMAT]",
     "random weights of a known shape, for measurements: synthetic:llama-3.2-1b:q4_k_m"},
};

constexpr Row kEnvironment[] = {
    {"ORRERY_API_KEY", "the key that serve asks for, and that bench serve sends"},
    {"OPENAI_API_KEY", "the key that bench serve sends if there is no ORRERY_API_KEY"},
    {"ORRERY_CPU_ISA", "the table of kernels, as --cpu-isa"},
    {"ORRERY_LOG_LEVEL", "debug, info, warn, error or off"},
    {"HF_HOME, HF_HUB_CACHE", "where the cache of Hugging Face is"},
    {"NO_COLOR", "if set, no colours"},
};

constexpr Row kExitStatus[] = {
    {"0", "done"}, {"1", "failed; standard error says what"}, {"2", "wrong usage"}};

std::string section(std::string_view heading, std::span<const Row> rows) {
  std::string out = fmt::format(".SH {}\n", heading);
  for (const Row& row : rows) out += item(bold(row.tag), row.text);
  return out;
}

std::string overview(std::span<const CommandHelp> all) {
  std::string out =
      begin("orrery", "runs large language models, and shows how", "COMMAND [ARGUMENTS]");
  out += ".SH DESCRIPTION\n";
  out += plain(
      "Orrery reads the checkpoints people have (Hugging Face folders, GGUF files), "
      "generates text from them on this machine's processors, and serves them to many "
      "at once under the OpenAI API. Each command has a page of its own, and --help.");
  out += "\n.SH COMMANDS\n";
  for (const CommandHelp& help : all) out += item(reference(help.name), help.summary);
  out += section("MODELS", kModels);
  out += section("ENVIRONMENT", kEnvironment);
  out += section("EXIT STATUS", kExitStatus);
  return out;
}

std::string command_page(const CommandHelp& help, std::span<const CommandHelp> all) {
  std::string out = begin(page_name(help.name), help.summary, help.usage);
  std::string related = bold("orrery") + "(1)";
  for (const CommandHelp& other : all) {
    if (other.name.starts_with(help.name + " ") || help.name.starts_with(other.name + " ")) {
      related += ",\n" + reference(other.name);
    }
  }
  if (!help.flags.empty()) out += ".SH OPTIONS\nA _ in a name counts as a \\-.\n";
  for (const Flag& flag : help.flags) {
    std::string tag = bold(flag.name);
    if (flag.short_name != 0) tag = bold(fmt::format("-{}", flag.short_name)) + ", " + tag;
    if (!flag.value.empty()) tag += " " + italic(flag.value);
    out += item(tag, flag.help);
  }
  return out + ".SH SEE ALSO\n" + related + "\n";
}

Status write_pages(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  for (const ManualPage& page : manual_pages()) {
    RETURN_IF_ERROR(write_file(fmt::format("{}/{}.1", folder, page.name), page.roff));
  }
  return {};
}

}  // namespace

std::vector<ManualPage> manual_pages() {
  const std::vector<CommandHelp> all = help_of_commands();
  std::vector<ManualPage> pages = {{"orrery", overview(all)}};
  for (const CommandHelp& help : all) {
    pages.push_back({page_name(help.name), command_page(help, all)});
  }
  return pages;
}

int man_command(Args args) {
  std::string folder;
  std::vector<std::string> positional;
  const auto code = parse_command_line(
      "man", "man [COMMAND] [--folder FOLDER]   (orrery man serve | man -l -)", args,
      {{"--folder", 0, "FOLDER", "write all pages into it instead", set_text(folder)}}, 2,
      positional);
  if (code) return *code;
  if (!folder.empty()) {
    const Status status = write_pages(folder);
    return status.ok() ? kDone : report("man", status);
  }
  const std::string wanted =
      positional.empty() ? "orrery" : page_name(fmt::format("{}", fmt::join(positional, " ")));
  for (const ManualPage& page : manual_pages()) {
    if (page.name != wanted) continue;
    fmt::print("{}", page.roff);
    return kDone;
  }
  return report("man",
                invalid_argument("expected a command, got \"{}\"", fmt::join(positional, " ")),
                kUsage);
}

}  // namespace orrery::cli
