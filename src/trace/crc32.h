// CRC-32 as in zlib and Ethernet (reflected polynomial 0xEDB88320).
#pragma once

#include <cstdint>
#include <span>

namespace orrery::trace {

// Of `bytes` after those whose sum is `crc` (0 for none).
uint32_t crc32(std::span<const std::byte> bytes, uint32_t crc = 0);

}  // namespace orrery::trace
