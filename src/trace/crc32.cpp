#include "trace/crc32.h"

#include <array>

namespace orrery::trace {
namespace {

constexpr std::array<uint32_t, 256> make_table() {
  std::array<uint32_t, 256> table = {};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t sum = byte;
    for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ ((sum & 1) != 0 ? 0xEDB88320U : 0U);
    table[byte] = sum;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kTable = make_table();

}  // namespace

uint32_t crc32(std::span<const std::byte> bytes, uint32_t crc) {
  uint32_t sum = ~crc;
  for (const std::byte byte : bytes) {
    sum = (sum >> 8) ^ kTable[(sum ^ std::to_integer<uint32_t>(byte)) & 0xFF];
  }
  return ~sum;
}

}  // namespace orrery::trace
