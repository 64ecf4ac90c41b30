#include "sampler/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "base/check.h"
#include "base/random.h"
#include "sampler/constraints.h"
#include "sampler/filters.h"

namespace orrery::sampler {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kLowest = std::numeric_limits<float>::lowest();

// Fills `maxima`. +infinity is rewritten to 0 and all else in such a row to -infinity, which is the
// limit of softmax. The view's max is -infinity if nothing is left.
RowView view_of(std::span<float> row, float inv_temperature, std::vector<float>& maxima) {
  maxima.resize(num_blocks(static_cast<int64_t>(row.size())));
  float max = block_maxima(row, maxima);
  if (max == kInf) {
    for (float& x : row) x = x == kInf ? 0.0F : -kInf;
    max = block_maxima(row, maxima);
  }
  return {row, maxima, max, inv_temperature};
}

bool limits_top_k(const SamplingParams& params, int64_t vocab_size) {
  return params.top_k > 0 && params.top_k < vocab_size;
}

Status nothing_left(const SamplingParams& params, const SampleInput& input) {
  std::string masks;
  const auto add = [&](bool active, const char* name) {
    if (active) masks += masks.empty() ? name : std::string(", ") + name;
  };
  add(input.mask != nullptr, "the grammar");
  add(params.allowed_token_ids.has_value(), "allowed_token_ids");
  add(!params.bad_words.empty(), "bad_words");
  add(params.min_tokens > static_cast<int64_t>(input.output_ids.size()), "min_tokens");
  if (masks.empty()) {
    return {StatusCode::kInternal,
            fmt::format("sampler: position {}: expected a logit above -infinity, got none",
                        input.position)};
  }
  return invalid_argument(
      "sampler: position {}: expected a token that can be drawn, got none after {}", input.position,
      masks);
}

void trace_masked(SampleTrace* trace, std::span<const float> logits, Filter filter) {
  if (trace == nullptr) return;
  for (TracedToken& token : trace->tokens) {
    if (token.cut_by == Filter::kNone && !(logits[token.id] > -kInf)) token.cut_by = filter;
  }
}

}  // namespace

Sampler::Sampler(int64_t vocab_size) : vocab_size_(vocab_size) {
  CHECK(vocab_size > 0 && vocab_size <= std::numeric_limits<int32_t>::max()) << vocab_size;
  counts_.resize(vocab_size);
  listed_.resize(vocab_size + 1);
  // At once: on which of several samplers a row is drawn is chance, so that one could meet its
  // first long list after hours. Pages are touched as they are used.
  for (auto* blocks : {&maxima_, &raw_maxima_, &bound_work_})
    blocks->reserve(num_blocks(vocab_size));
  raw_.reserve(vocab_size);
  bits_.reserve((vocab_size + 31) / 32);
  for (auto* list : {&work_, &typical_work_}) list->reserve(vocab_size + 1);
}

Result<SampledToken> Sampler::sample(std::span<float> logits, const SamplingParams& params,
                                     const SampleInput& input, SampleTrace* trace) {
  CHECK(static_cast<int64_t>(logits.size()) == vocab_size_);
  const bool raw = params.logprobs && params.logprobs_mode == LogprobsMode::kRawLogprobs;
  if (raw || trace != nullptr) raw_.assign(logits.begin(), logits.end());
  if (trace != nullptr) begin_trace(logits, *trace);

  RETURN_IF_ERROR(constrain(logits, params, input, trace));
  const bool greedy = params.greedy();
  const auto inv_temperature = greedy ? 1.0F : static_cast<float>(1 / params.temperature);
  const RowView view = view_of(logits, inv_temperature, maxima_);
  if (view.max == -kInf) return nothing_left(params, input);

  Draw drawn;
  num_candidates_ = 1;
  if (greedy) {
    drawn.id = first_of_max(view.row, view.maxima, view.max);
  } else {
    drawn = draw(view, params, input, trace);
  }
  if (trace != nullptr) {
    trace->greedy = greedy;
    finish_trace(view, drawn, logits, *trace);
  }

  SampledToken token;
  token.id = drawn.id;
  if (raw) {
    RowLogprobs row = logprobs_of(view_of(raw_, 1, raw_maxima_), {&drawn.id, 1}, *params.logprobs);
    token.logprob = row.tokens[0].logprob;
    token.rank = row.tokens[0].rank;
    token.top_logprobs = std::move(row.top_logprobs);
  } else if (params.logprobs) {
    set_processed_logprobs(view, drawn, *params.logprobs, token);
  }
  return token;
}

