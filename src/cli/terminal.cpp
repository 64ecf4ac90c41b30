#include "cli/terminal.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>

#include "base/mapped_file.h"
#include "base/utf8.h"

namespace orrery::cli {

bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1; }
bool stdout_is_terminal() { return isatty(STDOUT_FILENO) == 1; }

Style Style::for_stdout() {
  if (!stdout_is_terminal() || std::getenv("NO_COLOR") != nullptr) return {};
  return {"\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[32m", "\x1b[33m", "\x1b[0m"};
}

std::function<void(double)> progress_bar(std::string label) {
  struct State {
    std::string label;
    bool terminal = stderr_is_terminal();
    std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
    bool shown = false;
    int last = -1;
  };
  auto state = std::make_shared<State>();
  state->label = std::move(label);
  return [state](double fraction) {
    const auto elapsed = std::chrono::steady_clock::now() - state->start;
    const int percent = static_cast<int>(fraction * 100);
    const int step = state->terminal ? percent : percent / 10;
    if (elapsed < std::chrono::milliseconds(500) || step == state->last) {
      if (!(state->shown && fraction >= 1)) return;
    }
    state->last = step;
    state->shown = true;
    if (state->terminal) {
      const int filled = percent * 30 / 100;
      std::fprintf(stderr, "\r%s [%.*s%*s] %3d %%%s", state->label.c_str(), filled,
                   "##############################", 30 - filled, "", percent,
                   fraction >= 1 ? "\r\x1b[K" : "");
    } else {
      std::fprintf(stderr, "%s %d %%\n", state->label.c_str(), percent);
    }
    std::fflush(stderr);
  };
}

Result<std::string> read_stdin(size_t limit_bytes) {
  std::string text;
  char buffer[1 << 16];
  for (;;) {
    const size_t n = std::fread(buffer, 1, sizeof(buffer), stdin);
    if (n == 0) break;
    if (text.size() + n > limit_bytes)
      return resource_exhausted("standard input: expected at most {} bytes", limit_bytes);
    text.append(buffer, n);
  }
  if (std::ferror(stdin) != 0) return io_error("standard input: cannot read");
  return text;
}

Result<std::string> read_file(const std::string& path) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  return std::string(file.text());
}

Status write_file(const std::string& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return file ? Status() : io_error("{}: cannot write", path);
}

std::string escaped(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const Utf8Char c = decode_utf8(text);
    if (!c.valid) {
      for (size_t i = 0; i < c.length; ++i)
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i]));
    } else if (c.code_point == '\n') {
      out += "\\n";
    } else if (c.code_point == '\t') {
      out += "\\t";
    } else if (c.code_point == '"' || c.code_point == '\\') {
      out += '\\';
      out += static_cast<char>(c.code_point);
    } else if (c.code_point < 0x20 || c.code_point == 0x7F ||
               (c.code_point >= 0x80 && c.code_point < 0xA0)) {
      out += fmt::format("\\u{:04x}", static_cast<uint32_t>(c.code_point));
    } else {
      out += text.substr(0, c.length);
    }
    text.remove_prefix(c.length);
  }
  return out + '"';
}

}  // namespace orrery::cli
