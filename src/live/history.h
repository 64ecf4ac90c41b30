// History: the last events, numbered from the hub's start, and what came before them (KeptState).
// One thread at a time.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "live/kept_state.h"

namespace orrery::live {

class History {
 public:
  explicit History(size_t capacity);

  void append(std::span<const trace::Event> events);
  // `count` events were lost: what is known of the engine's state no longer holds.
  void lose(uint64_t count);

  uint64_t begin() const { return end_ - size_; }  // number of the oldest event kept
  uint64_t end() const { return end_; }
  // Events from .. to − 1, which must be kept.
  std::vector<trace::Event> copy(uint64_t from, uint64_t to) const;
  // The state before event begin().
  const KeptState& before() const { return before_; }
  // That after the last, computed from all events that are kept: some milliseconds.
  KeptState now() const;

  // Requests that have arrived and not finished.
  size_t num_requests() const { return runs_.size(); }
  // The lowest number among those that run; 0: none runs.
  uint32_t oldest_running() const;

 private:
  void note_request(const trace::Event& event);

  std::vector<trace::Event> ring_;
  size_t size_ = 0;
  uint64_t end_ = 0;
  KeptState before_;
  std::map<uint32_t, bool> runs_;  // by request
};

}  // namespace orrery::live
