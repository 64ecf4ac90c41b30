#include "tensor/quantise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "tensor/blocks.h"
#include "tensor/float16.h"

namespace orrery {
namespace {

constexpr float kLargestHalf = 65504;
// Larger than what any of these formats holds, and small enough to square and sum.
constexpr float kLargest = 1e9F;

// A scale as fp16 holds it: finite.
uint16_t half(float value) { return f32_to_f16(std::clamp(value, -kLargestHalf, kLargestHalf)); }

int rounded(float value, int low, int high) {
  return static_cast<int>(
      std::lrint(std::clamp(value, static_cast<float>(low), static_cast<float>(high))));
}

// The largest magnitude comes out exactly, as ±127 steps.
void quantise_block(const float* x, BlockQ8_0& block) {
  float largest = 0;
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::abs(x[i]));
  block.d = half(largest / 127);
  const float step = f16_to_f32(block.d);
  for (int i = 0; i < 32; ++i)
    block.q[i] = static_cast<int8_t>(step > 0 ? rounded(x[i] / step, -127, 127) : 0);
}

// The number of largest magnitude comes out as −8 steps, so that all of −8 .. 7 is used.
void quantise_block(const float* x, BlockQ4_0& block) {
  float extreme = 0;
  for (int i = 0; i < 32; ++i)
    if (std::abs(x[i]) > std::abs(extreme)) extreme = x[i];
  block.d = half(extreme / -8);
  const float step = f16_to_f32(block.d);
  const auto code = [&](float value) { return step != 0 ? rounded(value / step, -8, 7) + 8 : 8; };
  for (int i = 0; i < 16; ++i) block.q[i] = static_cast<uint8_t>(code(x[i]) | code(x[i + 16]) << 4);
}

constexpr int kSub = 32;
struct Line {  // x ≈ scale · q − minimum, both at least 0
  float scale = 0, minimum = 0;
};

// The line through codes q of x, by least squares weighted with w.
Line fit(const float* x, const float* w, const int* q) {
  double sw = 0, sq = 0, sqq = 0, sx = 0, sxq = 0;
  for (int i = 0; i < kSub; ++i) {
    const double weight = w[i], code = q[i], value = x[i];
    sw += weight;
    sq += weight * code;
    sqq += weight * code * code;
    sx += weight * value;
    sxq += weight * value * code;
  }
  const double det = sw * sqq - sq * sq;
  if (det <= 0) return {};
  Line line{static_cast<float>((sw * sxq - sq * sx) / det),
            static_cast<float>(-(sqq * sx - sq * sxq) / det)};
  if (line.minimum < 0) line = {sqq > 0 ? static_cast<float>(sxq / sqq) : 0.0F, 0};
  return line;
}

// 4-bit codes for a sub-block: several widths of the grid are tried, a line is fitted to the codes
// of each, and the one with the least weighted error is kept. Large numbers weigh more: they move
// sums the most.
Line best_line(const float* x) {
  float low = 0, high = x[0], squares = 0;
  for (int i = 0; i < kSub; ++i) {
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
    squares += x[i] * x[i];
  }
  if (!(high > low)) return {0, -low};
  std::array<float, kSub> w;
  const float typical = std::sqrt(squares / kSub);
  for (int i = 0; i < kSub; ++i) w[static_cast<size_t>(i)] = typical + std::abs(x[i]);
  Line best{(high - low) / 15, -low};
  float best_error = std::numeric_limits<float>::max();
  for (int attempt = 0; attempt <= 20; ++attempt) {
    const float steps = 14.0F + 0.1F * static_cast<float>(attempt);
    std::array<int, kSub> q;
    for (int i = 0; i < kSub; ++i)
      q[static_cast<size_t>(i)] = rounded((x[i] - low) * steps / (high - low), 0, 15);
    const Line line = fit(x, w.data(), q.data());
    if (!(line.scale > 0)) continue;
    float error = 0;
    for (int i = 0; i < kSub; ++i) {
      const auto at = static_cast<size_t>(i);
      const float miss = line.scale * static_cast<float>(q[at]) - line.minimum - x[i];
      error += w[at] * miss * miss;
    }
    if (error < best_error) {
      best_error = error;
      best = line;
    }
  }
  return best;
}

void quantise_block(const float* x, BlockQ4_K& block) {
  std::array<Line, 8> lines;
  Line largest;
  for (size_t s = 0; s < 8; ++s) {
    lines[s] = best_line(x + s * kSub);
    largest.scale = std::max(largest.scale, lines[s].scale);
    largest.minimum = std::max(largest.minimum, lines[s].minimum);
  }
  std::memset(&block, 0, sizeof(block));
  block.d = half(largest.scale / 63);
  block.dmin = half(largest.minimum / 63);
  const float d = f16_to_f32(block.d), dmin = f16_to_f32(block.dmin);
  for (size_t s = 0; s < 8; ++s) {
    const int scale = d > 0 ? rounded(lines[s].scale / d, 0, 63) : 0;
    const int minimum = dmin > 0 ? rounded(lines[s].minimum / dmin, 0, 63) : 0;
    if (s < 4) {
      block.scales[s] |= static_cast<uint8_t>(scale);
      block.scales[s + 4] |= static_cast<uint8_t>(minimum);
    } else {
      block.scales[s + 4] |= static_cast<uint8_t>((scale & 15) | (minimum & 15) << 4);
      block.scales[s - 4] |= static_cast<uint8_t>(scale >> 4 << 6);
      block.scales[s] |= static_cast<uint8_t>(minimum >> 4 << 6);
    }
    const float step = d * static_cast<float>(scale), offset = dmin * static_cast<float>(minimum);
    for (size_t i = 0; i < kSub && step > 0; ++i) {
      const int q = rounded((x[s * kSub + i] + offset) / step, 0, 15);
      block.q[s / 2 * 32 + i] |= static_cast<uint8_t>(q << (s % 2 * 4));
    }
  }
}

template <typename Block>
void quantise_blocks(std::span<const float> src, std::byte* out) {
  std::array<float, Block::kElements> x;
  for (size_t first = 0; first < src.size(); first += x.size()) {
    for (size_t i = 0; i < x.size(); ++i) {
      const float value = src[first + i];
      x[i] = std::isnan(value) ? 0 : std::clamp(value, -kLargest, kLargest);
    }
    Block block;
    quantise_block(x.data(), block);
    std::memcpy(out, &block, sizeof(block));
    out += sizeof(block);
  }
}

}  // namespace

bool can_quantise_to(DType dtype) {
  return dtype == DType::kQ8_0 || dtype == DType::kQ4_0 || dtype == DType::kQ4_K;
}

void quantise(DType dtype, std::span<const float> src, std::byte* out) {
  CHECK(can_quantise_to(dtype) && std::ssize(src) % info(dtype).block_elements == 0);
  if (dtype == DType::kQ8_0) return quantise_blocks<BlockQ8_0>(src, out);
  if (dtype == DType::kQ4_0) return quantise_blocks<BlockQ4_0>(src, out);
  quantise_blocks<BlockQ4_K>(src, out);
}

}  // namespace orrery
