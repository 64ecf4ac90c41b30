// Filters on a list of candidates: top-k, and the smallest set that holds a given probability.
//
// Lists are and stay in ascending order of id: a filter finds the last candidate to keep, in the
// order of `precedes`, and drops what follows it. The vocabulary is never sorted: the last
// candidate of a set of given mass is found by histograms of mass over the key, narrowed to one
// bucket, and only that bucket is sorted. Results are a pure function of the list.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "sampler/row_ops.h"

namespace orrery::sampler {

// Where a cumulative mass is reached: that of all candidates before `last`, and with it.
struct MassCut {
  Candidate last;
  double mass_before = 0;
  double mass_through = 0;
};

// The first candidate, in the order of `precedes`, through which the sum of weights reaches
// `target`; the last of all if none does. `candidates` is not empty and its keys are finite.
// About 2 ns a candidate; `work` keeps its capacity for the next call.
MassCut find_mass_cut(std::span<const Candidate> candidates, double target,
                      std::vector<Candidate>& work);

// Keeps `last` and those that precede it; returns how many.
size_t keep_through(std::span<Candidate> candidates, const Candidate& last);

// Keeps the first k >= 1 in the order of `precedes`; returns how many are left. Overwrites the
// weights.
size_t keep_top_k(std::span<Candidate> candidates, size_t k, std::vector<Candidate>& work);

// Locally typical sampling (Meister et al., "Locally Typical Sampling", TACL 2023): keeps the
// smallest set of at least `typical_p` of the mass `total` whose information -log p lies closest to
// the entropy. Ties by ascending id. Returns how many are left.
size_t keep_typical(std::span<Candidate> candidates, double total, double typical_p,
                    std::vector<Candidate>& by_typicality, std::vector<Candidate>& work);

}  // namespace orrery::sampler
