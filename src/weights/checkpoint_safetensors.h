// Checkpoints in safetensors: one file, or shards named by model.safetensors.index.json.
#pragma once

#include <memory>
#include <string>

#include "base/files.h"
#include "weights/checkpoint.h"

namespace orrery::weights {

inline constexpr const char* kSafetensorsIndex = "model.safetensors.index.json";

// model.safetensors, else the index, else the only .safetensors of `files`. Errors as
// Checkpoint::open.
Result<Checkpoint> open_safetensors(std::unique_ptr<FileSource> files);

// `file` of the folder (a shard: with the others of its index). config() is empty if there is no
// config.json.
Result<Checkpoint> open_safetensors_file(std::unique_ptr<FileSource> files,
                                         const std::string& file);

}  // namespace orrery::weights
