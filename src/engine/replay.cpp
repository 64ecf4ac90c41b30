#include "engine/replay.h"

#include <cstring>
#include <map>
#include <variant>

#include "engine/recording.h"

namespace orrery::engine {
namespace {

using trace::Event;
using trace::EventKind;
using trace::Reason;

// What came from outside, after `step`.
struct Ended {
  uint32_t sequence;
  FinishReason reason;
};
struct Input {
  uint64_t step;
  std::variant<GenerationRequest, Ended, Techniques> what;
};

bool is_compared(const Event& event, bool candidates) {
  switch (event.kind) {
    case EventKind::kStepTimed:
    case EventKind::kTextReleased:
    case EventKind::kTextHeldBack:
    case EventKind::kRefused:
      return false;
    case EventKind::kFiltered:
    case EventKind::kCandidate:
      return candidates;
    default:
      return true;
  }
}

bool has_candidates(std::span<const Event> recording) {
  for (size_t i = 1; i < recording.size(); ++i) {
    if (recording[i].kind == EventKind::kSampled && recording[i - 1].kind != EventKind::kCandidate)
      return false;
  }
  return true;
}

// ---- What came from outside.

struct Arrival {
  std::string params;
  std::vector<int32_t> prompt;
};

Status collect(const Event& event, std::map<uint32_t, Arrival>& arrivals) {
  const size_t limit = event.kind == EventKind::kPromptTokens ? 4 : sizeof(event.value);
  if (event.detail < 1 || event.detail > limit) {
    return malformed("recording: step {}, {}: expected detail 1 .. {}, got {}", event.step,
                     name_of(event.kind), limit, event.detail);
  }
  Arrival& arrival = arrivals[event.request];
  if (event.kind == EventKind::kPromptTokens) {
    arrival.prompt.insert(arrival.prompt.end(), event.value.begin(),
                          event.value.begin() + event.detail);
  } else {
    arrival.params.append(reinterpret_cast<const char*>(event.value.data()), event.detail);
  }
  return {};
}

Result<GenerationRequest> request_of(uint32_t id, Arrival&& arrival) {
  ASSIGN_OR_RETURN(const Json json, parse_json(arrival.params, "parameters"));
  ASSIGN_OR_RETURN(GenerationRequest request, request_from_json(json));
  request.request.id = id;
  request.request.prompt_token_ids = std::move(arrival.prompt);
  return request;
}

Result<std::vector<Input>> inputs_of(std::span<const Event> recording) {
  std::map<uint32_t, Arrival> arrivals;
  for (const Event& event : recording) {
    if (event.kind == EventKind::kPromptTokens || event.kind == EventKind::kRequestParams)
      RETURN_IF_ERROR(collect(event, arrivals));
  }
  std::vector<Input> inputs;
  for (const Event& event : recording) {
    if (event.kind == EventKind::kArrived) {
      const auto it = arrivals.find(event.request);
      if (it == arrivals.end()) continue;  // a fork, which its request brings with it
      auto request = request_of(event.request, std::move(it->second));
      arrivals.erase(it);
      if (!request.ok())
        return request.status().with_context(fmt::format("recording: request {}", event.request));
      inputs.push_back({event.step, std::move(request).value()});
    } else if (event.kind == EventKind::kFinished && event.detail == 1) {
      const FinishReason reason =
          event.reason == Reason::kStop ? FinishReason::kStop : FinishReason::kAborted;
      inputs.push_back({event.step, Ended{event.request, reason}});
    } else if (event.kind == EventKind::kTechniques) {
      inputs.push_back({event.step, techniques_from_bits(event.value[0])});
    }
  }
  return inputs;
}

// ---- What comes of it.

// Holds each event against the next of the recording.
class Comparison final : public trace::TraceWriter {
 public:
  Comparison(std::span<const Event> recording, bool candidates, bool complete)
      : recording_(recording), candidates_(candidates), complete_(complete) {
    num_readers_ = 1;
    skip();
  }

  // Nothing more to learn: something differs, or a cut-off recording has come to its end.
  bool done() const { return difference_ || (!complete_ && next_ == recording_.size()); }

  ReplayResult finish(uint64_t num_steps) {
    if (!difference_ && next_ < recording_.size())
      difference_ = {next_, recording_[next_].step, recording_[next_], std::nullopt};
    return {num_steps, num_compared_, difference_};
  }

 private:
  void append(const Event& event) override {
    if (done() || !is_compared(event, candidates_)) return;
    if (next_ == recording_.size()) {
      difference_ = {next_, event.step, std::nullopt, event};
    } else if (!(recording_[next_] == event)) {
      difference_ = {next_, recording_[next_].step, recording_[next_], event};
    } else {
      ++num_compared_;
      ++next_;
      skip();
    }
  }
  void skip() {
    while (next_ < recording_.size() && !is_compared(recording_[next_], candidates_)) ++next_;
  }

  std::span<const Event> recording_;
  bool candidates_;
  bool complete_;
  size_t next_ = 0;
  size_t num_compared_ = 0;
  std::optional<ReplayResult::Difference> difference_;
};

void apply(Engine& engine, Input& input) {
  if (const auto* ended = std::get_if<Ended>(&input.what)) {
    engine.abort(ended->sequence, ended->reason);
    return;
  }
  // A refusal shows: the event is missing.
  if (const auto* techniques = std::get_if<Techniques>(&input.what)) {
    (void)engine.set_techniques(*techniques);
    return;
  }
  (void)engine.add_request(std::move(std::get<GenerationRequest>(input.what)), [](TokenEvent&&) {});
}

}  // namespace

std::string to_string(const Event& event) {
  std::string text =
      event.request == 0 ? std::string() : fmt::format("request {}: ", event.request);
  text += fmt::format("{} {}", name_of(event.kind), fmt::join(event.value, " "));
  if (event.detail != 0) text += fmt::format(" (detail {})", event.detail);
  if (event.reason != Reason::kNone) text += fmt::format(", {}", name_of(event.reason));
  return text;
}

std::string to_string(const ReplayResult::Difference& d) {
  const auto text = [](const std::optional<Event>& event) {
    return event ? fmt::format("step {}, {}", event->step, to_string(*event))
                 : std::string("nothing more");
  };
  return fmt::format("step {}, event {}: recorded \"{}\", replayed \"{}\"", d.step, d.event,
                     text(d.recorded), text(d.replayed));
}

Result<ReplayResult> replay(const model::Model& model, kernels::Kernels& kernels,
                            const EngineOptions& options, std::span<const Event> recording,
                            bool complete) {
  if (!recording.empty() && recording.front().step != 0) {
    return unsupported("recording: expected one from the engine's start, got one from step {}",
                       recording.front().step);
  }
  ASSIGN_OR_RETURN(std::vector<Input> inputs, inputs_of(recording));
  const bool candidates = has_candidates(recording);
  Comparison comparison(recording, candidates, complete);
  ASSIGN_OR_RETURN(const auto engine, Engine::create(model, kernels, options, comparison));
  if (candidates) engine->set_focus(kEverySequence);
  for (size_t next = 0; !comparison.done();) {
    while (next < inputs.size() && inputs[next].step <= engine->num_steps())
      apply(*engine, inputs[next++]);
    if (!engine->step()) break;  // with inputs left, their events are missing
  }
  return comparison.finish(engine->num_steps());
}

}  // namespace orrery::engine
