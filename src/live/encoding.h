// Bytes of what the hub sends: frames of a stream (hub.h), and whole recordings
// (doc/step-event-log.md).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "trace/event.h"

namespace orrery::live {

void append_frame(std::string& out, char kind, std::string_view body);
// 'S' or 'E': `next` is the number of the event after the last one.
void append_event_frame(std::string& out, char kind, uint64_t next, uint64_t milliseconds,
                        std::span<const trace::Event> events);

std::string encode_event_file(std::string_view metadata, std::span<const trace::Event> events);

// The value of `name` in "a=1&b=2"; empty if it is not there. Nothing is unescaped.
std::string_view query_value(std::string_view query, std::string_view name);
// Decimal, at most 20 digits; false for anything else.
bool parse_number(std::string_view text, uint64_t& value);

}  // namespace orrery::live
