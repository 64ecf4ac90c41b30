// What the sampler must do, written the obvious way: sort everything, in double. For tests only.
//
// `margin` is how near any decision came to its threshold; where it is below 1e-6 the float
// arithmetic of the sampler may rightly decide otherwise, and a test passes over the case.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include "sampler/sampling_params.h"

namespace orrery::sampler {

struct ReferenceToken {
  int32_t id;
  float key;  // (logit - largest) / temperature in float, as documented
  double probability;
};

struct ReferenceDistribution {
  std::vector<ReferenceToken> tokens;  // descending by key, ties by ascending id
  double margin = 1;

  void renormalise() {
    double sum = 0;
    for (const auto& t : tokens) sum += std::exp(static_cast<double>(t.key));
    for (auto& t : tokens) t.probability = std::exp(static_cast<double>(t.key)) / sum;
  }

  // The smallest prefix of tokens (in the order that they stand in) with this probability.
  void keep_mass(double mass) {
    double sum = 0;
    size_t kept = 0;
    while (kept < tokens.size()) {
      sum += tokens[kept++].probability;
      margin = std::min(margin, std::abs(sum - mass));
      if (sum >= mass) break;
    }
    tokens.resize(kept);
  }

  int32_t draw(double uniform) {
    double sum = 0;
    for (const auto& t : tokens) {
      sum += t.probability;
      margin = std::min(margin, std::abs(sum - uniform));
      if (sum > uniform) return t.id;
    }
    return tokens.back().id;
  }
};

inline std::vector<float> reference_logits(std::vector<float> logits, const SamplingParams& p,
                                           const std::vector<int32_t>& prompt,
                                           const std::vector<int32_t>& output) {
  constexpr float kMasked = -std::numeric_limits<float>::infinity();
  if (p.allowed_token_ids) {
    const std::set<int32_t> allowed(p.allowed_token_ids->begin(), p.allowed_token_ids->end());
    for (size_t id = 0; id < logits.size(); ++id) {
      if (!allowed.count(static_cast<int32_t>(id))) logits[id] = kMasked;
    }
  }
  for (const auto& word : p.bad_words) {
    if (word.size() > output.size() + 1) continue;
    const std::vector<int32_t> prefix(word.begin(), word.end() - 1);
    const std::vector<int32_t> tail(output.end() - static_cast<std::ptrdiff_t>(prefix.size()),
                                    output.end());
    if (prefix == tail) logits[word.back()] = kMasked;
  }
  if (static_cast<int64_t>(output.size()) < p.min_tokens) {
    for (int32_t id : p.stop_token_ids) logits[id] = kMasked;
    for (int32_t id : p.eos_token_ids) logits[id] = kMasked;
  }
  for (const LogitBias& b : p.logit_bias) logits[b.id] += b.bias;

  std::map<int32_t, int> in_output;
  for (int32_t id : output) ++in_output[id];
  std::set<int32_t> in_context(prompt.begin(), prompt.end());
  in_context.insert(output.begin(), output.end());
  const auto repetition = static_cast<float>(p.repetition_penalty);
  for (int32_t id : in_context) {
    logits[id] = logits[id] > 0 ? logits[id] / repetition : logits[id] * repetition;
  }
  for (const auto& [id, count] : in_output) {
    logits[id] -= static_cast<float>(p.frequency_penalty) * static_cast<float>(count);
    logits[id] -= static_cast<float>(p.presence_penalty);
  }
  return logits;
}

inline ReferenceDistribution reference_distribution(const std::vector<float>& raw,
                                                    const SamplingParams& p,
                                                    const std::vector<int32_t>& prompt,
                                                    const std::vector<int32_t>& output) {
  const std::vector<float> logits = reference_logits(raw, p, prompt, output);
  const float max = *std::max_element(logits.begin(), logits.end());
  const auto inv_temperature = p.greedy() ? 1.0F : static_cast<float>(1 / p.temperature);
  ReferenceDistribution d;
  for (size_t id = 0; id < logits.size(); ++id) {
    const float key = (logits[id] - max) * inv_temperature;
    if (key >= -87) d.tokens.push_back({static_cast<int32_t>(id), key, 0});
  }
  const auto by_key = [](const ReferenceToken& a, const ReferenceToken& b) {
    return a.key > b.key || (a.key == b.key && a.id < b.id);
  };
  std::sort(d.tokens.begin(), d.tokens.end(), by_key);
  d.renormalise();
  if (p.greedy()) return d;

  if (p.min_p > 0) {
    std::vector<ReferenceToken> kept;
    const double threshold = p.min_p * d.tokens.front().probability;
    for (const auto& t : d.tokens) {
      if (t.key != 0) d.margin = std::min(d.margin, std::abs(t.probability / threshold - 1));
      if (t.key == 0 || t.probability >= threshold) kept.push_back(t);
    }
    d.tokens = kept;
    d.renormalise();
  }
  if (p.top_k > 0 && static_cast<size_t>(p.top_k) < d.tokens.size()) {
    d.tokens.resize(p.top_k);
    d.renormalise();
  }
  if (p.top_p < 1) {
    d.keep_mass(p.top_p);
    d.renormalise();
  }
  if (p.typical_p < 1) {
    double entropy = 0;
    for (const auto& t : d.tokens) entropy -= t.probability * std::log(t.probability);
    const auto deviation = [&](const ReferenceToken& t) {
      return std::abs(-std::log(t.probability) - entropy);
    };
    std::sort(d.tokens.begin(), d.tokens.end(), [&](const auto& a, const auto& b) {
      const double x = deviation(a), y = deviation(b);
      return x < y || (x == y && a.id < b.id);
    });
    for (size_t i = 1; i < d.tokens.size(); ++i) {
      if (d.tokens[i].key != d.tokens[i - 1].key) {
        d.margin = std::min(d.margin, deviation(d.tokens[i]) - deviation(d.tokens[i - 1]));
      }
    }
    d.keep_mass(p.typical_p);
    std::sort(d.tokens.begin(), d.tokens.end(), by_key);
    d.renormalise();
  }
  return d;
}

}  // namespace orrery::sampler
