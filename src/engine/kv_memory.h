// KvMemory: the keys and values of all layers, in blocks of kernels::KvCache::kBlockSize tokens.
//
// Memory is reserved at once and touched as blocks are used. Move-only.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "kernels/kernels.h"
#include "model/config.h"

namespace orrery::engine {

class KvMemory {
 public:
  // `dtype` as kernels::is_kv_dtype. Errors: kResourceExhausted, kUnsupported (dtype).
  static Result<KvMemory> allocate(const model::ModelConfig& config, DType dtype,
                                   int64_t num_blocks);

  std::span<kernels::KvCache> layers() { return layers_; }
  int64_t num_blocks() const { return layers_.empty() ? 0 : layers_.front().num_blocks; }
  int64_t bytes() const;

  // Keys and values of one token in all layers; saturates at INT64_MAX.
  static int64_t bytes_per_token(const model::ModelConfig& config, DType dtype);

 private:
  std::vector<Buffer> buffers_;
  std::vector<kernels::KvCache> layers_;
};

// float32, bfloat16 (also bf16), int8, fp8 (also fp8_e4m3): vLLM's names of --kv-cache-dtype.
std::optional<DType> kv_dtype_from_name(std::string_view name);

}  // namespace orrery::engine
