// One request, text to text: its parameters, what comes out, and who may watch it happen.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sampler/sampler.h"

namespace orrery::llm {

struct GenerationParams {
  sampler::SamplingParams sampling;
  int64_t max_tokens = 128;
  std::vector<std::string> stop;  // ends the text before the first of them
  bool include_stop_str_in_output = false;
  bool ignore_eos = false;
  bool skip_special_tokens = true;  // in the text; ids are always complete
};

enum class FinishReason { kStop, kLength, kAbort, kError };
std::string_view name_of(FinishReason reason);  // "stop", "length", "abort", "error"

// Log-probability of a prompt token given those before it.
struct PromptLogprob {
  sampler::TokenLogprob token;
  std::vector<sampler::TokenLogprob> top_logprobs;
};

struct Generation {
  std::vector<int32_t> prompt_token_ids;
  std::vector<int32_t> token_ids;  // with the token that ended it
  std::string text;
  FinishReason finish_reason = FinishReason::kLength;
  std::vector<sampler::SampledToken> tokens;  // as token_ids, with log-probabilities where asked
  std::vector<PromptLogprob>
      prompt_logprobs;  // of prompt tokens 1 .. n−1 (the first has none), where asked
  double prefill_seconds = 0;
  double decode_seconds = 0;
};

// Called on the generating thread as things happen. `trace` of a token is filled if wants_trace().
class GenerationObserver {
 public:
  virtual ~GenerationObserver() = default;
  virtual bool wants_trace() const { return false; }
  virtual void on_prefill_chunk(int64_t /*first*/, int64_t /*count*/, int64_t /*total*/,
                                double /*seconds*/) {}
  virtual void on_token(const sampler::SampledToken& /*token*/,
                        const sampler::SampleTrace& /*trace*/, double /*seconds*/) {}
  virtual void on_text(std::string_view /*released*/, std::string_view /*held_back*/) {}
  // Asked before each step: true ends the generation with kAbort.
  virtual bool aborted() const { return false; }
};

}  // namespace orrery::llm
