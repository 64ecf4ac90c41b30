// History: the last events, numbered from the hub's start, and what came before them (KeptState).
// One thread at a time.
#pragma once

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
  // The state before event begin(), and that after the last.
  const KeptState& before() const { return before_; }
  const KeptState& now() const { return now_; }

 private:
  std::vector<trace::Event> ring_;
  size_t size_ = 0;
  uint64_t end_ = 0;
  KeptState before_, now_;
};

}  // namespace orrery::live
