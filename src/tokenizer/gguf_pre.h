// What a GGUF file's tokenizer.ggml.pre stands for.
#pragma once

#include <string_view>

#include "tokenizer/normalizer.h"
#include "tokenizer/pre_tokenizer.h"

namespace orrery::tokenizer {

struct GgufPre {
  NormalizerOps normalizers;
  PreTokenizerOps pre_tokenizers;  // without the byte-level map
  bool map_bytes = true;           // false: `pre_tokenizers` has the byte-level map inside
  bool ignore_merges = false;
  bool add_bos = false;  // if the file does not say
};

// Errors: kUnsupported for a name that is not known.
Result<GgufPre> gguf_pre(std::string_view name, std::string_view where);

}  // namespace orrery::tokenizer
