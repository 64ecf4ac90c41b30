// Finds models in the Hugging Face cache on disk; nothing is ever downloaded.
//
// The cache's folder is $HF_HUB_CACHE, else $HF_HOME/hub, else $XDG_CACHE_HOME/huggingface/hub,
// else
// ~/.cache/huggingface/hub. In it, models--ORG--NAME/refs/main holds the name of the snapshot, a
// folder of models--ORG--NAME/snapshots.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/status.h"

namespace orrery::weights {

// Reads a variable of the environment; nothing if unset or empty.
using Environment = std::function<std::optional<std::string>(const char*)>;
Environment process_environment();

// The path of a model: `name` itself if such a file or folder exists, else the snapshot of the
// repository `org/name` in the cache. Errors: kNotFound with what was looked for; kMalformed for a
// refs/main that does not name a snapshot.
Result<std::string> resolve_model_path(const std::string& name,
                                       const Environment& environment = process_environment());

}  // namespace orrery::weights
