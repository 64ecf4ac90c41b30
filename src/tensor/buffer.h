// Buffer: memory for tensors, aligned to 64 bytes (a cache line and a vector register): its own,
// zeroed, or borrowed. Move-only.
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
  // Memory of another owner, which must outlive it. If that is read-only, nobody may write.
  static Buffer borrow(std::span<const std::byte> bytes);

  std::byte* data() const { return data_.get(); }
  size_t size() const { return data_ ? size_bytes_ : 0; }  // 0 after a move
  std::span<std::byte> bytes() const { return {data_.get(), size()}; }

 private:
  struct Unmap {
    size_t size_bytes;  // 0: borrowed
    void operator()(std::byte* data) const;
  };
  std::unique_ptr<std::byte, Unmap> data_{nullptr, Unmap{0}};
  size_t size_bytes_ = 0;
};

}  // namespace orrery
