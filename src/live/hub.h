// Hub: what the live page is served from. It reads the step-event log, keeps the last events, and
// gives each viewer what is new at the viewer's pace. Viewers read the log themselves, so that who
// watches takes a processor from the engine once for each look; a thread of the hub does it now and
// then, so that nothing is lost when none of them looks.
//
// The engine never waits for it: a viewer that cannot keep up is given fewer kinds of events, and
// at worst a fresh snapshot, and is told so. It knows nothing of sockets: a server asks get() for
// pages and drains a Viewer into a streaming response.
//
// A stream is a row of frames, little-endian: 1 byte kind, 3 bytes 0, 4 bytes length, then
//   'H'  JSON: {"description", "text", "epoch"}: once, first
//   'T'  JSON: {"texts": {"<id>": "text"}, "bytes": {"<id>": [..]}, "special": [id..]}: of ids in
//   the
//        frames to come; bytes where they are not whole characters
//   'S'  events that recreate the state before the oldest event kept; all before is void
//   's'  more of them
//   'E'  events as they happened
//   'B'  JSON: {"left_out": n}: events of fine detail that a slow viewer was not given
//   'K'  nothing: the stream is alive
// 'S', 's' and 'E' begin with two numbers of 8 bytes, that of the event after the last one (from=
// of a later stream) and milliseconds since the hub was made, followed by events as in
// doc/step-event-log.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trace/event_ring.h"

namespace orrery::live {

enum class LiveText {
  kOn,   // ids and their text
  kIds,  // ids only
  kOff,  // how many, but not which
};
std::optional<LiveText> parse_live_text(std::string_view name);  // "on", "ids", "off"

inline constexpr uint32_t kEveryRequest = 0xFFFFFFFF;

struct TokenText {
  std::string bytes;     // need not be whole characters
  bool special = false;  // a control token, which text usually leaves out
};

struct HubOptions {
  // A JSON object, given to pages and written as the metadata of recordings: the engine's settings.
  std::string description = "{}";
  // May be empty. Called by Viewer::next() and get(), by several threads at once.
  std::function<TokenText(int32_t)> token_text;
  // Told whose sampling candidates the engine is to log: a request's number, 0 (nobody watches), or
  // kEveryRequest. May be empty. Called by the hub's thread and by Viewer::next(), one at a time;
  // must return soon.
  std::function<void(uint32_t)> set_focus;
  // Called each time that nobody has watched for another `unwatched_after`. May be empty. On the
  // hub's thread.
  std::function<void()> on_unwatched;
  std::chrono::milliseconds unwatched_after{10'000};
  LiveText text = LiveText::kOn;
  size_t history_events = 1 << 17;  // of 32 bytes: what a page that opens later can scrub through
  std::chrono::milliseconds period{100};  // between two looks at the log by the hub's own thread
};

struct Response {
  int status = 200;
  std::string_view content_type;  // static
  std::string body;
};

// Sent with every response and stream of the hub. Static.
inline constexpr std::string_view kContentSecurityPolicy =
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

// One open page. Any thread, one at a time. Once the hub is gone, nothing new comes.
class Viewer {
 public:
  virtual ~Viewer() = default;
  // Bytes to send now, at most about 700 KiB; empty if there is nothing new. To be called every 33
  // ms or so, but not before the bytes of the call before have gone out.
  virtual std::string next() = 0;
};

class Hub {
 public:
  // The ring must outlive it, and should hold what the engine writes in some tenths of a second.
  Hub(trace::EventRing& ring, HubOptions options);
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  // `path` without the query, which is what follows '?'. "/" is the page, "/live/<file>" its parts;
  // "/live/snapshot" everything that is kept and "/live/range?from=N&to=M" a part of it, both as
  // files of doc/step-event-log.md; "/live/texts?ids=1,2,3" what a frame 'T' holds, for pages that
  // open a recording without texts (at most 1,024 ids). Any thread. Status 200, 400 or 404.
  Response get(std::string_view path, std::string_view query) const;

  // GET /live/events?from=N&epoch=E&focus=R, content type application/octet-stream. All optional:
  // `from` goes on where an earlier stream ended, `focus` is the request whose candidates it wants
  // to see when there are many. Any thread.
  std::unique_ptr<Viewer> watch(std::string_view query);

  size_t num_viewers() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  // viewers have it too
};

}  // namespace orrery::live
