// The step-event log as a file. doc/step-event-log.md describes the bytes.
#pragma once

#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "trace/event.h"

namespace orrery::trace {

inline constexpr uint32_t kEventFileVersion = 1;
inline constexpr uint32_t kMaxMetadataBytes = 16 << 20;
inline constexpr uint32_t kMaxEventsPerChunk = 1 << 16;

// Writes events to a file in checksummed chunks. Move-only, one thread. Destroyed without close(),
// it leaves a file without an end mark, whose whole chunks can still be read.
class EventFileWriter {
 public:
  // Replaces the file. `metadata` is text of the caller's (the engine's settings, in JSON). Errors:
  // kIo, kInvalidArgument (metadata too long).
  static Result<EventFileWriter> create(const std::string& path, std::string_view metadata);

  // Writes a chunk when enough events are gathered. Errors: kIo.
  Status append(const Event& event);
  Status flush();  // the events gathered so far, as a chunk
  Status close();  // flushes and writes the end mark; the writer cannot be used any more

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  EventFileWriter(std::string path, std::FILE* file) : path_(std::move(path)), file_(file) {}
  Status write(const void* data, size_t size_bytes);
  Status write_chunk();

  std::string path_;
  std::unique_ptr<std::FILE, Closer> file_;
  std::vector<Event> chunk_;
  uint64_t num_written_ = 0;
};

struct EventFile {
  std::string metadata;
  std::vector<Event> events;
  bool complete = false;  // the end mark is there; false: the writer was stopped
};

// Errors: as MappedFile::open; kMalformed, with what and where; kUnsupported (another version).
Result<EventFile> read_event_file(const std::string& path);
// The same from memory; `name` is for messages.
Result<EventFile> parse_event_file(std::span<const std::byte> bytes, std::string_view name);

}  // namespace orrery::trace
