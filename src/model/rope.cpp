#include "model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace orrery::model {
namespace {

using Type = RopeConfig::Type;

// theta^(−2i/d)
std::vector<double> plain_frequencies(double theta, int64_t d) {
  std::vector<double> freq(static_cast<size_t>(d / 2));
  for (size_t i = 0; i < freq.size(); ++i) {
    freq[i] = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(d));
  }
  return freq;
}

double dynamic_theta(const ModelConfig& c) {
  const auto trained = static_cast<double>(c.max_position_embeddings);
  const double length = std::max(static_cast<double>(c.max_model_len), trained);
  const auto d = static_cast<double>(c.head_dim);
  return c.rope.theta *
         std::pow(c.rope.factor * length / trained - (c.rope.factor - 1), d / (d - 2));
}

// Wavelengths below trained / high_freq_factor stay, those above trained / low_freq_factor are
// divided, those between are blended.
void scale_llama3(const RopeConfig& r, std::vector<double>& freq) {
  const auto trained = static_cast<double>(r.original_max_position_embeddings);
  for (double& f : freq) {
    const double wavelength = 2 * std::numbers::pi / f;
    if (wavelength < trained / r.high_freq_factor) continue;
    // Factors that are equal leave nothing between.
    if (wavelength > trained / r.low_freq_factor || r.high_freq_factor == r.low_freq_factor) {
      f /= r.factor;
    } else {
      const double smooth =
          (trained / wavelength - r.low_freq_factor) / (r.high_freq_factor - r.low_freq_factor);
      f = (1 - smooth) * f / r.factor + smooth * f;
    }
  }
}

// Dimensions that turn often within the trained length (before `low`) keep their frequency, slow
// ones (after `high`) are divided.
void scale_yarn(const RopeConfig& r, int64_t d, std::vector<double>& freq) {
  const auto dimension_of = [&](double rotations) {
    const double length = static_cast<double>(r.original_max_position_embeddings) /
                          (rotations * 2 * std::numbers::pi);
    return static_cast<double>(d) * std::log(length) / (2 * std::log(r.theta));
  };
  double low = dimension_of(r.beta_fast), high = dimension_of(r.beta_slow);
  if (r.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(d - 1));
  if (low == high) high += 0.001;
  for (size_t i = 0; i < freq.size(); ++i) {
    const double divided = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    freq[i] = freq[i] / r.factor * divided + freq[i] * (1 - divided);
  }
}

double yarn_attention_factor(const RopeConfig& r) {
  const auto scale = [&](double mscale) {
    return r.factor <= 1 ? 1.0 : 0.1 * mscale * std::log(r.factor) + 1;
  };
  if (r.attention_factor) return *r.attention_factor;
  if (r.mscale.value_or(0) != 0 && r.mscale_all_dim.value_or(0) != 0)
    return scale(*r.mscale) / scale(*r.mscale_all_dim);
  return scale(1);
}

}  // namespace

Rope::Rope(const ModelConfig& config) {
  const RopeConfig& r = config.rope;
  std::vector<double> freq = plain_frequencies(
      r.type == Type::kDynamic ? dynamic_theta(config) : r.theta, config.head_dim);
  if (r.type == Type::kLinear) {
    for (double& f : freq) f /= r.factor;
  } else if (r.type == Type::kLlama3) {
    scale_llama3(r, freq);
  } else if (r.type == Type::kYarn) {
    scale_yarn(r, config.head_dim, freq);
    attention_factor_ = static_cast<float>(yarn_attention_factor(r));
  }
  for (size_t i = 0; i < r.factors.size() && i < freq.size(); ++i) {
    freq[i] /= static_cast<double>(r.factors[i]);
  }
  inv_freq_.assign(freq.begin(), freq.end());
}

void Rope::angles(std::span<const int32_t> positions, Tensor out) const {
  const size_t half = inv_freq_.size();
  float* row = out.f32().data();
  for (const int32_t position : positions) {
    for (size_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(position) * inv_freq_[i];
      row[i] = static_cast<float>(std::cos(static_cast<double>(angle))) * attention_factor_;
      row[half + i] = static_cast<float>(std::sin(static_cast<double>(angle))) * attention_factor_;
    }
    row += 2 * half;
  }
}

}  // namespace orrery::model
