#include "server/limits.h"

#include <algorithm>

namespace orrery::server {
namespace {

constexpr int kRetryAfterSeconds = 1;

}  // namespace

Admission::Clock::duration Admission::wait_for_rate(const Key& key, Clock::time_point now) const {
  if (limits_.requests_per_minute_per_key == 0) return {};
  const Clock::duration minute = std::chrono::minutes(1);
  const Clock::duration burst = minute - minute / limits_.requests_per_minute_per_key;
  return std::max(key.next - burst - now, Clock::duration::zero());
}

Admission::Answer Admission::check(uint32_t key, Clock::time_point now) const {
  const Key state = key < keys_.size() ? keys_[key] : Key();
  if (limits_.max_requests_per_key > 0 && state.num_requests >= limits_.max_requests_per_key) {
    return {Verdict::kKeyFull, kRetryAfterSeconds};
  }
  const Clock::duration wait = wait_for_rate(state, now);
  if (wait > Clock::duration::zero()) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
    return {Verdict::kKeyTooFast, static_cast<int>(seconds)};
  }
  if (limits_.max_requests > 0 && num_requests_ >= limits_.max_requests) {
    return {Verdict::kServerFull, kRetryAfterSeconds};
  }
  return {};
}

Admission::Answer Admission::enter(uint32_t key, Clock::time_point now) {
  const Answer answer = check(key, now);
  if (answer.verdict != Verdict::kAdmitted) return answer;
  if (key >= keys_.size()) keys_.resize(key + 1);
  ++num_requests_;
  ++keys_[key].num_requests;
  if (limits_.requests_per_minute_per_key > 0) {
    keys_[key].next = std::max(keys_[key].next, now) + Clock::duration(std::chrono::minutes(1)) /
                                                           limits_.requests_per_minute_per_key;
  }
  return answer;
}

void Admission::leave(uint32_t key) {
  --num_requests_;
  --keys_[key].num_requests;
}

}  // namespace orrery::server
