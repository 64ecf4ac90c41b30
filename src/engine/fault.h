// Fault: a bug that a test plants, to show that the simulation would find it.
#pragma once

#include <cstdint>

namespace orrery::engine {

enum class Fault : uint8_t {
  kNone,
  kForgetsRetain,   // BlockPool: now and then a new user is not counted
  kForgetsRelease,  // BlockPool: now and then a leaving user is not discounted
  kForgetsCopy,     // KvCacheManager: copies on write, but leaves the copy out of the plan
  kWritesShared,    // KvCacheManager: does not copy on write
  kTrustsHash,      // KvCacheManager: does not compare what a hash stands for
};

}  // namespace orrery::engine
