// Activations rounded to bf16, where bf16 weights meet them (activations.h: kByte).
#pragma once

#include <cmath>
#include <limits>

#include "tensor/float16.h"

namespace orrery::kernels {

// Zero, with the sign of x, for a subnormal x.
inline float flushed(float x) {
  return std::fabs(x) < std::numeric_limits<float>::min() ? std::copysign(0.0F, x) : x;
}
inline float rounded_to_bf16(float x) { return bf16_to_f32(f32_to_bf16(flushed(x))); }

}  // namespace orrery::kernels
