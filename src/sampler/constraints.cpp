#include "sampler/constraints.h"

#include <algorithm>
#include <exception>
#include <limits>

namespace orrery::sampler {
namespace {

constexpr float kMasked = -std::numeric_limits<float>::infinity();

bool in_row(std::span<const float> logits, int32_t id) {
  return id >= 0 && static_cast<size_t>(id) < logits.size();
}

void mask_ids(std::span<float> logits, std::span<const int32_t> ids) {
  for (const int32_t id : ids) {
    if (in_row(logits, id)) logits[id] = kMasked;
  }
}

void mask_clear_bits(std::span<float> logits, std::span<const uint32_t> bits) {
  for (size_t word = 0; word < bits.size(); ++word) {
    if (bits[word] == ~uint32_t{0}) continue;
    const size_t begin = word * 32, end = std::min(begin + 32, logits.size());
    for (size_t id = begin; id < end; ++id) {
      if ((bits[word] >> (id - begin) & 1) == 0) logits[id] = kMasked;
    }
  }
}

size_t num_words(std::span<const float> logits) { return (logits.size() + 31) / 32; }

}  // namespace

Status apply_token_mask(std::span<float> logits, const TokenMask& mask,
                        std::vector<uint32_t>& bits) {
  bits.assign(num_words(logits), ~uint32_t{0});
  // Whatever goes wrong in one request's mask must end that request only.
  try {
    if (Status status = mask.apply(bits); !status.ok()) return status.with_context("token mask");
  } catch (const std::exception& error) {
    return {StatusCode::kInternal, fmt::format("token mask: {}", error.what())};
  } catch (...) {
    return {StatusCode::kInternal, "token mask: unknown exception"};
  }
  mask_clear_bits(logits, bits);
  return {};
}

void apply_allowed_token_ids(std::span<float> logits, std::span<const int32_t> allowed,
                             std::vector<uint32_t>& bits) {
  bits.assign(num_words(logits), 0);
  for (const int32_t id : allowed) {
    if (in_row(logits, id)) bits[id / 32] |= uint32_t{1} << (id % 32);
  }
  mask_clear_bits(logits, bits);
}

void apply_bad_words(std::span<float> logits, const SamplingParams& params,
                     std::span<const int32_t> output_ids) {
  for (const auto& word : params.bad_words) {
    if (word.empty() || word.size() - 1 > output_ids.size()) continue;
    const auto tail = output_ids.last(word.size() - 1);
    if (std::equal(tail.begin(), tail.end(), word.begin())) mask_ids(logits, {&word.back(), 1});
  }
}

void apply_min_tokens(std::span<float> logits, const SamplingParams& params,
                      std::span<const int32_t> output_ids) {
  if (static_cast<int64_t>(output_ids.size()) >= params.min_tokens) return;
  mask_ids(logits, params.stop_token_ids);
  mask_ids(logits, params.eos_token_ids);
}

void apply_logit_bias(std::span<float> logits, const SamplingParams& params) {
  for (const LogitBias& entry : params.logit_bias) {
    if (in_row(logits, entry.id)) logits[entry.id] += entry.bias;
  }
}

void apply_penalties(std::span<float> logits, const SamplingParams& params,
                     std::span<const int32_t> prompt_ids, std::span<const int32_t> output_ids,
                     std::vector<uint32_t>& counts) {
  const auto repetition = static_cast<float>(params.repetition_penalty);
  const auto frequency = static_cast<float>(params.frequency_penalty);
  const auto presence = static_cast<float>(params.presence_penalty);
  if (repetition == 1 && frequency == 0 && presence == 0) return;

  // A count's high bit says that the token occurs at all, the others how often in the output.
  constexpr uint32_t kOccurs = uint32_t{1} << 31;
  const auto prompt = repetition == 1 ? std::span<const int32_t>() : prompt_ids;
  for (const int32_t id : prompt) {
    if (in_row(logits, id)) counts[id] = kOccurs;
  }
  for (const int32_t id : output_ids) {
    if (in_row(logits, id)) counts[id] = (counts[id] | kOccurs) + 1;
  }
  const auto penalise = [&](int32_t id) {
    if (!in_row(logits, id) || counts[id] == 0) return;
    const uint32_t in_output = counts[id] & ~kOccurs;
    counts[id] = 0;
    float x = logits[id];
    x = x > 0 ? x / repetition : x * repetition;
    if (in_output > 0) {
      x -= frequency * static_cast<float>(in_output);
      x -= presence;
    }
    logits[id] = x;
  };
  for (const int32_t id : prompt) penalise(id);
  for (const int32_t id : output_ids) penalise(id);
}

}  // namespace orrery::sampler
