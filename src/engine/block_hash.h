// The name of a KV block's content: a hash chained over all tokens up to the block's end.
//
// The content is compared when a name is found (prefix_cache.h), so that a collision costs time and
// never an answer; hence any function will do, and the default is a fast one.
#pragma once

#include <cstdint>
#include <span>

namespace orrery::engine {

struct BlockHash {
  uint64_t low = 0;
  uint64_t high = 0;
  bool operator==(const BlockHash&) const = default;
};

// What may share a prefix: requests with equal salt and adapter.
struct PrefixSpace {
  uint64_t cache_salt = 0;  // whoever makes the requests numbers the salts' texts
  uint64_t adapter_id = 0;
  bool operator==(const PrefixSpace&) const = default;
};

// Of a block of tokens after the block named `parent` (zero for the first of a sequence).
using BlockHashFunction = BlockHash (*)(const BlockHash& parent, std::span<const int32_t> tokens,
                                        const PrefixSpace& space);

BlockHash xxh3_128(const BlockHash& parent, std::span<const int32_t> tokens,
                   const PrefixSpace& space);

// The first 128 bits of SHA-256 of parent, space (each number little-endian) and tokens.
BlockHash sha256(const BlockHash& parent, std::span<const int32_t> tokens,
                 const PrefixSpace& space);

}  // namespace orrery::engine
