// What viewers may see of events, and the texts of the token ids in them.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_set>
#include <vector>

#include "base/json.h"
#include "live/hub.h"
#include "trace/event.h"

namespace orrery::live {

// Takes out of the events what LiveText hides; returns how many of the first `num_first` went
// whole.
size_t redact_all(std::vector<trace::Event>& events, size_t num_first, LiveText text);

// Collects {"texts", "bytes", "special"} (hub.h), each id once. The options must outlive it.
class TextTable {
 public:
  explicit TextTable(const HubOptions& options) : options_(options) {}

  void add(int32_t id);
  void add(std::span<const trace::Event> events);
  // What was added since the last call.
  Json take() { return std::exchange(json_, Json::object()); }
  bool empty() const { return json_.empty(); }

 private:
  const HubOptions& options_;
  std::unordered_set<int32_t> known_;
  Json json_ = Json::object();
};

}  // namespace orrery::live
