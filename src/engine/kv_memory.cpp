#include "engine/kv_memory.h"

namespace orrery::engine {

int64_t KvMemory::bytes_per_token(const model::ModelConfig& c, DType dtype) {
  return 2 * c.n_layers * c.n_kv_heads * c.head_dim * info(dtype).block_bytes;
}

Result<KvMemory> KvMemory::allocate(const model::ModelConfig& c, DType dtype, int64_t num_blocks) {
  if (dtype != DType::kF32 && dtype != DType::kBF16) {
    return unsupported("KV cache dtype: expected f32 or bf16, got {}", name(dtype));
  }
  KvMemory memory;
  for (int64_t layer = 0; layer < c.n_layers; ++layer) {
    kernels::KvCache cache{dtype, num_blocks, c.n_kv_heads, c.head_dim, nullptr, nullptr};
    for (std::byte** half : {&cache.keys, &cache.values}) {
      auto buffer = Buffer::allocate(static_cast<size_t>(num_blocks * cache.block_bytes()));
      if (!buffer.ok()) {
        return buffer.status().with_context(
            fmt::format("KV cache of {} blocks ({} bytes)", num_blocks,
                        num_blocks * kernels::KvCache::kBlockSize * bytes_per_token(c, dtype)));
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

}  // namespace orrery::engine
