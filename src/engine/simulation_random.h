// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): the choices of a simulated history, and its hash.
#pragma once

#include <cstdint>

namespace orrery::engine {

constexpr uint64_t mix(uint64_t a, uint64_t b = 0) {
  uint64_t z = a + 0x9E3779B97F4A7C15U * (b + 1);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

class SimulationRandom {
 public:
  explicit SimulationRandom(uint64_t seed) : state_(mix(seed)) {}
  // Between `first` and `last`, both included.
  int32_t between(int32_t first, int32_t last) {
    state_ = mix(state_, 7);
    return first + static_cast<int32_t>(state_ % static_cast<uint64_t>(last - first + 1));
  }
  bool percent(int32_t chance) { return between(1, 100) <= chance; }

 private:
  uint64_t state_;
};

}  // namespace orrery::engine
