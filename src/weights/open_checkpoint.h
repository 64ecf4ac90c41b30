// Opens what a user names as MODEL.
#pragma once

#include <string>

#include "base/status.h"
#include "weights/checkpoint.h"

namespace orrery::weights {

// A path, an `org/name` of the Hugging Face cache, or `synthetic:NAME[:FORMAT]`. Errors as
// Checkpoint::open, resolve_model_path and open_synthetic.
Result<Checkpoint> open_checkpoint(const std::string& model);

}  // namespace orrery::weights
