// What keeps a hostile template from hurting its host: counted steps, and a bound on the stack.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/sanitizers.h"

namespace orrery::jinja {

// Of the 256 KiB that the smallest thread has, what parsing or rendering may take. Sanitizers make
// frames several times larger, and their threads larger stacks.
inline constexpr size_t kStackBudgetBytes = (kSanitized ? 768 : 160) << 10;

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
