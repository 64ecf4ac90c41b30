#include "trace/recorder.h"

#include <chrono>

namespace orrery::trace {
namespace {

constexpr size_t kEventsPerRead = 4096;
constexpr auto kPause =
    std::chrono::milliseconds(2);  // in which a busy engine writes some hundred events
constexpr int kPausesPerFlush = 50;

}  // namespace

Result<std::unique_ptr<Recorder>> Recorder::start(EventRing& ring, const std::string& path,
                                                  std::string_view metadata) {
  ASSIGN_OR_RETURN(EventFileWriter file, EventFileWriter::create(path, metadata));
  return std::unique_ptr<Recorder>(new Recorder(ring, std::move(file)));
}

Recorder::Recorder(EventRing& ring, EventFileWriter file)
    : reader_(ring.reader()),
      file_(std::move(file)),
      buffer_(kEventsPerRead),
      thread_([this] { run(); }) {}

Recorder::~Recorder() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

Status Recorder::stop() {
  CHECK(thread_.joinable()) << "stop() twice";
  stop_ = true;
  thread_.join();
  RETURN_IF_ERROR(outcome_);
  return file_.close();
}

void Recorder::run() {
  for (int pauses = 0; outcome_.ok(); ++pauses) {
    const bool stopping = stop_;  // asked before the last look, so that nothing is missed
    outcome_ = write_new();
    if (stopping || !outcome_.ok()) break;
    if (pauses % kPausesPerFlush == 0) outcome_ = file_.flush();
    std::this_thread::sleep_for(kPause);
  }
  if (!outcome_.ok()) (void)file_.flush();  // what came before the fault is worth having
}

Status Recorder::write_new() {
  for (;;) {
    const EventRing::Reader::Read read = reader_.read(buffer_);
    if (read.lost > 0) {
      return resource_exhausted("recording: {} events were overwritten before they were written",
                                read.lost);
    }
    for (size_t i = 0; i < read.count; ++i) RETURN_IF_ERROR(file_.append(buffer_[i]));
    if (read.count < buffer_.size()) return {};
  }
}

}  // namespace orrery::trace
