// The size of an open-addressing table.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>

namespace orrery::tokenizer {

// Slots for `count` keys with at most two thirds of them in use.
inline size_t slots_for(size_t count) {
  return std::bit_ceil(std::max<size_t>(8, count + count / 2 + 1));
}

}  // namespace orrery::tokenizer
