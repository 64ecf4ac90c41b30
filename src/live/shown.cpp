#include "live/shown.h"

#include <algorithm>

#include "base/utf8.h"

namespace orrery::live {

using trace::Event;
using trace::EventKind;

namespace {

// Token ids in an event: value[0 .. n).
size_t num_token_ids(const Event& event) {
  if (event.kind == EventKind::kPromptTokens) return std::min<size_t>(event.detail, 4);
  return event.kind == EventKind::kSampled || event.kind == EventKind::kCandidate ? 1 : 0;
}

// Takes out what must not be seen; false: the whole event.
bool redact(Event& event, LiveText text) {
  if (text == LiveText::kOn) return true;
  if (event.kind == EventKind::kRequestParams) return false;  // stop strings stand there
  if (text == LiveText::kIds) return true;
  if (event.kind == EventKind::kCandidate) return false;
  const size_t count = num_token_ids(event);
  for (size_t i = 0; i < count; ++i) event.value[i] = -1;
  if (event.kind == EventKind::kSampled) event.value[2] = event.value[3] = 0;
  return true;
}

}  // namespace

size_t redact_all(std::vector<Event>& events, size_t num_first, LiveText text) {
  size_t kept = 0, taken_of_first = 0;
  for (size_t i = 0; i < events.size(); ++i) {
    if (redact(events[i], text)) {
      events[kept++] = events[i];
    } else if (i < num_first) {
      ++taken_of_first;
    }
  }
  events.resize(kept);
  return taken_of_first;
}

void TextTable::add(int32_t id) {
  if (options_.text != LiveText::kOn || !options_.token_text || id < 0) return;
  if (!known_.insert(id).second) return;
  const TokenText text = options_.token_text(id);
  const std::string key = std::to_string(id);
  if (is_valid_utf8(text.bytes)) {
    json_["texts"][key] = text.bytes;
  } else {
    Json& bytes = json_["bytes"][key] = Json::array();
    for (const char c : text.bytes) bytes.push_back(static_cast<unsigned char>(c));
  }
  if (text.special) json_["special"].push_back(id);
}

void TextTable::add(std::span<const Event> events) {
  for (const Event& event : events) {
    for (size_t i = 0; i < num_token_ids(event); ++i) add(event.value[i]);
  }
}

}  // namespace orrery::live
