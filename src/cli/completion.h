// Completions for shells, of every command and flag that --help shows.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace orrery::cli {

// `shell`: "bash", "zsh" or "fish". Errors: kInvalidArgument.
Result<std::string> completion_script(std::string_view shell);

}  // namespace orrery::cli
