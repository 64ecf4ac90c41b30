// Engine: what it writes into the step-event log. Called only while somebody reads it.
#include <algorithm>
#include <bit>
#include <cstring>

#include "base/random.h"
#include "engine/engine.h"
#include "engine/recording.h"

namespace orrery::engine {

using trace::EventKind;

bool Engine::in_focus(uint32_t sequence) const {
  const uint32_t focus = focus_.load(std::memory_order_relaxed);
  return focus != 0 && (focus == kEverySequence || focus == sequence) && trace_.wanted();
}

void Engine::trace_arrival(const GenerationRequest& request) {
  const uint32_t id = request.request.id;
  const std::string params = dump_json(to_json(request));
  constexpr size_t kBytes = sizeof(trace::Event::value);
  for (size_t at = 0; at < params.size(); at += kBytes) {
    const size_t count = std::min(kBytes, params.size() - at);
    std::array<int32_t, 4> value = {};
    std::memcpy(value.data(), params.data() + at, count);
    trace_(EventKind::kRequestParams, id, value, {}, static_cast<uint16_t>(count));
  }
  const std::vector<int32_t>& ids = request.request.prompt_token_ids;
  for (size_t at = 0; at < ids.size(); at += 4) {
    const size_t count = std::min<size_t>(4, ids.size() - at);
    std::array<int32_t, 4> value = {};
    std::copy_n(ids.data() + at, count, value.begin());
    trace_(EventKind::kPromptTokens, id, value, {}, static_cast<uint16_t>(count));
  }
}

void Engine::trace_sample(const TokenEvent& event, int32_t position, const GenerationRequest& asked,
                          int32_t num_candidates, const sampler::SampleTrace* trace) {
  if (trace != nullptr && in_focus(event.request)) {
    trace_(EventKind::kFiltered, event.request,
           {trace->after_masks, trace->greedy ? 1 : trace->after_min_p,
            trace->greedy ? 1 : trace->after_top_k, trace->greedy ? 1 : trace->after_top_p});
    for (const sampler::TracedToken& token : trace->tokens) {
      trace_(EventKind::kCandidate, event.request,
             {token.id, std::bit_cast<int32_t>(token.raw_logit),
              std::bit_cast<int32_t>(static_cast<float>(token.probability)),
              std::bit_cast<int32_t>(static_cast<float>(token.final_probability))},
             {}, static_cast<uint16_t>(token.cut_by));
    }
  }
  uint64_t random = 0;
  if (!asked.sampling.greedy()) {  // its 53 bits, as the upper ones of 64
    const double uniform = uniform_double(asked.seed, static_cast<uint64_t>(position));
    random = static_cast<uint64_t>(uniform * 0x1.0p53) << 11;
  }
  trace_(EventKind::kSampled, event.request,
         {event.token.id, position, static_cast<int32_t>(random >> 32),
          static_cast<int32_t>(random & UINT32_MAX)},
         {}, static_cast<uint16_t>(std::min(num_candidates, int32_t{UINT16_MAX})));
}

void Engine::trace_times() {
  const auto us = [](double value) { return static_cast<int32_t>(std::min(value + 0.5, 2e9)); };
  const StepTimes& times = timer_.times();
  trace_(EventKind::kStepTimed, 0,
         {us(times.schedule_us), us(times.model_us), us(times.sample_us), us(times.rest_us)});
}

}  // namespace orrery::engine
