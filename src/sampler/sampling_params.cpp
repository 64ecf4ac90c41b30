#include "sampler/sampling_params.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <string_view>

namespace orrery::sampler {
namespace {

Status expected(std::string_view name, std::string_view what, auto got) {
  return invalid_argument("{}: expected {}, got {}", name, what, got);
}

Status check_ids(std::string_view name, std::span<const int32_t> ids, int64_t vocab_size) {
  for (const int32_t id : ids) {
    if (id < 0 || id >= vocab_size) {
      return invalid_argument("{}: expected token ids from 0 to {}, got {}", name, vocab_size - 1,
                              id);
    }
  }
  return {};
}

// The comparisons are written so that NaN fails them.
Status check_filters(const SamplingParams& p) {
  if (!(p.temperature >= 0 && std::isfinite(p.temperature))) {
    return expected("temperature", "a finite number of at least 0", p.temperature);
  }
  if (!(p.top_p > 0 && p.top_p <= 1)) {
    return expected("top_p", "a number above 0 and at most 1", p.top_p);
  }
  if (p.top_k < -1) return expected("top_k", "at least 1, or 0 or -1 for no limit", p.top_k);
  if (!(p.min_p >= 0 && p.min_p <= 1)) return expected("min_p", "a number from 0 to 1", p.min_p);
  if (!(p.typical_p > 0 && p.typical_p <= 1)) {
    return expected("typical_p", "a number above 0 and at most 1", p.typical_p);
  }
  return {};
}

Status check_penalties(const SamplingParams& p) {
  if (!(std::abs(p.frequency_penalty) <= 2)) {
    return expected("frequency_penalty", "a number from -2 to 2", p.frequency_penalty);
  }
  if (!(std::abs(p.presence_penalty) <= 2)) {
    return expected("presence_penalty", "a number from -2 to 2", p.presence_penalty);
  }
  // It is applied as a float, in which 1e-46 would be 0 and 1e39 infinite.
  const auto penalty = static_cast<float>(p.repetition_penalty);
  if (!(penalty > 0 && std::isfinite(penalty))) {
    return expected("repetition_penalty", "a finite number above 0", p.repetition_penalty);
  }
  return {};
}

Status check_logprobs(std::string_view name, const std::optional<int32_t>& count,
                      int64_t vocab_size) {
  if (count && (*count < -1 || *count > vocab_size)) {
    return invalid_argument("{}: expected from 0 to {}, or -1 for all, got {}", name, vocab_size,
                            *count);
  }
  return {};
}

Status check_logit_bias(const SamplingParams& p, int64_t vocab_size) {
  std::vector<int32_t> ids;
  ids.reserve(p.logit_bias.size());
  for (const LogitBias& entry : p.logit_bias) {
    if (!std::isfinite(entry.bias)) {
      return invalid_argument("logit_bias: expected a finite bias for token {}, got {}", entry.id,
                              entry.bias);
    }
    ids.push_back(entry.id);
  }
  RETURN_IF_ERROR(check_ids("logit_bias", ids, vocab_size));
  std::sort(ids.begin(), ids.end());
  const auto twice = std::adjacent_find(ids.begin(), ids.end());
  if (twice != ids.end()) {
    return invalid_argument("logit_bias: expected each token id once, got {} twice", *twice);
  }
  return {};
}

// Allowed ids of which none can ever be drawn, or none before `min_tokens`.
Status check_allowed(const SamplingParams& p, int64_t vocab_size) {
  if (!p.allowed_token_ids) return {};
  const std::vector<int32_t>& allowed = *p.allowed_token_ids;
  if (allowed.empty()) return expected("allowed_token_ids", "at least one token id", "none");
  RETURN_IF_ERROR(check_ids("allowed_token_ids", allowed, vocab_size));

  std::vector<int32_t> forbidden;
  for (const auto& word : p.bad_words) {
    if (word.size() == 1) forbidden.push_back(word.front());
  }
  if (p.min_tokens > 0) {
    forbidden.insert(forbidden.end(), p.stop_token_ids.begin(), p.stop_token_ids.end());
    forbidden.insert(forbidden.end(), p.eos_token_ids.begin(), p.eos_token_ids.end());
  }
  std::sort(forbidden.begin(), forbidden.end());
  const bool any_left = std::any_of(allowed.begin(), allowed.end(), [&](int32_t id) {
    return !std::binary_search(forbidden.begin(), forbidden.end(), id);
  });
  if (!any_left) {
    return expected("allowed_token_ids", "an id that bad_words and min_tokens do not forbid",
                    "only forbidden ones");
  }
  return {};
}

}  // namespace

Status validate(const SamplingParams& p, int64_t vocab_size) {
  RETURN_IF_ERROR(check_filters(p));
  RETURN_IF_ERROR(check_penalties(p));
  RETURN_IF_ERROR(check_logprobs("logprobs", p.logprobs, vocab_size));
  RETURN_IF_ERROR(check_logprobs("prompt_logprobs", p.prompt_logprobs, vocab_size));
  if (p.min_tokens < 0) return expected("min_tokens", "at least 0", p.min_tokens);
  RETURN_IF_ERROR(check_ids("stop_token_ids", p.stop_token_ids, vocab_size));
  RETURN_IF_ERROR(check_ids("eos_token_ids", p.eos_token_ids, vocab_size));
  RETURN_IF_ERROR(check_logit_bias(p, vocab_size));
  for (const auto& word : p.bad_words) {
    if (word.empty()) return expected("bad_words", "at least one token id per word", "none");
    RETURN_IF_ERROR(check_ids("bad_words", word, vocab_size));
  }
  return check_allowed(p, vocab_size);
}

}  // namespace orrery::sampler
