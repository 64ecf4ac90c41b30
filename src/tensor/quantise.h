// Numbers rounded to the quantised block formats that a checkpoint can be turned into when it is
// loaded: Q8_0, Q4_0 and Q4_K (tensor/blocks.h says what their bits mean).
#pragma once

#include <cstddef>
#include <span>

#include "tensor/dtype.h"

namespace orrery {

bool can_quantise_to(DType dtype);

// `src` holds whole blocks; `out` takes row_bytes(dtype, src.size()) bytes, aligned or not. The
// same numbers always give the same blocks. NaN becomes 0, infinities the largest finite number.
void quantise(DType dtype, std::span<const float> src, std::byte* out);

}  // namespace orrery
