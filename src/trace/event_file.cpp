#include "trace/event_file.h"

#include <bit>
#include <cerrno>
#include <cstring>

#include "base/mapped_file.h"
#include "trace/crc32.h"

namespace orrery::trace {
namespace {

static_assert(std::endian::native == std::endian::little, "the file is little-endian");

constexpr char kMagic[8] = {'O', 'R', 'R', 'E', 'V', 'E', 'N', 'T'};
constexpr size_t kEventsPerWrite = 4096;  // 128 KiB

struct FileHeader {
  char magic[8];
  uint32_t version;
  uint32_t event_bytes;
  uint32_t metadata_bytes;
  uint32_t crc;  // of the fields above and the metadata
};
static_assert(sizeof(FileHeader) == 24);

// Before each chunk. The end mark is one with no events.
struct ChunkHeader {
  uint64_t first;  // number of the chunk's first event in the file; of all events, in the end mark
  uint32_t count;
  uint32_t crc;  // of the fields above and the events
};
static_assert(sizeof(ChunkHeader) == 16);

template <typename T>
std::span<const std::byte> bytes_of(const T& value, size_t size_bytes = sizeof(T)) {
  return {reinterpret_cast<const std::byte*>(&value), size_bytes};
}

uint32_t header_crc(const FileHeader& header, std::span<const std::byte> metadata) {
  return crc32(metadata, crc32(bytes_of(header, offsetof(FileHeader, crc))));
}
uint32_t chunk_crc(const ChunkHeader& header, std::span<const std::byte> events) {
  return crc32(events, crc32(bytes_of(header, offsetof(ChunkHeader, crc))));
}

// Takes bytes from the front of a file.
class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, std::string_view name) : bytes_(bytes), name_(name) {}
  size_t offset() const { return offset_; }
  bool at_end() const { return offset_ == bytes_.size(); }

  Result<std::span<const std::byte>> take(size_t size_bytes, const char* what) {
    const size_t left = bytes_.size() - offset_;
    if (size_bytes > left) {
      return malformed("{}: {} at byte {}: expected {} bytes, got {}", name_, what, offset_,
                       size_bytes, left);
    }
    offset_ += size_bytes;
    return bytes_.subspan(offset_ - size_bytes, size_bytes);
  }
  template <typename T>
  Status read(T& value, const char* what) {
    ASSIGN_OR_RETURN(const auto bytes, take(sizeof(T), what));
    std::memcpy(&value, bytes.data(), sizeof(T));
    return {};
  }

 private:
  std::span<const std::byte> bytes_;
  std::string_view name_;
  size_t offset_ = 0;
};

Result<std::string> parse_header(Cursor& cursor, std::string_view name) {
  FileHeader header;
  RETURN_IF_ERROR(cursor.read(header, "header"));
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0) {
    return malformed("{}: expected a step-event log, which begins with \"ORREVENT\"", name);
  }
  if (header.version != kEventFileVersion || header.event_bytes != sizeof(Event)) {
    return unsupported("{}: expected version {} with events of {} bytes, got version {} with {}",
                       name, kEventFileVersion, sizeof(Event), header.version, header.event_bytes);
  }
  if (header.metadata_bytes > kMaxMetadataBytes) {
    return malformed("{}: metadata: expected at most {} bytes, got {}", name, kMaxMetadataBytes,
                     header.metadata_bytes);
  }
  ASSIGN_OR_RETURN(const auto metadata, cursor.take(header.metadata_bytes, "metadata"));
  if (header_crc(header, metadata) != header.crc) {
    return malformed("{}: header: its checksum is wrong", name);
  }
  return std::string(reinterpret_cast<const char*>(metadata.data()), metadata.size());
}

Status check_event(const Event& event, uint64_t number, std::string_view name) {
  const auto kind = static_cast<uint8_t>(event.kind);
  const auto reason = static_cast<uint8_t>(event.reason);
  if (kind == 0 || kind > kMaxEventKind || reason > kMaxReason) {
    return malformed("{}: event {}: expected kind 1 .. {} and reason 0 .. {}, got {} and {}", name,
                     number, kMaxEventKind, kMaxReason, kind, reason);
  }
  return {};
}