Status Sampler::constrain(std::span<float> logits, const SamplingParams& params,
                          const SampleInput& input, SampleTrace* trace) {
  if (input.mask != nullptr) {
    RETURN_IF_ERROR(apply_token_mask(logits, *input.mask, bits_));
    trace_masked(trace, logits, Filter::kGrammar);
  }
  if (params.allowed_token_ids) {
    apply_allowed_token_ids(logits, *params.allowed_token_ids, bits_);
    trace_masked(trace, logits, Filter::kAllowedTokenIds);
  }
  apply_bad_words(logits, params, input.output_ids);
  trace_masked(trace, logits, Filter::kBadWords);
  apply_min_tokens(logits, params, input.output_ids);
  trace_masked(trace, logits, Filter::kMinTokens);
  if (trace != nullptr) {
    trace->after_masks = static_cast<int32_t>(
        std::count_if(logits.begin(), logits.end(), [](float x) { return x > -kInf; }));
  }
  apply_logit_bias(logits, params);
  apply_penalties(logits, params, input.prompt_ids, input.output_ids, counts_);
  return {};
}

Sampler::Draw Sampler::draw(const RowView& view, const SamplingParams& params,
                            const SampleInput& input, SampleTrace* trace) {
  Draw state;
  if (trace != nullptr) {
    trace->after_min_p = trace->after_top_k = trace->after_top_p = trace->after_typical_p =
        trace->after_masks;
  }
  if (params.min_p > 0 || limits_top_k(params, vocab_size_)) {
    keep_min_p_and_top_k(view, params, trace);
    state.listed = true;
    state.mass = set_weights(listed());
  } else {
    state.mass = sum_exp(view);
  }
  if (params.top_p < 1) {
    keep_top_p(view, params.top_p, state);
    trace_listed(trace, Filter::kTopP, &SampleTrace::after_top_p);
  }
  if (params.typical_p < 1) {
    keep_typical_p(view, params.typical_p, state);
    trace_listed(trace, Filter::kTypicalP, &SampleTrace::after_typical_p);
  }

  num_candidates_ =
      static_cast<int32_t>(state.listed ? num_listed_ : static_cast<size_t>(vocab_size_));
  const double uniform = uniform_double(input.seed, input.position);
  // The first token whose cumulative mass exceeds uniform * mass; find_mass_cut says "reaches".
  const double target =
      std::nextafter(uniform * state.mass, std::numeric_limits<double>::infinity());
  if (!state.listed) list_mass(view, target);
  const MassCut cut = find_mass_cut(listed(), target, work_);
  state.id = cut.last.id;
  if (trace != nullptr) {
    trace->uniform = uniform;
    trace->drawn_begin = cut.mass_before / state.mass;
    trace->drawn_end = cut.mass_through / state.mass;
  }
  return state;
}

void Sampler::keep_min_p_and_top_k(const RowView& view, const SamplingParams& params,
                                   SampleTrace* trace) {
  const bool top_k = limits_top_k(params, vocab_size_);
  // p >= min_p * p_max is key >= log(min_p).
  float threshold = kMinKey;
  if (params.min_p > 0) threshold = std::max(threshold, static_cast<float>(std::log(params.min_p)));
  // A trace tells what min_p cut from what top_k cut, so it needs the longer list.
  if (top_k && trace == nullptr) {
    threshold = std::max(threshold, bound_of_top_k(view, params.top_k, bound_work_));
  }
  num_listed_ = gather(view, threshold, listed_);
  if (params.min_p > 0) trace_listed(trace, Filter::kMinP, &SampleTrace::after_min_p);
  if (top_k) {
    num_listed_ = keep_top_k(listed(), params.top_k, work_);
    trace_listed(trace, Filter::kTopK, &SampleTrace::after_top_k);
  }
}

void Sampler::keep_top_p(const RowView& view, double top_p, Draw& state) {
  const double target = top_p * state.mass;
  if (!state.listed) list_mass(view, target);
  const MassCut cut = find_mass_cut(listed(), target, work_);
  num_listed_ = keep_through(listed(), cut.last);
  state.listed = true;
  state.mass = cut.mass_through;
}

void Sampler::keep_typical_p(const RowView& view, double typical_p, Draw& state) {
  if (!state.listed) {
    state.mass = list_all(view);
    state.listed = true;
  }
  num_listed_ = keep_typical(listed(), state.mass, typical_p, typical_work_, work_);
  state.mass = 0;
  for (const Candidate& c : listed()) state.mass += c.weight;
}

// Lists, of the whole row, tokens that hold at least `target` mass: all above some key, and all if
// they must. A language model's row is done after the first or second step.
void Sampler::list_mass(const RowView& view, double target) {
  for (const float depth : {-4.0F, -8.0F, -16.0F}) {
    num_listed_ = gather(view, depth, listed_);
    if (set_weights(listed()) >= target) return;
  }
  list_all(view);
}

double Sampler::list_all(const RowView& view) {
  num_listed_ = gather(view, kMinKey, listed_);
  return set_weights(listed());
}

Result<RowLogprobs> Sampler::logprobs(std::span<const float> logits, std::span<const int32_t> ids,
                                      int32_t num_top) {
  CHECK(static_cast<int64_t>(logits.size()) == vocab_size_);
  for (const int32_t id : ids) {
    if (id < 0 || id >= vocab_size_) {
      return invalid_argument("logprobs: expected token ids from 0 to {}, got {}", vocab_size_ - 1,
                              id);
    }
  }
  raw_.assign(logits.begin(), logits.end());
  const RowView view = view_of(raw_, 1, raw_maxima_);
  if (view.max == -kInf) {
    return Status(StatusCode::kInternal, "logprobs: expected a logit above -infinity, got none");
  }
  return logprobs_of(view, ids, num_top);
}

