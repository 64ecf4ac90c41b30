#include "engine/prefix_cache.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace orrery::engine {
namespace {

std::vector<int32_t> tokens_from(int32_t first) {
  std::vector<int32_t> tokens(kBlockSize);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

PrefixCache::Key key(const std::vector<int32_t>& tokens, PrefixNode parent = 0,
                     PrefixSpace space = {}, BlockHash hash = {}) {
  return {hash, parent, space, tokens};
}

TEST(BlockHash, DependsOnParentTokensSaltAndAdapter) {
  const auto a = tokens_from(0);
  const auto b = tokens_from(1);
  for (const BlockHashFunction hash : {xxh3_128, sha256}) {
    const BlockHash base = hash({}, a, {});
    EXPECT_EQ(base, hash({}, a, {}));
    EXPECT_NE(base, hash({}, b, {}));
    EXPECT_NE(base, hash({1, 0}, a, {}));
    EXPECT_NE(base, hash({0, 1}, a, {}));
    EXPECT_NE(base, hash({}, a, {1, 0}));
    EXPECT_NE(base, hash({}, a, {0, 1}));
  }
}

// The expected number is Python's hashlib.sha256 of the same 96 bytes.
TEST(BlockHash, IsSha256WhenAsked) {
  const BlockHash expected = {0x0e2e2ffded2bf2dc, 0x7869a6907ecfa91b};
  EXPECT_EQ(sha256({1, 2}, tokens_from(100), {3, 4}), expected);
}

TEST(PrefixCache, FindsWhatWasEntered) {
  PrefixCache cache(8);
  const auto tokens = tokens_from(0);
  EXPECT_EQ(cache.find(key(tokens)).block, kNoBlock);
  const PrefixNode node = cache.insert(5, key(tokens), 1, false);
  EXPECT_EQ(cache.find(key(tokens)).block, 5);
  EXPECT_EQ(cache.find(key(tokens)).node, node);
  EXPECT_FALSE(cache.find(key(tokens)).computed);
  cache.set_computed(5);
  EXPECT_TRUE(cache.find(key(tokens)).computed);
  EXPECT_EQ(cache.request(5), 1U);
  cache.erase(5);
  EXPECT_EQ(cache.find(key(tokens)).block, kNoBlock);
  EXPECT_TRUE(cache.check_integrity().ok());
}

// All entries under one hash: only the comparison tells them apart.
TEST(PrefixCache, TellsApartWhatCollides) {
  PrefixCache cache(8);
  const auto a = tokens_from(0);
  const auto b = tokens_from(100);
  const PrefixNode node = cache.insert(0, key(a), 1, true);
  EXPECT_EQ(cache.find(key(b)).block, kNoBlock);
  EXPECT_EQ(cache.find(key(a, node)).block, kNoBlock);
  EXPECT_EQ(cache.find(key(a, 0, {1, 0})).block, kNoBlock);
  EXPECT_EQ(cache.find(key(a, 0, {0, 1})).block, kNoBlock);
  cache.insert(1, key(b), 1, true);
  cache.insert(2, key(a, node), 1, true);
  cache.insert(3, key(a, 0, {1, 0}), 1, true);
  EXPECT_EQ(cache.find(key(a)).block, 0);
  EXPECT_EQ(cache.find(key(b)).block, 1);
  EXPECT_EQ(cache.find(key(a, node)).block, 2);
  EXPECT_EQ(cache.find(key(a, 0, {1, 0})).block, 3);
  cache.erase(1);
  EXPECT_EQ(cache.find(key(a)).block, 0);
  EXPECT_EQ(cache.find(key(a, node)).block, 2);
  EXPECT_TRUE(cache.check_integrity().ok());
}

TEST(PrefixCache, NeverTakesANewEntryForAnEvictedParent) {
  PrefixCache cache(8);
  const auto parent = tokens_from(0);
  const auto child = tokens_from(16);
  const PrefixNode node = cache.insert(0, key(parent), 1, true);
  cache.insert(1, key(child, node), 1, true);
  cache.erase(0);
  const PrefixNode other = cache.insert(0, key(tokens_from(50)), 1, true);
  EXPECT_NE(other, node);
  EXPECT_EQ(cache.find(key(child, other)).block, kNoBlock);
}

}  // namespace
}  // namespace orrery::engine
