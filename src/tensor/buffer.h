// Buffer: owned memory for tensors, aligned to 64 bytes (a cache line and a vector register) and
// zeroed. Move-only.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "base/status.h"

namespace orrery {

class Buffer {
 public:
  static constexpr size_t kAlignment = 64;

  Buffer() = default;
  // Large buffers are backed by huge pages where the system gives them. Errors: kResourceExhausted.
  static Result<Buffer> allocate(size_t bytes);

  std::byte* data() const { return data_.get(); }
  size_t size() const { return data_ ? size_bytes_ : 0; }  // 0 after a move
  std::span<std::byte> bytes() const { return {data_.get(), size()}; }

 private:
  struct Unmap {
    size_t size_bytes;
    void operator()(std::byte* data) const;
  };
  std::unique_ptr<std::byte, Unmap> data_{nullptr, Unmap{0}};
  size_t size_bytes_ = 0;
};

}  // namespace orrery
