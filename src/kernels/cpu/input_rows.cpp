#include "kernels/cpu/input_rows.h"

#include <iterator>

#include "base/check.h"

namespace orrery::kernels::cpu {
namespace {

float* row(const Tensor& x, int64_t index) { return x.f32().data() + index * x.cols(); }

}  // namespace

InputRows::InputRows(const LaneKernels& lanes, const Input& input) : lanes_(lanes), input_(input) {
  if (const auto* normed = std::get_if<Normed>(&input_)) {
    CHECK(normed->y.data == nullptr || normed->y.shape == normed->x.shape);
    CHECK(std::ssize(normed->weight) == cols());
  } else if (const auto* gated = std::get_if<SwiGlu>(&input_)) {
    CHECK(gated->gate.shape == gated->up.shape);
  }
}

double InputRows::ns() const {
  if (std::holds_alternative<Normed>(input_)) return 0.4;
  return std::holds_alternative<SwiGlu>(input_) ? 1 : 0;
}

const float* InputRows::get(int64_t first, int64_t n) const {
  if (const auto* x = std::get_if<Tensor>(&input_)) return row(*x, first);
  thread_local std::vector<float> made;
  float* out = line_of(made, n * cols());
  make(first, n, out);
  return out;
}

void InputRows::make(int64_t first, int64_t n, float* out) const {
  const int64_t k = cols();
  if (const auto* gated = std::get_if<SwiGlu>(&input_))
    return lanes_.silu_mul(row(gated->gate, first), row(gated->up, first), n * k, out);
  const auto& [x, y, weight, eps] = std::get<Normed>(input_);
  for (int64_t i = first; i < first + n; ++i, out += k) {
    if (y.data != nullptr) lanes_.add(row(x, i), row(y, i), k);
    lanes_.rms_norm(row(x, i), weight.data(), eps, 1, k, out);
  }
}

void InputRows::repeat() {
  if (auto* normed = std::get_if<Normed>(&input_)) normed->y = {};
}

}  // namespace orrery::kernels::cpu
