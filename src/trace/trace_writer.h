// TraceWriter: where a producer of events puts them. While nobody wants them, write() costs one
// relaxed load.
//
// One producer at a time calls write(), unless the writer says otherwise. Tracer adds the current
// step, so that a state machine states only what happened.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

#include "trace/event.h"

namespace orrery::trace {

class TraceWriter {
 public:
  virtual ~TraceWriter() = default;

  bool wanted() const { return num_readers_.load(std::memory_order_relaxed) > 0; }
  void write(const Event& event) {
    if (wanted()) append(event);
  }

 protected:
  std::atomic<int32_t> num_readers_{0};

 private:
  virtual void append(const Event& event) = 0;
};

// Nobody ever wants its events.
class NoTrace : public TraceWriter {
  void append(const Event&) override {}
};

// Keeps all events: for tests and simulations.
class EventList : public TraceWriter {
 public:
  EventList() { num_readers_ = 1; }
  const std::vector<Event>& events() const { return events_; }
  void clear() { events_.clear(); }

 private:
  void append(const Event& event) override { events_.push_back(event); }
  std::vector<Event> events_;
};

// The writer must outlive it.
class Tracer {
 public:
  explicit Tracer(TraceWriter& writer) : writer_(&writer) {}

  bool wanted() const { return writer_->wanted(); }
  uint64_t step() const { return step_; }
  void set_step(uint64_t step) { step_ = step; }

  void operator()(EventKind kind, uint32_t request, std::array<int32_t, 4> value = {},
                  Reason reason = Reason::kNone, uint16_t detail = 0) {
    if (wanted()) write({step_, request, kind, reason, detail, value});
  }
  void write(const Event& event) { writer_->write(event); }
  TraceWriter& writer() const { return *writer_; }

 private:
  TraceWriter* writer_;
  uint64_t step_ = 0;
};

}  // namespace orrery::trace
