// Recorder: writes what an EventRing gets into a file, on a thread of its own.
//
// From its start on; what happened before is not in the file. The ring must outlive it. Events are
// on disk within a tenth of a second, so that a killed process leaves a readable file.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "base/status.h"
#include "trace/event_file.h"
#include "trace/event_ring.h"

namespace orrery::trace {

class Recorder {
 public:
  // `metadata`: doc/step-event-log.md. Errors: those of EventFileWriter::create.
  static Result<std::unique_ptr<Recorder>> start(EventRing& ring, const std::string& path,
                                                 std::string_view metadata);
  // Without stop(), the file has no end mark.
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // Writes what the ring holds now, and the end mark. Errors: kIo; kResourceExhausted if the ring
  // was overwritten before it was read: the file then ends, without an end mark, before the gap.
  Status stop();

 private:
  Recorder(EventRing& ring, EventFileWriter file);
  void run();
  Status write_new();

  EventRing::Reader reader_;
  EventFileWriter file_;
  std::vector<Event> buffer_;
  Status outcome_;  // of the thread's, until it has ended
  std::atomic<bool> stop_{false};
  std::thread thread_;  // last
};

}  // namespace orrery::trace
