// StepTimer: where a step's time goes. One thread.
#pragma once

#include <chrono>

namespace orrery::engine {

struct StepTimes {
  double schedule_us = 0;
  double model_us = 0;
  double sample_us = 0;
  double rest_us = 0;  // copying blocks, gathering, updating, emitting

  double total_us() const { return schedule_us + model_us + sample_us + rest_us; }
};

class StepTimer {
 public:
  void start() {
    times_ = {};
    last_ = Clock::now();
  }
  // Adds the time since the last call to one of the parts.
  void lap(double StepTimes::*part) {
    const Clock::time_point now = Clock::now();
    times_.*part += std::chrono::duration<double, std::micro>(now - last_).count();
    last_ = now;
  }
  const StepTimes& times() const { return times_; }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point last_;
  StepTimes times_;
};

}  // namespace orrery::engine
