// EngineHealth: does the engine still move? A pure state machine, fed with its heartbeat.
//
// Frozen: requests unfinished, and no step for too long. Much to do is not frozen: a saturated
// engine steps all the time. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace orrery::server {

class EngineHealth {
 public:
  using Clock = std::chrono::steady_clock;

  // `limit`: longer than the longest step, which is a full prefill chunk.
  explicit EngineHealth(std::chrono::milliseconds limit) : limit_(limit) {}

  // To be called often beside `limit`.
  void observe(uint64_t heartbeat, bool has_unfinished, Clock::time_point now) {
    if (!heartbeat_ || *heartbeat_ != heartbeat || !has_unfinished) moved_ = now;
    heartbeat_ = heartbeat;
    alive_ = now - moved_ < limit_;
  }
  bool alive() const { return alive_; }

 private:
  std::chrono::milliseconds limit_;
  std::optional<uint64_t> heartbeat_;
  Clock::time_point moved_ = {};
  bool alive_ = true;
};

}  // namespace orrery::server
