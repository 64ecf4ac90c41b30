// Random weights of a known model's shape, for benchmarks: synthetic:NAME[:FORMAT].
//
// The numbers have about the spread of trained weights (0.02), so that activations stay finite, and
// are the same on every run and for every number of threads. There is no tokenizer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "weights/checkpoint.h"

namespace orrery::weights {

inline constexpr std::string_view kSyntheticPrefix = "synthetic:";

// `spec`: "synthetic:llama-3.2-1b:q4_k_m"; the prefix may be left out. Formats: every dtype of
// weights, and q4_k_m, q5_k_m as llama.cpp mixes them; default bf16. Errors: kInvalidArgument with
// the names that exist; kResourceExhausted if the weights exceed the available memory.
Result<Checkpoint> open_synthetic(std::string_view spec);

std::vector<std::string> synthetic_names();
std::vector<std::string> synthetic_formats();

// The format of one matrix with rows of `cols` numbers. Rows that are no multiple of a K format's
// 256 fall back to a legacy format, as llama.cpp does.
Result<DType> synthetic_dtype(std::string_view format, std::string_view tensor, int64_t layer,
                              int64_t num_layers, bool tied, int64_t cols);

}  // namespace orrery::weights
