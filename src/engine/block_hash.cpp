#include "engine/block_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace orrery::engine {

// The seed is taken from the parent and the space; 256 bits in front of the tokens would do the
// same at twice the cost, because a block's tokens are only 64 bytes.
BlockHash xxh3_128(const BlockHash& parent, std::span<const int32_t> tokens,
                   const PrefixSpace& space) {
  const uint64_t before[4] = {parent.low, parent.high, space.cache_salt, space.adapter_id};
  const XXH128_hash_t front = XXH3_128bits(before, sizeof(before));
  const XXH128_hash_t hash = XXH3_128bits_withSeed(tokens.data(), tokens.size_bytes(), front.low64);
  return {hash.low64, hash.high64 ^ front.high64};
}

}  // namespace orrery::engine
