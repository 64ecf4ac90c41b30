// SamplingParams: how one request turns logits into tokens. Names, defaults and meaning are vLLM's.
//
// A plain value: copy it freely between threads. `validate` is called once, where the request comes
// in; Sampler::sample takes validated parameters (and stays inside its row even with others).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/status.h"

namespace orrery::sampler {

// Below this temperature the most probable token is taken.
inline constexpr double kGreedyTemperature = 1e-5;

// From which distribution log-probabilities are reported.
enum class LogprobsMode {
  kRawLogprobs,        // of the model's logits, before any mask, penalty or temperature
  kProcessedLogprobs,  // of the distribution that is drawn from, after every step
};

struct LogitBias {
  int32_t id = 0;
  float bias = 0;  // added to the logit
};

struct SamplingParams {
  double temperature = 1.0;         // >= 0; divides the logits; below kGreedyTemperature: greedy
  double top_p = 1.0;               // (0, 1]: keep the smallest set with this probability; 1: off
  int32_t top_k = 0;                // keep this many; 0 or -1: off
  double min_p = 0.0;               // [0, 1]: keep p >= min_p * largest p; 0: off
  double typical_p = 1.0;           // (0, 1]: as top_p, the most typical tokens first; 1: off
  double frequency_penalty = 0.0;   // [-2, 2]: subtracted once per occurrence in the output
  double presence_penalty = 0.0;    // [-2, 2]: subtracted if the output has the token
  double repetition_penalty = 1.0;  // > 0: divides positive, multiplies negative logits of tokens
                                    // that the prompt or the output has; 1: off

  std::vector<LogitBias> logit_bias = {};
  std::optional<std::vector<int32_t>> allowed_token_ids = {};  // only these, if given
  // Token sequences. The last token of one is forbidden while the output ends with those before it.
  // As in vLLM the prompt is not looked at: a word begun by the prompt may be completed.
  std::vector<std::vector<int32_t>> bad_words = {};

  int32_t min_tokens = 0;  // stop_token_ids and eos_token_ids cannot be drawn before so many tokens
  std::vector<int32_t> stop_token_ids = {};
  std::vector<int32_t> eos_token_ids =
      {};  // the model's, set by the engine whatever ignore_eos says

  // As the client gave it. Whoever makes the request resolves it to SampleInput::seed, another one
  // for each of `n` sequences.
  std::optional<int64_t> seed = {};

  // Log-probabilities to report per token: nothing if absent, 0 the chosen token alone, K also the
  // K most probable ones, -1 all.
  std::optional<int32_t> logprobs = {};
  std::optional<int32_t> prompt_logprobs = {};
  LogprobsMode logprobs_mode = LogprobsMode::kRawLogprobs;

  bool greedy() const { return temperature < kGreedyTemperature; }
};

// Ranges, ids outside [0, vocab_size), and contradictions that would leave no token to draw.
// Errors: kInvalidArgument, "<parameter>: expected ..., got ...".
Status validate(const SamplingParams& params, int64_t vocab_size);

}  // namespace orrery::sampler
