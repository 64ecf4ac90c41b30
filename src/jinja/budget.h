// What keeps a hostile template from hurting its host: counted steps, and a bound on the stack.
#pragma once

#include <cstddef>
#include <cstdint>

namespace orrery::jinja {

// Of the 256 KiB that the smallest thread has, what parsing or rendering may take. Sanitizers make
// frames several times larger, and their threads larger stacks.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr size_t kStackBudgetBytes = 768 << 10;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr size_t kStackBudgetBytes = 768 << 10;
#else
inline constexpr size_t kStackBudgetBytes = 160 << 10;
#endif
#else
inline constexpr size_t kStackBudgetBytes = 160 << 10;
#endif

// Measures from where it is made: make it in the outermost function.
class StackBudget {
 public:
  StackBudget() : base_(here()) {}
  bool exceeded() const {
    const uintptr_t now = here();
    return (base_ > now ? base_ - now : now - base_) > kStackBudgetBytes;
  }

 private:
  static uintptr_t here() { return reinterpret_cast<uintptr_t>(__builtin_frame_address(0)); }
  uintptr_t base_;
};

// Counts a level of recursion while it lives.
class DepthScope {
 public:
  explicit DepthScope(int& depth) : depth_(depth) { ++depth_; }
  ~DepthScope() { --depth_; }
  DepthScope(const DepthScope&) = delete;
  DepthScope& operator=(const DepthScope&) = delete;

 private:
  int& depth_;
};

}  // namespace orrery::jinja
