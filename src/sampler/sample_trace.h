// SampleTrace: what happened to the most probable tokens of one row, for `run --stages` and the
// live page. Filled only on request; a call with a trace draws the same token as one without.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace orrery::sampler {

// The steps that can take a token out, in the order in which they are applied.
enum class Filter : uint8_t {
  kNone,  // still in when the token was drawn
  kGrammar,
  kAllowedTokenIds,
  kBadWords,
  kMinTokens,
  kGreedy,  // not the most probable one
  kMinP,
  kTopK,
  kTopP,
  kTypicalP,
};
std::string_view name_of(Filter filter);  // "grammar", "allowed_token_ids", ...; "" for kNone

struct TracedToken {
  int32_t id = 0;
  float raw_logit = 0;           // as the model gave it; may be infinite
  float logit = 0;               // after bias and penalties; -infinity if masked
  double probability = 0;        // after temperature (1 if greedy), before min_p
  double final_probability = 0;  // of being drawn
  Filter cut_by = Filter::kNone;
};

struct SampleTrace {
  int32_t num_tokens = 12;  // in: how many of the largest raw logits to follow

  bool greedy = false;
  // The draw, unless greedy: `uniform` in [0, 1) fell into the drawn token's part
  // [drawn_begin, drawn_end) of the final probabilities, stacked from the most probable token on.
  double uniform = 0;
  double drawn_begin = 0;
  double drawn_end = 1;
  // Tokens left after masks, bad words and min_tokens, and after each filter.
  int32_t after_masks = 0;
  int32_t after_min_p = 0;
  int32_t after_top_k = 0;
  int32_t after_top_p = 0;
  int32_t after_typical_p = 0;
  // Descending by raw logit, ties by ascending id; the drawn token is appended if it is not among
  // them.
  std::vector<TracedToken> tokens = {};
};

}  // namespace orrery::sampler
