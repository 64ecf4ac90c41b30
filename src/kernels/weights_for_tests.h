// Random numbers and random valid weights in every format, for tests.
#pragma once

#include <cstring>
#include <initializer_list>
#include <optional>
#include <vector>

#include "base/random.h"
#include "kernels/kernels.h"
#include "tensor/float16.h"

namespace orrery::kernels {

inline constexpr DType kWeightFormats[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0,
                                           DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                                           DType::kQ2_K, DType::kQ3_K, DType::kQ4_K, DType::kQ5_K,
                                           DType::kQ6_K};

// A stream of reproducible numbers.
class TestRandom {
 public:
  explicit TestRandom(uint64_t seed) : seed_(seed) {}
  double uniform() { return uniform_double(seed_, position_++); }  // [0, 1)
  int64_t below(int64_t n) { return static_cast<int64_t>(uniform() * static_cast<double>(n)); }
  float symmetric(float limit = 1) { return static_cast<float>((2 * uniform() - 1) * limit); }
  std::vector<float> floats(int64_t n, float limit = 1) {
    std::vector<float> out(static_cast<size_t>(n));
    for (float& value : out) value = symmetric(limit);
    return out;
  }

 private:
  uint64_t seed_;
  uint64_t position_ = 0;
};

// Source rows as a checkpoint has them. Block formats are random bytes with fp16 factors of both
// signs between 2^-9 and 2^-5, here and there zero or subnormal; or all bytes but those `fill`.
class TestWeights {
 public:
  TestWeights(DType dtype, int64_t n, int64_t k, uint64_t seed, std::optional<int> fill = {})
      : dtype_(dtype), n_(n), k_(k), bytes_(static_cast<size_t>(n * row_bytes(dtype, k))) {
    TestRandom random(seed);
    if (!is_quantised(dtype)) {
      for (int64_t i = 0; i < n * k; ++i) put_number(i, random.symmetric());
      return;
    }
    for (std::byte& byte : bytes_) byte = static_cast<std::byte>(fill ? *fill : random.below(256));
    const auto block = static_cast<size_t>(info(dtype).block_bytes);
    for (size_t at = 0; at < bytes_.size(); at += block)
      for (const size_t offset : factor_offsets()) put_factor(at + offset, random);
  }

  const std::byte* row(int64_t i) const { return bytes_.data() + i * row_bytes(dtype_, k_); }
  WeightRows rows() const {
    return {dtype_, n_, k_, [this](int64_t i) { return row(i); }};
  }

 private:
  std::initializer_list<size_t> factor_offsets() const {
    switch (dtype_) {
      case DType::kQ4_1:
      case DType::kQ5_1:
      case DType::kQ4_K:
      case DType::kQ5_K: {
        static constexpr std::initializer_list<size_t> kTwo = {0, 2};
        return kTwo;
      }
      case DType::kQ2_K: {
        static constexpr std::initializer_list<size_t> kEnd = {80, 82};
        return kEnd;
      }
      case DType::kQ3_K: {
        static constexpr std::initializer_list<size_t> kEnd = {108};
        return kEnd;
      }
      case DType::kQ6_K: {
        static constexpr std::initializer_list<size_t> kEnd = {208};
        return kEnd;
      }
      default: {
        static constexpr std::initializer_list<size_t> kOne = {0};
        return kOne;
      }
    }
  }

  void put_factor(size_t at, TestRandom& random) {
    const int64_t kind = random.below(50);
    const float sign = random.below(2) == 0 ? 1.0F : -1.0F;
    const float size = kind == 0 ? 0.0F : kind == 1 ? 0x1p-20F : 0x1p-9F;
    const uint16_t half = f32_to_f16(sign * size * (1 + 15 * static_cast<float>(random.uniform())));
    std::memcpy(bytes_.data() + at, &half, 2);
  }

  void put_number(int64_t i, float value) {
    const uint16_t half = dtype_ == DType::kF16 ? f32_to_f16(value) : f32_to_bf16(value);
    if (dtype_ == DType::kF32)
      std::memcpy(bytes_.data() + 4 * i, &value, 4);
    else
      std::memcpy(bytes_.data() + 2 * i, &half, 2);
  }

  DType dtype_;
  int64_t n_, k_;
  std::vector<std::byte> bytes_;
};

inline Tensor view(std::vector<float>& data, Shape shape) {
  return {DType::kF32, shape, data.data()};
}

}  // namespace orrery::kernels
