// SHA-256 (FIPS 180-4) as a block hash. About ten times the cost of XXH3: for those whose rules ask
// for a cryptographic hash.
#include <array>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "engine/block_hash.h"

namespace orrery::engine {
namespace {

constexpr std::array<uint32_t, 64> kRound = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

using State = std::array<uint32_t, 8>;
constexpr State kInitial = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                            0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

constexpr size_t kChunkBytes = 64;

uint32_t big_endian(const std::byte* bytes) {
  uint32_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return __builtin_bswap32(value);
}

void compress(State& state, const std::byte* chunk) {
  std::array<uint32_t, 64> w;
  for (size_t t = 0; t < 16; ++t) w[t] = big_endian(chunk + 4 * t);
  for (size_t t = 16; t < 64; ++t) {
    const uint32_t s0 = std::rotr(w[t - 15], 7) ^ std::rotr(w[t - 15], 18) ^ (w[t - 15] >> 3);
    const uint32_t s1 = std::rotr(w[t - 2], 17) ^ std::rotr(w[t - 2], 19) ^ (w[t - 2] >> 10);
    w[t] = w[t - 16] + s0 + w[t - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (size_t t = 0; t < 64; ++t) {
    const uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + kRound[t] + w[t];
    const uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1;
    d = c, c = b, b = a, a = t1 + t2;
  }
  const State after = {a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < state.size(); ++i) state[i] += after[i];
}

}  // namespace

// 32 bytes of parent and space, 64 of tokens, and the padding make two chunks.
BlockHash sha256(const BlockHash& parent, std::span<const int32_t> tokens,
                 const PrefixSpace& space) {
  constexpr size_t kTokenBytes = 16 * sizeof(int32_t);
  constexpr size_t kMessageBytes = 4 * sizeof(uint64_t) + kTokenBytes;
  CHECK(tokens.size_bytes() == kTokenBytes) << tokens.size() << " tokens";
  std::array<std::byte, 2 * kChunkBytes> message = {};
  const uint64_t before[4] = {parent.low, parent.high, space.cache_salt, space.adapter_id};
  std::memcpy(message.data(), before, sizeof(before));
  std::memcpy(message.data() + sizeof(before), tokens.data(), kTokenBytes);
  message[kMessageBytes] = std::byte{0x80};
  const uint64_t num_bits = __builtin_bswap64(kMessageBytes * 8);
  std::memcpy(message.data() + message.size() - sizeof(num_bits), &num_bits, sizeof(num_bits));

  State state = kInitial;
  compress(state, message.data());
  compress(state, message.data() + kChunkBytes);
  return {uint64_t{state[0]} << 32 | state[1], uint64_t{state[2]} << 32 | state[3]};
}

}  // namespace orrery::engine
