#include "engine/kv_memory.h"

#include <algorithm>

#include "weights/checked.h"

namespace orrery::engine {
namespace {

using weights::CheckedSize;

CheckedSize size_of(int64_t n) { return static_cast<uint64_t>(std::max<int64_t>(n, 0)); }

}  // namespace

int64_t KvMemory::bytes_per_token(const model::ModelConfig& c, DType dtype) {
  const CheckedSize head =
      size_of(c.head_dim) * size_of(info(dtype).block_bytes) +
      size_of(kernels::KvCache::scale_bytes(dtype) / kernels::KvCache::kBlockSize);
  const CheckedSize bytes = size_of(c.n_layers) * size_of(c.n_kv_heads) * head * 2;
  return static_cast<int64_t>(bytes.ok() ? bytes.value() : CheckedSize::kMax);
}

Result<KvMemory> KvMemory::allocate(const model::ModelConfig& c, DType dtype, int64_t num_blocks) {
  if (!kernels::is_kv_dtype(dtype)) {
    return unsupported("KV cache dtype: expected f32, bf16, i8 or f8_e4m3, got {}", name(dtype));
  }
  const CheckedSize all = size_of(bytes_per_token(c, dtype)) *
                          size_of(kernels::KvCache::kBlockSize) * size_of(num_blocks);
  if (!all.ok())
    return resource_exhausted("KV cache of {} blocks: more than 2^63 bytes", num_blocks);
  KvMemory memory;
  for (int64_t layer = 0; layer < c.n_layers; ++layer) {
    kernels::KvCache cache{dtype, num_blocks, c.n_kv_heads, c.head_dim, nullptr, nullptr};
    for (std::byte** half : {&cache.keys, &cache.values}) {
      auto buffer = Buffer::allocate(static_cast<size_t>(num_blocks * cache.block_bytes()));
      if (!buffer.ok()) {
        return buffer.status().with_context(
            fmt::format("KV cache of {} blocks ({} bytes)", num_blocks, all.value()));
      }
      *half = buffer->data();
      memory.buffers_.push_back(std::move(buffer).value());
    }
    memory.layers_.push_back(cache);
  }
  return memory;
}

int64_t KvMemory::bytes() const {
  int64_t sum = 0;
  for (const Buffer& buffer : buffers_) sum += static_cast<int64_t>(buffer.size());
  return sum;
}

std::optional<DType> kv_dtype_from_name(std::string_view name) {
  if (name == "float32") return DType::kF32;
  if (name == "bfloat16" || name == "bf16") return DType::kBF16;
  if (name == "int8") return DType::kI8;
  if (name == "fp8" || name == "fp8_e4m3") return DType::kF8E4M3;
  return std::nullopt;
}

}  // namespace orrery::engine
