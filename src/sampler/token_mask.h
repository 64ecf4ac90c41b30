// TokenMask: the set of tokens that a grammar allows next, seen from the sampler.
//
// The sampler knows no grammar: rooms above it implement this. Threads: called on the thread of the
// Sampler. Lifetime: must outlive the call of Sampler::sample.
#pragma once

#include <cstdint>
#include <span>

#include "base/status.h"

namespace orrery::sampler {

class TokenMask {
 public:
  virtual ~TokenMask() = default;
  // Clears bit id % 32 of bits[id / 32] for each token id that is not allowed, and sets none.
  // `bits`: ceil(V / 32) words; the spare bits of the last one mean nothing. An error ends this
  // request alone.
  virtual Status apply(std::span<uint32_t> bits) const = 0;
};

}  // namespace orrery::sampler
