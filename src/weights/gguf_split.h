// Split GGUF models: NAME-00001-of-0000N.gguf, each part a GGUF file, the first with the metadata.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/mapped_file.h"
#include "base/status.h"
#include "weights/gguf.h"

namespace orrery::weights {

struct SplitName {
  std::string prefix;
  uint32_t number = 0;  // from 1
  uint32_t count = 0;
  std::string part(uint32_t wanted) const;  // file name of part `wanted`
};
// Nothing if `file` is not named as a part of a split model.
std::optional<SplitName> parse_split_name(std::string_view file);

// `file` of the folder, or all the parts of the model that it is a part of, in order. Errors:
// kNotFound if a part is missing, kIo.
Result<std::vector<MappedFile>> open_split(const FileSource& folder, const std::string& file);

// That the parts' own numbers and counts agree with their number and order. `files` for messages.
Status check_split(std::span<const Gguf> parts, std::span<const MappedFile> files);

}  // namespace orrery::weights
