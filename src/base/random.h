// Counter-based random numbers: Philox 4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as
// 1, 2, 3", SC 2011).
//
// A draw is a pure function of (key, counter): no state is shared, so neighbours in a batch never
// change a draw, and any step can be repeated. Passes the paper's known-answer vectors
// (random_test.cpp).
#pragma once

#include <array>
#include <cstdint>

namespace orrery {

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// Uniform in [0, 1) with 53 bits, for draw number `index` of stream (seed, position).
double uniform_double(uint64_t seed, uint64_t position, uint32_t index = 0);

}  // namespace orrery
