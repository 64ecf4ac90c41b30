// EventRing: the step-event log while the engine runs. Any number of producers and readers, each
// reader at its own pace.
//
// Producers never wait for a reader, and for each other only while one copies 32 bytes; nobody
// takes the lock while there is no reader. A reader that lags by more than the capacity loses the
// oldest events and learns how many. Events are kept only while there is a reader. The ring must
// outlive its readers; readers may come, read and go on any thread.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <span>

#include "trace/trace_writer.h"

namespace orrery::trace {

class EventRing : public TraceWriter {
 public:
  // Keeps the last `capacity` events, a power of two.
  explicit EventRing(size_t capacity);

  class Reader;
  Reader reader();  // sees what is written from now on
  size_t capacity() const { return mask_ + 1; }

 private:
  using Words = std::array<uint64_t, sizeof(Event) / sizeof(uint64_t)>;
  // An event that may be read while it is overwritten.
  using Slot = std::array<std::atomic<uint64_t>, std::tuple_size_v<Words>>;

  void append(const Event& event) override;

  std::unique_ptr<Slot[]> slots_;
  uint64_t mask_;
  std::mutex producers_;
  std::atomic<uint64_t> claimed_{0};    // events whose slots a producer may have begun to write
  std::atomic<uint64_t> published_{0};  // events that are complete
};

// Move-only. One thread at a time.
class EventRing::Reader {
 public:
  struct Read {
    size_t count = 0;   // events copied
    uint64_t lost = 0;  // events overwritten before they could be read; they came before these
  };

  explicit Reader(EventRing& ring);
  Reader(Reader&& other) noexcept
      : ring_(std::exchange(other.ring_, nullptr)), next_(other.next_) {}
  Reader& operator=(Reader&&) = delete;
  ~Reader();

  // Copies the next events in order; 0 if there are none yet.
  Read read(std::span<Event> out);

 private:
  EventRing* ring_;
  uint64_t next_;  // number of the event to read next
};

}  // namespace orrery::trace
