// What commands share when they talk to a person: progress, colours, errors.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace orrery::cli {

bool stderr_is_terminal();
bool stdout_is_terminal();

// ANSI styles, empty when stdout is not a terminal or NO_COLOR is set.
struct Style {
  std::string bold, dim, accent, good, warn, reset;
  static Style for_stdout();
};

// A bar on stderr that is redrawn on a terminal; on anything else a line at each tenth. Shown only
// for work that takes longer than half a second. Returns a function to call with the fraction done,
// from 0 to 1.
std::function<void(double)> progress_bar(std::string label);

// All of stdin. Errors: kResourceExhausted above `limit_bytes`.
Result<std::string> read_stdin(size_t limit_bytes = size_t{256} << 20);

// The whole file. Errors: as MappedFile::open.
Result<std::string> read_file(const std::string& path);
// Errors: kIo.
Status write_file(const std::string& path, std::string_view text);

// Text on one line, quoted, with control characters and invalid UTF-8 escaped, for tables and
// --stages.
std::string escaped(std::string_view text);

}  // namespace orrery::cli
