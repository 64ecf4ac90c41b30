// Which model this is, and how it runs: what a recording must agree on with whoever replays it.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "engine/engine.h"
#include "weights/checkpoint.h"

namespace orrery::llm {

class Llm;

// 64 and 128 bits of SHA-256 of some bytes.
uint64_t hash64(std::string_view bytes);
std::string hash_hex(std::string_view bytes);

// Of the configuration, all tensors' names, formats and shapes, and the first and last bytes of
// each: different weights differ, without reading gigabytes.
std::string model_identity(const weights::Checkpoint& checkpoint);

// {"recording": 1, "model", "identity", "isa", "activation_bits", "dtype", "kv_cache_dtype",
// "quantization", ..., "engine": engine::to_json}
OrderedJson describe(const Llm& llm, const engine::EngineOptions& options);

}  // namespace orrery::llm
