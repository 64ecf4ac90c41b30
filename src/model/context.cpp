#include "model/context.h"

#include <algorithm>
#include <cmath>

namespace orrery::model {

float* Arena::allocate(size_t elements) {
  constexpr size_t kChunk = size_t{8} << 20;
  const size_t bytes =
      (elements * sizeof(float) + Buffer::kAlignment - 1) / Buffer::kAlignment * Buffer::kAlignment;
  while (chunk_ < chunks_.size() && used_ + bytes > chunks_[chunk_].size()) {
    ++chunk_;
    used_ = 0;
  }
  if (chunk_ == chunks_.size()) {
    auto buffer = Buffer::allocate(std::max(bytes, kChunk));
    // The plan made at start leaves room for activations; running out here is a bug in that plan.
    CHECK(buffer.ok()) << buffer.status().message();
    chunks_.push_back(std::move(buffer).value());
    used_ = 0;
  }
  float* data = reinterpret_cast<float*>(chunks_[chunk_].data() + used_);
  used_ += bytes;
  return data;
}

size_t Arena::bytes() const {
  size_t sum = 0;
  for (const Buffer& chunk : chunks_) sum += chunk.size();
  return sum;
}

Tensor Context::paged_attention(const Tensor& q, const Batch& batch, int64_t layer,
                                int64_t window) {
  const int64_t head_dim = q.cols();
  Tensor out = allocate(q.shape);
  kernels_.paged_attention(q, batch.kv[static_cast<size_t>(layer)], batch.attention(),
                           1.0F / std::sqrt(static_cast<float>(head_dim)), window, out);
  return out.reshaped({q.shape[0], q.shape[1] * head_dim});
}

}  // namespace orrery::model
