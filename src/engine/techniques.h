// Techniques: what makes serving fast. Each can be switched off while nothing runs, to measure what
// it is worth; answers are the same bits either way.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/scheduler.h"

namespace orrery::engine {

struct Techniques {
  bool paging = true;    // blocks as tokens come; off: max_model_len of them at once, in one piece
  bool kv_cache = true;  // off: keys and values are computed anew for each token
  bool prefix_cache = true;         // needs both of the above
  bool continuous_batching = true;  // off: a batch ends before the next begins
  bool chunked_prefill = true;      // off: a prompt is computed in one step

  bool operator==(const Techniques&) const = default;
};

struct TechniqueField {
  std::string_view name;
  bool Techniques::*on;
};
// In the order of their bits in the step-event log.
inline constexpr std::array<TechniqueField, 5> kTechniqueFields = {{
    {"paging", &Techniques::paging},
    {"kv_cache", &Techniques::kv_cache},
    {"prefix_cache", &Techniques::prefix_cache},
    {"continuous_batching", &Techniques::continuous_batching},
    {"chunked_prefill", &Techniques::chunked_prefill},
}};

int32_t bits_of(const Techniques& techniques);
Techniques techniques_from_bits(int32_t bits);

Techniques techniques_of(const SchedulerOptions& options);
// `asked` with other techniques. Errors: kInvalidArgument, kResourceExhausted: the engine cannot do
// without one of them, or not with two of them.
Result<SchedulerOptions> with_techniques(SchedulerOptions asked, const Techniques& techniques);

}  // namespace orrery::engine
