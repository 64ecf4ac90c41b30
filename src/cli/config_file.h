// --config FILE.yaml: flags from a file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cli/flags.h"

namespace orrery::cli {

// Sets each flag that the file, one YAML map, names: "max-num-seqs: 64" (also with '_'), a list for
// a flag that may be repeated, true or false for a switch (false: its --no- form, if it has one).
// The key "model" goes to `positional`. Errors: kNotFound, kIo, kMalformed (not such a map),
// kInvalidArgument (unknown key, bad value), with file and line.
Status apply_config_file(const std::string& path, std::span<const Flag> flags,
                         std::vector<std::string>& positional);

}  // namespace orrery::cli
