#include "tensor/buffer.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "base/huge_pages.h"

namespace orrery {

Result<Buffer> Buffer::allocate(size_t bytes) {
  Buffer buffer;
  if (bytes == 0) return buffer;
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) {
    return resource_exhausted("cannot allocate {} bytes: {}", bytes, std::strerror(errno));
  }
  wish_for_huge_pages(data, bytes);
  buffer.data_ = std::unique_ptr<std::byte, Unmap>(static_cast<std::byte*>(data), Unmap{bytes});
  buffer.size_bytes_ = bytes;
  return buffer;
}

Buffer Buffer::borrow(std::span<const std::byte> bytes) {
  CHECK(reinterpret_cast<uintptr_t>(bytes.data()) % kAlignment == 0);
  Buffer buffer;
  buffer.data_ = std::unique_ptr<std::byte, Unmap>(const_cast<std::byte*>(bytes.data()), Unmap{0});
  buffer.size_bytes_ = bytes.size();
  return buffer;
}

void Buffer::Unmap::operator()(std::byte* data) const {
  if (size_bytes > 0) munmap(data, size_bytes);
}

}  // namespace orrery
