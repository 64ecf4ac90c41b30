// Pages of 2 MiB for large memory: 8 MiB then take four page faults instead of 2,048, and look-ups
// in a table find their translation in the TLB.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>

namespace orrery {

inline constexpr size_t kHugePage = size_t{2} << 20;

// Asks for such pages in memory that nobody has touched. A wish; refusal is harmless.
inline void wish_for_huge_pages(void* memory, size_t bytes) {
  if (bytes < kHugePage) return;
  constexpr uintptr_t kPage = 4096;  // only whole ones may be named
  const auto begin = reinterpret_cast<uintptr_t>(memory);
  const uintptr_t first = (begin + kPage - 1) / kPage * kPage;
  const uintptr_t end = (begin + bytes) / kPage * kPage;
  madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
}

// An allocator for tables that are read at random: what has 2 MiB or more begins at a multiple of
// that.
template <typename T>
struct HugePageAllocator {
  using value_type = T;

  HugePageAllocator() = default;
  template <typename U>
  HugePageAllocator(const HugePageAllocator<U>&) {}  // NOLINT(google-explicit-constructor)

  T* allocate(size_t count) {
    const size_t bytes = count * sizeof(T);
    void* memory = ::operator new(bytes, alignment(bytes));
    wish_for_huge_pages(memory, bytes);
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, size_t count) {
    ::operator delete(memory, alignment(count * sizeof(T)));
  }
  bool operator==(const HugePageAllocator&) const { return true; }

 private:
  static std::align_val_t alignment(size_t bytes) {
    return std::align_val_t{bytes >= kHugePage ? kHugePage : alignof(std::max_align_t)};
  }
};

}  // namespace orrery
