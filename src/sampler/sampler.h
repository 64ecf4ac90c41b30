// Sampler: one row of logits and one request's parameters → a token and its log-probabilities.
//
// The steps, in this order (vLLM's):
//   grammar mask, allowed_token_ids → bad_words → min_tokens, logit_bias → repetition, frequency,
//   presence penalty → greedy exit → temperature → min_p → top_k → top_p → typical_p → draw.
// Each filter sees the probabilities renormalised over what the one before left, and always leaves
// a token. typical_p, which vLLM lacks, stands where Hugging Face transformers has it: last.
//
// The draw: the tokens left are stacked by descending probability, equal ones by ascending id, and
// the one on which uniform_double(seed, position) falls is taken. So a draw is a pure function of
// (logits, params, history, seed, position); neighbours in a batch cannot change it. All ties, here
// and in greedy, top_k and ranks, go to the lower id.
//
// Logits: -infinity means masked, NaN counts as -infinity, +infinity takes all probability (shared
// equally by several). Softmax is in float, sums of it in double. Tokens more than 87 / temperature
// below the largest logit have no float probability and are never drawn.
//
// Threads: a Sampler is used by one thread at a time; make one per thread. Its scratch grows to at
// most 48 bytes per vocabulary entry; once warm, only the vectors that it returns are allocated.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "sampler/row_ops.h"
#include "sampler/sample_trace.h"
#include "sampler/sampling_params.h"
#include "sampler/token_mask.h"

namespace orrery::sampler {

struct TokenLogprob {
  int32_t id = 0;
  float logprob = 0;  // natural logarithm, at most 0; -infinity for a masked token
  int32_t rank = 0;   // 1 is the most probable
};

struct SampledToken {
  int32_t id = 0;
  // Only if SamplingParams::logprobs is given; rank 0 means not computed.
  float logprob = 0;
  int32_t rank = 0;
  // The K most probable tokens, rank 1 first; fewer if fewer have a probability above 0.
  std::vector<TokenLogprob> top_logprobs = {};
};

struct RowLogprobs {
  std::vector<TokenLogprob> tokens = {};        // as asked, in that order
  std::vector<TokenLogprob> top_logprobs = {};  // as in SampledToken
};

// What the sampler must know of a request's past. Borrows everything for the length of a call.
struct SampleInput {
  std::span<const int32_t> prompt_ids = {};
  std::span<const int32_t> output_ids = {};
  uint64_t seed = 0;
  uint64_t position = 0;  // of the token to draw in its sequence; never twice with one seed
  const TokenMask* mask = nullptr;
};

class Sampler {
 public:
  // 0 < vocab_size < 2^31.
  explicit Sampler(int64_t vocab_size);

  // `logits`: [V], overwritten. `params` validated for this vocabulary (sampling_params.h).
  // Errors, which concern this request alone: kInvalidArgument if its masks leave no token,
  // kInternal if the model's logits do not, those of its mask.
  Result<SampledToken> sample(std::span<float> logits, const SamplingParams& params,
                              const SampleInput& input, SampleTrace* trace = nullptr);

  // Log-probabilities of `ids` and of the `num_top` most probable tokens (-1: all) under softmax of
  // `logits` ([V], unchanged): what prompt_logprobs reports of each prompt position.
  // Errors: kInvalidArgument for an id outside the vocabulary, kInternal if no logit is above
  // -infinity.
  Result<RowLogprobs> logprobs(std::span<const float> logits, std::span<const int32_t> ids,
                               int32_t num_top);

  // Tokens among which the last sample() has drawn: 1 if greedy, the whole vocabulary if no filter
  // was set.
  int32_t num_candidates() const { return num_candidates_; }

 private:
  struct Draw {
    int32_t id = 0;
    bool listed = false;  // the distribution is that of listed(); if not, that of the whole row
    double mass = 0;      // the sum of its weights
  };

  Status constrain(std::span<float> logits, const SamplingParams& params, const SampleInput& input,
                   SampleTrace* trace);
  Draw draw(const RowView& view, const SamplingParams& params, const SampleInput& input,
            SampleTrace* trace);
  void keep_min_p_and_top_k(const RowView& view, const SamplingParams& params, SampleTrace* trace);
  void keep_top_p(const RowView& view, double top_p, Draw& state);
  void keep_typical_p(const RowView& view, double typical_p, Draw& state);
  void list_mass(const RowView& view, double target);
  double list_all(const RowView& view);
  std::span<Candidate> listed() { return {listed_.data(), num_listed_}; }

  void append_top(double mass, int32_t num_top, std::vector<TokenLogprob>& out);
  RowLogprobs logprobs_of(const RowView& view, std::span<const int32_t> ids, int32_t num_top);
  void set_processed_logprobs(const RowView& view, const Draw& drawn, int32_t num_top,
                              SampledToken& token);

  void begin_trace(std::span<const float> logits, SampleTrace& trace);
  void trace_listed(SampleTrace* trace, Filter filter, int32_t SampleTrace::*count);
  void finish_trace(const RowView& view, const Draw& drawn, std::span<const float> logits,
                    SampleTrace& trace);

  int64_t vocab_size_;
  std::vector<float> maxima_, raw_maxima_;  // of blocks
  std::vector<float> raw_;  // the row before any step, if log-probabilities or a trace need it
  std::vector<uint32_t> bits_;
  std::vector<uint32_t> counts_;   // zeros between calls
  std::vector<Candidate> listed_;  // [V + 1], of which the first num_listed_ are meant
  size_t num_listed_ = 0;
  int32_t num_candidates_ = 0;
  std::vector<Candidate> work_, typical_work_;
  std::vector<float> bound_work_;
};

}  // namespace orrery::sampler
