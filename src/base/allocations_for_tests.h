// Counts every operator new of a test program; one of its files includes this. A sanitizer has its
// own operator new, beside which there is room for no other: nothing is counted there.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "base/sanitizers.h"

namespace orrery {
inline std::atomic<int64_t> num_allocations{0};
}  // namespace orrery

#if !ORRERY_SANITIZED

namespace orrery {
inline void* counted_allocation(size_t bytes, size_t alignment) {
  num_allocations.fetch_add(1, std::memory_order_relaxed);
  if (alignment <= alignof(std::max_align_t)) return std::malloc(bytes == 0 ? 1 : bytes);
  return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

inline void* or_bad_alloc(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
}  // namespace orrery

void* operator new(size_t bytes) {
  return orrery::or_bad_alloc(orrery::counted_allocation(bytes, 1));
}
void* operator new(size_t bytes, std::align_val_t alignment) {
  return orrery::or_bad_alloc(orrery::counted_allocation(bytes, static_cast<size_t>(alignment)));
}
// std::stable_sort takes its buffer from this one.
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  return orrery::counted_allocation(bytes, 1);
}
// The forms for arrays call those above. Not inlined: g++ would see free() of what new gave.
#define ORRERY_NOINLINE __attribute__((noinline))
ORRERY_NOINLINE void operator delete(void* memory) noexcept { std::free(memory); }
ORRERY_NOINLINE void operator delete(void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}
ORRERY_NOINLINE void operator delete(void* memory, size_t) noexcept { std::free(memory); }
ORRERY_NOINLINE void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
ORRERY_NOINLINE void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}
#undef ORRERY_NOINLINE

#endif
