// Replay: runs a recording again, and compares what happens with what was recorded.
//
// The same requests come, and the same are aborted, between the same steps; everything else must
// follow: each admission, block, random number and token. Not compared: times, text (its thread has
// a pace of its own), refusals at the door (nothing comes of them); candidates only if those of all
// sequences were recorded.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "engine/engine.h"
#include "trace/event.h"

namespace orrery::engine {

struct ReplayResult {
  struct Difference {
    size_t event = 0;  // number in the recording, from 0
    uint64_t step = 0;
    std::optional<trace::Event> recorded;  // none: it had ended
    std::optional<trace::Event> replayed;  // none: nothing more happened
  };
  uint64_t num_steps = 0;
  size_t num_events = 0;                 // that were compared
  std::optional<Difference> difference;  // the first; none: identical
};

// "step 12, event 345: recorded ..., replayed ..."
std::string to_string(const ReplayResult::Difference& difference);
// "request 3: sampled 17 5 0 0 (detail 2)"
std::string to_string(const trace::Event& event);

// `complete`: the recording was ended, not cut off; if not, what follows its last event is not
// compared. Errors: kMalformed (the recording does not begin with the engine, a request without
// parameters); those of Engine::create.
Result<ReplayResult> replay(const model::Model& model, kernels::Kernels& kernels,
                            const EngineOptions& options, std::span<const trace::Event> recording,
                            bool complete = true);

}  // namespace orrery::engine
