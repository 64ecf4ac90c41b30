#include "kernels/packed.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "tensor/blocks.h"
#include "tensor/float16.h"

namespace orrery::kernels {
namespace {

constexpr int kLanes = 16;  // outputs of half a panel: one 64-byte vector of 4-byte lanes

uint8_t* bytes_of(std::byte* data) { return reinterpret_cast<uint8_t*>(data); }

bool is_plain(DType dtype) { return !is_quantised(dtype); }

// Byte lane of (output, input) in a 64-byte vector.
int byte_lane(int output, int k) { return output % kLanes * 4 + k % 4; }

// Writes the codes of one output's sub-block into its planes, which are zero there.
template <int kBits>
void put_codes(uint8_t* planes, int sub_block, int output, const int8_t* q, int offset) {
  constexpr int kLow = kBits >= 8 ? 8 : kBits >= 4 ? 4 : 2;
  const int half = output / kLanes;
  uint8_t* high_plane = planes + sub_block * kLow * 4;
  for (int k = 0; k < sub_block; ++k) {
    const int code = q[k] + offset, lane = byte_lane(output, k), g = k / 4;
    const int low = code & ((1 << kLow) - 1), high = code >> kLow;
    const int pair = ((g / 4) * 2 + half) * 64 + lane;  // of a Q2 plane
    if constexpr (kLow == 8) planes[(g * 2 + half) * 64 + lane] = static_cast<uint8_t>(low);
    if constexpr (kLow == 4) planes[g * 64 + lane] |= static_cast<uint8_t>(low << (4 * half));
    if constexpr (kLow == 2) planes[pair] |= static_cast<uint8_t>(low << (2 * (g % 4)));
    if constexpr (kBits - kLow == 2)
      high_plane[pair] |= static_cast<uint8_t>(high << (2 * (g % 4)));
    if constexpr (kBits - kLow == 1)
      high_plane[g / 4 * 64 + lane] |= static_cast<uint8_t>(high << (2 * (g % 4) + half));
  }
}

void put_codes(int bits, uint8_t* planes, int sub_block, int output, const int8_t* q, int offset) {
  switch (bits) {
    case 8:
      return put_codes<8>(planes, sub_block, output, q, offset);
    case 6:
      return put_codes<6>(planes, sub_block, output, q, offset);
    case 5:
      return put_codes<5>(planes, sub_block, output, q, offset);
    case 4:
      return put_codes<4>(planes, sub_block, output, q, offset);
    case 3:
      return put_codes<3>(planes, sub_block, output, q, offset);
    case 2:
      return put_codes<2>(planes, sub_block, output, q, offset);
    default:
      CHECK(false) << bits << "-bit codes";
  }
}

// The reverse of put_codes for one number.
int get_code(int bits, const uint8_t* planes, int sub_block, int output, int k) {
  const int lane = byte_lane(output, k), g = k / 4, half = output / kLanes;
  const int pair = ((g / 4) * 2 + half) * 64 + lane;
  if (bits == 8) return planes[(g * 2 + half) * 64 + lane];
  const int low_bits = bits >= 4 ? 4 : 2;
  const uint8_t* high_plane = planes + sub_block * low_bits * 4;
  const int low =
      low_bits == 4 ? planes[g * 64 + lane] >> (4 * half) & 15 : planes[pair] >> (2 * (g % 4)) & 3;
  const int high = bits - low_bits == 2 ? high_plane[pair] >> (2 * (g % 4)) & 3
                   : bits - low_bits == 1
                       ? high_plane[g / 4 * 64 + lane] >> (2 * (g % 4) + half) & 1
                       : 0;
  return low | high << low_bits;
}

// The scales of a block as it stores them: fp16 factors, and the integers of the K formats.
struct RawScales {
  uint16_t d = 0, m = 0;  // m: minimum of the _1 formats, dmin of the K formats
  std::array<uint8_t, 16> scale{}, minimum{};
};

template <typename Block>
Block load(const std::byte* src) {
  Block block;
  std::memcpy(&block, src, sizeof(block));
  return block;
}

// Q4_K and Q5_K: eight 6-bit pairs in 12 bytes.
template <typename Block>
RawScales six_bit_pairs(const Block& b) {
  RawScales raw{b.d, b.dmin, {}, {}};
  for (size_t s = 0; s < 8; ++s) {
    const uint8_t* p = b.scales;
    raw.scale[s] = s < 4 ? p[s] & 63 : (p[s + 4] & 15) | (p[s - 4] >> 6) << 4;
    raw.minimum[s] = s < 4 ? p[s + 4] & 63 : p[s + 4] >> 4 | (p[s] >> 6) << 4;
  }
  return raw;
}

RawScales raw_scales(DType dtype, const std::byte* block) {
  RawScales raw;
  switch (dtype) {
    case DType::kQ2_K: {
      const auto b = load<BlockQ2_K>(block);
      raw = {b.d, b.dmin, {}, {}};
      std::memcpy(raw.scale.data(), b.scales, 16);  // scale | minimum << 4, as packed
      return raw;
    }
    case DType::kQ3_K: {
      const auto b = load<BlockQ3_K>(block);
      raw.d = b.d;
      for (size_t s = 0; s < 16; ++s) {
        const int low = s < 8 ? b.scales[s] & 15 : b.scales[s - 8] >> 4;
        const int high = b.scales[8 + s % 4] >> (s / 4 * 2) & 3;
        raw.scale[s] = static_cast<uint8_t>((low | high << 4) - 32);
      }
      return raw;
    }
    case DType::kQ4_K:
      return six_bit_pairs(load<BlockQ4_K>(block));
    case DType::kQ5_K:
      return six_bit_pairs(load<BlockQ5_K>(block));
    case DType::kQ6_K: {
      const auto b = load<BlockQ6_K>(block);
      raw.d = b.d;
      std::memcpy(raw.scale.data(), b.scales, 16);
      return raw;
    }
    default:  // d, and m in the _1 formats, are the first members
      std::memcpy(&raw.d, block, 2);
      if (packed_layout(dtype).minimum) std::memcpy(&raw.m, block + 2, 2);
      return raw;
  }
}

// One block of one output into its group.
void pack_block(DType dtype, const PackedLayout& layout, const std::byte* block, int output,
                uint8_t* group) {
  UnpackedBlock unpacked;
  unpack_block(dtype, block, unpacked);
  const RawScales raw = raw_scales(dtype, block);
  std::memcpy(group + output * 2, &raw.d, 2);
  if (layout.minimum) std::memcpy(group + 64 + output * 2, &raw.m, 2);
  uint8_t* sub = group + layout.group_header_bytes();
  for (int s = 0; s < layout.group / layout.sub_block; ++s, sub += layout.sub_bytes()) {
    if (layout.sub_header_bytes() > 0) sub[output] = raw.scale[static_cast<size_t>(s)];
    if (layout.sub_header_bytes() > 32) sub[32 + output] = raw.minimum[static_cast<size_t>(s)];
    put_codes(layout.bits, sub + layout.sub_header_bytes(), layout.sub_block, output,
              unpacked.q + s * layout.sub_block, layout.offset());
  }
}

// Where element k of an output of a plain format lies in its panel, in elements of `kBytes` bytes.
template <size_t kBytes>
int64_t plain_place(int64_t k, int output) {
  constexpr int64_t kGroup = packed_layout(kBytes == 4 ? DType::kF32 : DType::kBF16).group;
  return (k / kGroup * kPanelWidth + output) * kGroup + kGroup - 1 - k % kGroup;
}

// The outputs of a panel of a plain format, elements being as wide as Bits. By blocks of inputs, so
// that the part of the panel that all outputs write stays in the first-level cache.
template <typename Bits>
void pack_plain(const WeightRows& rows, int64_t first, int64_t outputs, Bits* panel) {
  constexpr int64_t kBlock = 128, kBytes = sizeof(Bits);
  for (int64_t begin = 0; begin < rows.k; begin += kBlock) {
    const int64_t end = std::min(begin + kBlock, rows.k);
    for (int output = 0; output < outputs; ++output) {
      const std::byte* row = rows.row(first + output);
      for (int64_t i = begin; i < end; ++i)
        std::memcpy(panel + plain_place<sizeof(Bits)>(i, output), row + i * kBytes, sizeof(Bits));
    }
  }
}

// Scale and minimum of output `output` in sub-block `sub` of a group, as unpack_block gives them.
void scale_and_minimum(const PackedLayout& layout, const uint8_t* group, const uint8_t* sub,
                       bool signed_scale, int output, float& scale, float& minimum) {
  uint16_t half = 0;
  std::memcpy(&half, group + output * 2, 2);
  scale = f16_to_f32(half);
  minimum = 0;
  if (layout.minimum) {
    std::memcpy(&half, group + 64 + output * 2, 2);
    minimum = f16_to_f32(half);
  }
  if (!layout.super_blocks) {
    if (layout.minimum) minimum = -minimum;  // the _1 formats add m
    return;
  }
  if (layout.bits == 2) {
    scale *= static_cast<float>(sub[output] & 15);
    minimum *= static_cast<float>(sub[output] >> 4);
    return;
  }
  scale *= signed_scale ? static_cast<float>(static_cast<int8_t>(sub[output]))
                        : static_cast<float>(sub[output]);
  if (layout.minimum) minimum *= static_cast<float>(sub[32 + output]);
}

// Calls put(k, q, scale, minimum) for every number of one output's group.
template <typename Put>
void for_each_number(const PackedLayout& layout, const uint8_t* group, int output, const Put& put) {
  const uint8_t* sub = group + layout.group_header_bytes();
  const int n = layout.sub_block;
  for (int s = 0; s < layout.group / n; ++s, sub += layout.sub_bytes()) {
    float scale = 0, minimum = 0;
    scale_and_minimum(layout, group, sub, !layout.minimum, output, scale, minimum);
    for (int k = 0; k < n; ++k) {
      const int code = get_code(layout.bits, sub + layout.sub_header_bytes(), n, output, k);
      put(s * n + k, code - layout.offset(), scale, minimum);
    }
  }
}

// The same for all groups of row n of the matrix.
template <typename Put>
void for_each_number(const PackedMatrix& w, int64_t n, const Put& put) {
  CHECK(n >= 0 && n < w.n);
  const PackedLayout layout = packed_layout(w.dtype);
  const uint8_t* group = bytes_of(w.data.data()) + n / kPanelWidth * panel_bytes(w.dtype, w.k);
  for (int64_t k = 0; k < w.k; k += layout.group, group += layout.group_bytes())
    for_each_number(layout, group, static_cast<int>(n % kPanelWidth),
                    [&](int i, int q, float scale, float minimum) {
                      put(static_cast<size_t>(k + i), q, scale, minimum);
                    });
}

}  // namespace

int64_t panel_bytes(DType dtype, int64_t k) {
  const PackedLayout layout = packed_layout(dtype);
  CHECK(layout.group > 0) << name(dtype) << " is no weight format";
  const int64_t groups = (k + layout.group - 1) / layout.group;
  if (is_plain(dtype)) return groups * layout.group * kPanelWidth * info(dtype).block_bytes;
  return groups * layout.group_bytes();
}

Result<PackedMatrix> allocate_panels(const WeightRows& rows) {
  if (packed_layout(rows.dtype).group == 0)
    return unsupported("{} as a weight format", name(rows.dtype));
  if (rows.n <= 0 || rows.k <= 0)
    return invalid_argument("a weight matrix needs rows and columns, got [{}, {}]", rows.n, rows.k);
  const int64_t block = info(rows.dtype).block_elements;
  if (rows.k % block != 0)
    return invalid_argument("a row of {} has a multiple of {} elements, got {}", name(rows.dtype),
                            block, rows.k);
  // A panel takes at most 132 bytes for each input (f32 and rounding up).
  int64_t bytes = 0;
  if (rows.k > INT64_MAX / 256 || rows.n > INT64_MAX - kPanelWidth ||
      __builtin_mul_overflow(num_panels(rows.n), panel_bytes(rows.dtype, rows.k), &bytes))
    return resource_exhausted("a weight matrix [{}, {}] does not fit the address space", rows.n,
                              rows.k);
  PackedMatrix w{rows.dtype, rows.n, rows.k, {}};
  ASSIGN_OR_RETURN(w.data, Buffer::allocate(static_cast<size_t>(bytes)));
  return w;
}

void pack_panel(const WeightRows& rows, int64_t panel, PackedMatrix& w) {
  const PackedLayout layout = packed_layout(w.dtype);
  const auto [_, block_elements, block_bytes] = info(w.dtype);
  const int64_t bytes = panel_bytes(w.dtype, w.k);
  const int64_t group_bytes = layout.group_bytes();
  uint8_t* out = bytes_of(w.data.data()) + panel * bytes;
  const int64_t first = panel * kPanelWidth;
  const int64_t outputs = std::min(kPanelWidth, w.n - first);
  if (w.dtype == DType::kF32)
    return pack_plain(rows, first, outputs, reinterpret_cast<uint32_t*>(out));
  if (is_plain(w.dtype)) return pack_plain(rows, first, outputs, reinterpret_cast<uint16_t*>(out));
  for (int output = 0; output < outputs; ++output) {
    const std::byte* row = rows.row(first + output);
    for (int64_t b = 0; b < w.k / block_elements; ++b)
      pack_block(w.dtype, layout, row + b * block_bytes, output, out + b * group_bytes);
  }
}

Result<PackedMatrix> pack_panels(const WeightRows& rows) {
  ASSIGN_OR_RETURN(PackedMatrix w, allocate_panels(rows));
  for (int64_t panel = 0; panel < num_panels(w.n); ++panel) pack_panel(rows, panel, w);
  return w;
}

void unpack_codes(const PackedMatrix& w, int64_t n, PackedRow& out) {
  const auto sub_block = static_cast<size_t>(packed_layout(w.dtype).sub_block);
  out.q.resize(static_cast<size_t>(w.k));
  out.scale.resize(static_cast<size_t>(w.k) / sub_block);
  out.minimum.resize(out.scale.size());
  for_each_number(w, n, [&](size_t k, int q, float scale, float minimum) {
    out.q[k] = q;
    out.scale[k / sub_block] = scale;
    out.minimum[k / sub_block] = minimum;
  });
}

void unpack_row(const PackedMatrix& w, int64_t n, std::span<float> out) {
  CHECK(n >= 0 && n < w.n && static_cast<int64_t>(out.size()) == w.k);
  if (!is_plain(w.dtype)) {
    return for_each_number(w, n, [&](size_t k, int q, float scale, float minimum) {
      out[k] = scale * static_cast<float>(q) - minimum;
    });
  }
  const int output = static_cast<int>(n % kPanelWidth);
  const uint8_t* panel = bytes_of(w.data.data()) + n / kPanelWidth * panel_bytes(w.dtype, w.k);
  const auto* words = reinterpret_cast<const float*>(panel);
  const auto* halves = reinterpret_cast<const uint16_t*>(panel);
  for (int64_t i = 0; i < w.k; ++i) {
    float& number = out[static_cast<size_t>(i)];
    if (w.dtype == DType::kF32)
      number = words[plain_place<4>(i, output)];
    else if (w.dtype == DType::kF16)
      number = f16_to_f32(halves[plain_place<2>(i, output)]);
    else
      number = bf16_to_f32(halves[plain_place<2>(i, output)]);
  }
}

}  // namespace orrery::kernels
