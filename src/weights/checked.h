// CheckedSize: a byte or element count from a file. Sums and products that leave [0, 2^63) stay
// marked as overflown, so that a whole expression is computed first and judged once.
#pragma once

#include <cstdint>
#include <limits>

#include "base/check.h"

namespace orrery::weights {

class CheckedSize {
 public:
  // The largest size that int64_t (tensor shapes, file offsets) can hold.
  static constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();

  constexpr CheckedSize(uint64_t value)  // NOLINT(google-explicit-constructor)
      : value_(value), ok_(value <= kMax) {}

  friend constexpr CheckedSize operator+(CheckedSize a, CheckedSize b) {
    CheckedSize sum(a.value_ + b.value_);  // two values below 2^63 cannot wrap
    sum.ok_ = sum.ok_ && a.ok_ && b.ok_;
    return sum;
  }
  friend constexpr CheckedSize operator*(CheckedSize a, CheckedSize b) {
    uint64_t product = 0;
    const bool wrapped = __builtin_mul_overflow(a.value_, b.value_, &product);
    CheckedSize result(product);
    result.ok_ = result.ok_ && !wrapped && a.ok_ && b.ok_;
    return result;
  }
  CheckedSize& operator+=(CheckedSize other) { return *this = *this + other; }
  CheckedSize& operator*=(CheckedSize other) { return *this = *this * other; }

  // Up to the next multiple of `alignment`, a power of two.
  constexpr CheckedSize aligned(uint64_t alignment) const {
    CheckedSize up = *this + CheckedSize(alignment - 1);
    up.value_ &= ~(alignment - 1);
    return up;
  }

  constexpr bool ok() const { return ok_; }
  // Overflown sizes exceed every limit.
  constexpr bool at_most(uint64_t limit) const { return ok_ && value_ <= limit; }
  uint64_t value() const {
    CHECK(ok_) << "an overflown size was used";
    return value_;
  }

 private:
  uint64_t value_;
  bool ok_;
};

}  // namespace orrery::weights