RowLogprobs Sampler::logprobs_of(const RowView& view, std::span<const int32_t> ids,
                                 int32_t num_top) {
  const double mass = sum_exp(view), log_mass = std::log(mass);
  RowLogprobs out;
  out.tokens.reserve(ids.size());
  for (const int32_t id : ids) {
    const float key = view.key(view.row[id]);
    const auto logprob = std::isnan(key) ? -kInf : static_cast<float>(key - log_mass);
    out.tokens.push_back({id, logprob, rank_of(view.row, id)});
  }
  if (num_top != 0) {
    const bool all = num_top < 0 || num_top >= vocab_size_;
    const float bound = all ? -kInf : bound_of_top_k(view, num_top, bound_work_);
    num_listed_ = gather(view, std::max(bound, kLowest), listed_);
    append_top(mass, num_top, out.top_logprobs);
  }
  return out;
}

void Sampler::set_processed_logprobs(const RowView& view, const Draw& drawn, int32_t num_top,
                                     SampledToken& token) {
  const double mass = drawn.listed ? drawn.mass : list_all(view);
  const auto list = listed();
  const auto found = std::lower_bound(list.begin(), list.end(), drawn.id,
                                      [](const Candidate& c, int32_t id) { return c.id < id; });
  CHECK(found != list.end() && found->id == drawn.id);
  token.logprob = static_cast<float>(found->key - std::log(mass));
  token.rank =
      1 + static_cast<int32_t>(std::count_if(
              list.begin(), list.end(), [&](const Candidate& c) { return precedes(c, *found); }));
  append_top(mass, num_top, token.top_logprobs);
}

// The first num_top (all if negative) of listed(), by rank.
void Sampler::append_top(double mass, int32_t num_top, std::vector<TokenLogprob>& out) {
  const auto list = listed();
  const size_t count = num_top < 0 ? list.size() : std::min<size_t>(num_top, list.size());
  work_.assign(list.begin(), list.end());
  std::partial_sort(work_.begin(), work_.begin() + static_cast<std::ptrdiff_t>(count), work_.end(),
                    precedes);
  const double log_mass = std::log(mass);
  out.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    out.push_back(
        {work_[i].id, static_cast<float>(work_[i].key - log_mass), static_cast<int32_t>(i + 1)});
  }
}

void Sampler::begin_trace(std::span<const float> logits, SampleTrace& trace) {
  trace.tokens.clear();
  const RowView view = view_of(raw_, 1, raw_maxima_);
  if (view.max == -kInf || trace.num_tokens <= 0) return;
  const int64_t count = std::min<int64_t>(trace.num_tokens, vocab_size_);
  num_listed_ = gather(view, std::max(bound_of_top_k(view, count, bound_work_), kLowest), listed_);
  num_listed_ = keep_top_k(listed(), count, work_);
  work_.assign(listed().begin(), listed().end());
  std::sort(work_.begin(), work_.end(), precedes);
  for (const Candidate& c : work_) trace.tokens.push_back({.id = c.id, .raw_logit = logits[c.id]});
}

void Sampler::trace_listed(SampleTrace* trace, Filter filter, int32_t SampleTrace::*count) {
  if (trace == nullptr) return;
  bool reached = false;  // a filter that is off leaves what the one before left
  for (int32_t SampleTrace::*left : {&SampleTrace::after_min_p, &SampleTrace::after_top_k,
                                     &SampleTrace::after_top_p, &SampleTrace::after_typical_p}) {
    reached = reached || left == count;
    if (reached) trace->*left = static_cast<int32_t>(num_listed_);
  }
  for (TracedToken& token : trace->tokens) {
    if (token.cut_by != Filter::kNone) continue;
    const bool left = std::any_of(listed().begin(), listed().end(),
                                  [&](const Candidate& c) { return c.id == token.id; });
    if (!left) token.cut_by = filter;
  }
}

void Sampler::finish_trace(const RowView& view, const Draw& drawn, std::span<const float> logits,
                           SampleTrace& trace) {
  const bool followed = std::any_of(trace.tokens.begin(), trace.tokens.end(),
                                    [&](const TracedToken& t) { return t.id == drawn.id; });
  if (!followed) trace.tokens.push_back({.id = drawn.id, .raw_logit = raw_[drawn.id]});
  const double row_mass = sum_exp(view);
  for (TracedToken& token : trace.tokens) {
    token.logit = logits[token.id];
    const double weight = exp_of_key(view.key(token.logit));
    token.probability = weight / row_mass;
    if (token.cut_by != Filter::kNone) continue;
    if (!trace.greedy) {
      token.final_probability = drawn.listed ? weight / drawn.mass : token.probability;
    } else if (token.id == drawn.id) {
      token.final_probability = 1;
    } else {
      token.cut_by = Filter::kGreedy;
    }
  }
}

}  // namespace orrery::sampler
