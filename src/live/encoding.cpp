#include "live/encoding.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "trace/crc32.h"
#include "trace/event_file.h"

namespace orrery::live {
namespace {

static_assert(std::endian::native == std::endian::little, "events are sent as they lie in memory");

template <typename T>
void append_number(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

std::string_view bytes_of(std::span<const trace::Event> events) {
  return {reinterpret_cast<const char*>(events.data()), events.size_bytes()};
}

uint32_t checksum(std::string_view a, std::string_view b) {
  return trace::crc32(std::as_bytes(std::span(b)), trace::crc32(std::as_bytes(std::span(a))));
}

}  // namespace

void append_frame(std::string& out, char kind, std::string_view body) {
  out.push_back(kind);
  out.append(3, '\0');
  append_number(out, static_cast<uint32_t>(body.size()));
  out.append(body);
}

void append_event_frame(std::string& out, char kind, uint64_t next, uint64_t milliseconds,
                        std::span<const trace::Event> events) {
  out.push_back(kind);
  out.append(3, '\0');
  append_number(out, static_cast<uint32_t>(16 + events.size_bytes()));
  append_number(out, next);
  append_number(out, milliseconds);
  out.append(bytes_of(events));
}

std::string encode_event_file(std::string_view metadata, std::span<const trace::Event> events) {
  std::string out = "ORREVENT";
  append_number(out, trace::kEventFileVersion);
  append_number(out, static_cast<uint32_t>(sizeof(trace::Event)));
  append_number(out, static_cast<uint32_t>(metadata.size()));
  append_number(out, checksum(out, metadata));
  out.append(metadata);
  const auto chunk = [&](uint64_t first, std::span<const trace::Event> part) {
    std::string head;
    append_number(head, first);
    append_number(head, static_cast<uint32_t>(part.size()));
    const uint32_t sum = checksum(head, bytes_of(part));
    out.append(head);
    append_number(out, sum);
    out.append(bytes_of(part));
  };
  for (size_t first = 0; first < events.size(); first += trace::kMaxEventsPerChunk) {
    const size_t count = std::min<size_t>(trace::kMaxEventsPerChunk, events.size() - first);
    chunk(first, events.subspan(first, count));
  }
  chunk(events.size(), {});
  return out;
}

std::string_view query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view part = query.substr(0, end);
    const size_t equals = part.find('=');
    if (equals != std::string_view::npos && part.substr(0, equals) == name) {
      return part.substr(equals + 1);
    }
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return {};
}

bool parse_number(std::string_view text, uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

}  // namespace orrery::live
