// Passes over one row of logits: maxima, sums of exponentials, gathering what lies above a bound.
//
// Every pass works on blocks of 64 logits with one fixed order of addition and no fused operation,
// so the bits of a result do not depend on the compiler or the instruction set. A NaN logit counts
// as -infinity in every pass. V is the vocabulary size; `maxima` has num_blocks(V) floats.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace orrery::sampler {

// A token that may still be drawn.
struct Candidate {
  float key = 0;     // (logit - largest logit) / temperature: at most 0
  float weight = 0;  // exp(key)
  int32_t id = 0;
};

// Descending by key, equal keys by ascending id: the one order used wherever ranks matter.
inline bool precedes(const Candidate& a, const Candidate& b) {
  return a.key > b.key || (a.key == b.key && a.id < b.id);
}

inline constexpr int64_t kRowBlock = 64;
// exp of a key below this is not a normal float (2^-126 = exp(-87.3)): such tokens have weight 0
// and are never drawn.
inline constexpr float kMinKey = -87.0F;

inline int64_t num_blocks(int64_t vocab_size) { return (vocab_size + kRowBlock - 1) / kRowBlock; }

// A row through a temperature. `max` is finite. Borrows everything.
struct RowView {
  std::span<const float> row;     // [V]
  std::span<const float> maxima;  // of each block, -infinity where nothing is left
  float max = 0;
  float inv_temperature = 1;

  float key(float logit) const { return (logit - max) * inv_temperature; }
};

// exp(key) for key <= 0, relative error below 2e-7; 0 for NaN and below kMinKey.
float exp_of_key(float key);
// Sets each weight from its key. Returns their sum, added in the order given.
double set_weights(std::span<Candidate> candidates);

// Fills `maxima` and returns the largest; NaN never is.
float block_maxima(std::span<const float> row, std::span<float> maxima);
// The lowest id whose logit equals `max`, the value that block_maxima returned for this row.
int32_t first_of_max(std::span<const float> row, std::span<const float> maxima, float max);
// Sum of exp(key) over the row: float within a block, double across blocks.
double sum_exp(const RowView& view);
// Candidates with key >= threshold > -infinity, by ascending id, into `out`, which has room for
// V + 1. Their weights are not set. Returns how many.
size_t gather(const RowView& view, float threshold, std::span<Candidate> out);
// A key that at least k tokens reach: the k-th largest block maximum, -infinity if there are fewer
// blocks.
float bound_of_top_k(const RowView& view, int64_t k, std::vector<float>& scratch);
// 1 + the number of tokens that precede `id`.
int32_t rank_of(std::span<const float> row, int32_t id);

}  // namespace orrery::sampler
