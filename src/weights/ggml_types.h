// The tensor types that a GGUF file can name, by their ids in ggml.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tensor/dtype.h"

namespace orrery::weights {

struct GgmlType {
  uint32_t id;
  std::string_view name;  // "Q4_K"
  uint64_t block_elements;
  uint64_t block_bytes;
  std::optional<DType> dtype;  // nothing for types that we do not compute with
};

// nullptr for ids that we do not know.
const GgmlType* find_ggml_type(uint32_t id);

// "17 (IQ2_XS)", "99 (unknown)": for messages.
std::string ggml_type_text(uint32_t id);

}  // namespace orrery::weights
