// Tensor: a typed view of memory that someone else owns, row-major and contiguous. At most four
// dimensions.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "base/check.h"
#include "tensor/dtype.h"

namespace orrery {

class Shape {
 public:
  static constexpr int kMaxRank = 4;
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) {
    CHECK(dims.size() <= kMaxRank);
    for (int64_t dim : dims) dims_[static_cast<size_t>(rank_++)] = dim;
  }
  explicit Shape(std::span<const int64_t> dims) {
    CHECK(dims.size() <= kMaxRank);
    for (int64_t dim : dims) dims_[static_cast<size_t>(rank_++)] = dim;
  }

  int rank() const { return rank_; }
  int64_t operator[](int i) const {
    return dims_[static_cast<size_t>(i < 0 ? rank_ + i : i)];
  }  // -1 is the last
  int64_t elements() const {
    int64_t n = 1;
    for (int i = 0; i < rank_; ++i) n *= dims_[static_cast<size_t>(i)];
    return n;
  }
  bool operator==(const Shape&) const = default;
  std::string to_string() const;  // "[2, 3]"

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

struct Tensor {
  DType dtype = DType::kF32;
  Shape shape;
  void* data = nullptr;

  int64_t rows() const { return shape.elements() / shape[-1]; }  // of the last dimension
  int64_t cols() const { return shape[-1]; }

  // Elements as T; T must be what dtype stores (float for kF32, uint16_t for kF16 and kBF16,
  // int32_t for kI32).
  template <typename T>
  std::span<T> as() const {
    CHECK(info(dtype).block_bytes == sizeof(T) && info(dtype).block_elements == 1);
    return {static_cast<T*>(data), static_cast<size_t>(shape.elements())};
  }
  std::span<float> f32() const { return as<float>(); }

  // The same memory seen as [rows, n, d]: heads of a projection.
  Tensor heads(int64_t n, int64_t d) const {
    CHECK(n * d == cols());
    return {dtype, {rows(), n, d}, data};
  }
  // The same memory seen as [rows, cols].
  Tensor reshaped(Shape s) const {
    CHECK(s.elements() == shape.elements());
    return {dtype, s, data};
  }
};

}  // namespace orrery
