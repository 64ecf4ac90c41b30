// What a recording says of the engine's settings and of each request, in JSON: enough to run it
// again.
//
// Masks are not recorded: they are code. Seeds are those that were used.
#pragma once

#include "base/json.h"
#include "engine/engine.h"

namespace orrery::engine {

OrderedJson to_json(const EngineOptions& options);
// Errors: kMalformed, with the field.
Result<EngineOptions> engine_options_from_json(const Json& json);

// Without its prompt, which has events of its own. Fields with their default value are left out.
OrderedJson to_json(const GenerationRequest& request);
Result<GenerationRequest> request_from_json(const Json& json);

}  // namespace orrery::engine