// Appends one chunk to `file`; sets `complete` at the end mark.
Status parse_chunk(Cursor& cursor, std::string_view name, EventFile& file) {
  const size_t offset = cursor.offset();
  ChunkHeader header;
  RETURN_IF_ERROR(cursor.read(header, "chunk"));
  if (header.count > kMaxEventsPerChunk || header.first != file.events.size()) {
    return malformed("{}: chunk at byte {}: expected event {} and at most {} more, got {} and {}",
                     name, offset, file.events.size(), kMaxEventsPerChunk, header.first,
                     header.count);
  }
  ASSIGN_OR_RETURN(const auto bytes, cursor.take(header.count * sizeof(Event), "events"));
  if (chunk_crc(header, bytes) != header.crc) {
    return malformed("{}: chunk at byte {}: its checksum is wrong", name, offset);
  }
  file.events.resize(header.first + header.count);
  if (header.count > 0)
    std::memcpy(static_cast<void*>(&file.events[header.first]), bytes.data(), bytes.size());
  for (uint64_t i = header.first; i < file.events.size(); ++i) {
    RETURN_IF_ERROR(check_event(file.events[i], i, name));
  }
  file.complete = header.count == 0;
  return {};
}

}  // namespace

Result<EventFileWriter> EventFileWriter::create(const std::string& path,
                                                std::string_view metadata) {
  if (metadata.size() > kMaxMetadataBytes) {
    return invalid_argument("{}: metadata: expected at most {} bytes, got {}", path,
                            kMaxMetadataBytes, metadata.size());
  }
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return io_error("{}: {}", path, std::strerror(errno));
  EventFileWriter writer(path, file);
  FileHeader header = {};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.version = kEventFileVersion;
  header.event_bytes = sizeof(Event);
  header.metadata_bytes = static_cast<uint32_t>(metadata.size());
  header.crc = header_crc(header, std::as_bytes(std::span(metadata)));
  RETURN_IF_ERROR(writer.write(&header, sizeof(header)));
  RETURN_IF_ERROR(writer.write(metadata.data(), metadata.size()));
  writer.chunk_.reserve(kEventsPerWrite);
  return writer;
}

Status EventFileWriter::write(const void* data, size_t size_bytes) {
  if (std::fwrite(data, 1, size_bytes, file_.get()) != size_bytes) {
    return io_error("{}: {}", path_, std::strerror(errno));
  }
  return {};
}

Status EventFileWriter::write_chunk() {
  ChunkHeader header = {num_written_, static_cast<uint32_t>(chunk_.size()), 0};
  header.crc = chunk_crc(header, std::as_bytes(std::span(chunk_)));
  RETURN_IF_ERROR(write(&header, sizeof(header)));
  RETURN_IF_ERROR(write(chunk_.data(), chunk_.size() * sizeof(Event)));
  num_written_ += chunk_.size();
  chunk_.clear();
  return {};
}

Status EventFileWriter::append(const Event& event) {
  chunk_.push_back(event);
  return chunk_.size() < kEventsPerWrite ? Status() : flush();
}

Status EventFileWriter::flush() {
  if (!chunk_.empty()) RETURN_IF_ERROR(write_chunk());
  if (std::fflush(file_.get()) != 0) return io_error("{}: {}", path_, std::strerror(errno));
  return {};
}

Status EventFileWriter::close() {
  RETURN_IF_ERROR(flush());
  RETURN_IF_ERROR(write_chunk());
  if (std::fclose(file_.release()) != 0) return io_error("{}: {}", path_, std::strerror(errno));
  return {};
}

Result<EventFile> parse_event_file(std::span<const std::byte> bytes, std::string_view name) {
  Cursor cursor(bytes, name);
  EventFile file;
  ASSIGN_OR_RETURN(file.metadata, parse_header(cursor, name));
  while (!cursor.at_end() && !file.complete) RETURN_IF_ERROR(parse_chunk(cursor, name, file));
  if (!cursor.at_end()) {
    return malformed("{}: byte {}: expected nothing after the end mark", name, cursor.offset());
  }
  return file;
}

Result<EventFile> read_event_file(const std::string& path) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  return parse_event_file(file.bytes(), path);
}

}  // namespace orrery::trace
