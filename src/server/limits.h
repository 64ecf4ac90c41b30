// Admission: how many requests may be under way, in all and for each key. A pure state machine: the
// caller brings the time. One thread.
//
// Decided before any work is done for a request: refusing costs a few comparisons.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace orrery::server {

struct AdmissionLimits {
  int64_t max_requests = 0;                 // under way at once; 0: no limit
  int64_t max_requests_per_key = 0;         // the same for one key
  int64_t requests_per_minute_per_key = 0;  // a full minute's may come at once; 0: no limit
};

class Admission {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Admission(AdmissionLimits limits) : limits_(limits) {}

  enum class Verdict { kAdmitted, kServerFull, kKeyFull, kKeyTooFast };
  struct Answer {
    Verdict verdict = Verdict::kAdmitted;
    int retry_after_seconds = 0;
  };
  // What enter() would say now.
  Answer check(uint32_t key, Clock::time_point now) const;
  // Counts the request, if it is admitted, until leave().
  Answer enter(uint32_t key, Clock::time_point now);
  void leave(uint32_t key);

  int64_t num_requests() const { return num_requests_; }

 private:
  // Generic cell rate: `next` is when the key's requests so far would have come at an even pace.
  struct Key {
    int64_t num_requests = 0;
    Clock::time_point next = {};
  };
  Clock::duration wait_for_rate(const Key& key, Clock::time_point now) const;

  AdmissionLimits limits_;
  int64_t num_requests_ = 0;
  std::vector<Key> keys_;  // by number; grows to the number of API keys
};

}  // namespace orrery::server
