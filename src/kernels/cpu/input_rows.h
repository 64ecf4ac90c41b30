// The rows that a matmul multiplies: as they lie in memory, or made one after the other where they
// are asked for, so that a row goes from one operation to the next in the first-level cache.
#pragma once

#include <cstdint>
#include <iterator>
#include <vector>

#include "kernels/cpu/table.h"
#include "kernels/kernels.h"

namespace orrery::kernels::cpu {

// A cache line's beginning in `buffer`, with room for n elements behind it.
template <typename T>
T* line_of(std::vector<T>& buffer, int64_t n) {
  constexpr int64_t kLine = 64 / sizeof(T);
  if (std::ssize(buffer) < n + kLine) buffer.resize(static_cast<size_t>(n + kLine));
  const auto past = reinterpret_cast<uintptr_t>(buffer.data()) % 64;
  return buffer.data() + (past == 0 ? 0 : (64 - past) / sizeof(T));
}

class InputRows {
 public:
  // `lanes` and what the input refers to must outlive it.
  InputRows(const LaneKernels& lanes, const Input& input);

  int64_t rows() const { return rows_of(input_).rows(); }
  int64_t cols() const { return rows_of(input_).cols(); }
  // What an element costs to make, on one thread, roughly.
  double ns() const;

  // Rows first .. first + n − 1, [n][cols]; until the calling thread asks for others. Ask once for
  // each row (a Normed adds y to it), from any thread.
  const float* get(int64_t first, int64_t n) const;

  // Before all rows are asked for a second time.
  void repeat();

 private:
  void make(int64_t first, int64_t n, float* out) const;

  const LaneKernels& lanes_;
  Input input_;
};

}  // namespace orrery::kernels::cpu
