#include "live/hub.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <thread>

#include "base/json.h"
#include "live/history.h"
#include "live/page_files.h"
#include "trace/event_file.h"

namespace orrery::live {
namespace {

using trace::Event;
using trace::EventKind;
using trace::Reason;

struct Frame {
  char kind;
  std::string body;

  std::vector<Event> events() const {
    std::vector<Event> out((body.size() - 16) / sizeof(Event));
    std::memcpy(out.data(), body.data() + 16, out.size() * sizeof(Event));
    return out;
  }
  uint64_t next() const {
    uint64_t next = 0;
    std::memcpy(&next, body.data(), sizeof(next));
    return next;
  }
  Json json() const {
    auto parsed = parse_json(body, "frame");
    EXPECT_TRUE(parsed.ok()) << parsed.status().message();
    return parsed.ok() ? *parsed : Json();
  }
};

std::vector<Frame> frames_of(std::string_view bytes) {
  std::vector<Frame> frames;
  while (!bytes.empty()) {
    uint32_t size = 0;
    EXPECT_GE(bytes.size(), 8u);
    std::memcpy(&size, bytes.data() + 4, sizeof(size));
    EXPECT_GE(bytes.size(), 8u + size);
    frames.push_back({bytes[0], std::string(bytes.substr(8, size))});
    bytes.remove_prefix(8 + size);
  }
  return frames;
}

Event event(EventKind kind, uint32_t request, std::array<int32_t, 4> value = {},
            uint16_t detail = 0) {
  return {1, request, kind, Reason::kNone, detail, value};
}

// Reads until `count` events of frames 'E' have come, or two seconds are over.
std::vector<Frame> read_events(Viewer& viewer, size_t count) {
  std::vector<Frame> all;
  size_t seen = 0;
  for (int i = 0; i < 400 && seen < count; ++i) {
    for (Frame& frame : frames_of(viewer.next())) {
      if (frame.kind == 'E') seen += frame.events().size();
      all.push_back(std::move(frame));
    }
    if (seen < count) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(seen, count);
  return all;
}

std::vector<Event> events_of(const std::vector<Frame>& frames, char kind = 'E') {
  std::vector<Event> all;
  for (const Frame& frame : frames) {
    if (frame.kind != kind) continue;
    for (const Event& e : frame.events()) all.push_back(e);
  }
  return all;
}

HubOptions quick() {
  HubOptions options;
  options.period = std::chrono::milliseconds(2);
  options.token_text = [](int32_t id) {
    return id == 9 ? TokenText{"\xE4\xBD", false} : TokenText{"t" + std::to_string(id), id == 0};
  };
  return options;
}

TEST(Hub, GivesAViewerTheDescriptionTheTextsAndTheEventsInOrder) {
  trace::EventRing ring(1 << 10);
  HubOptions options = quick();
  options.description = R"({"model":"m"})";
  Hub hub(ring, options);
  const auto viewer = hub.watch("");
  ring.write(event(EventKind::kArrived, 1, {5, 8}));
  ring.write(event(EventKind::kPromptTokens, 1, {0, 7, 9}, 3));
  ring.write(event(EventKind::kSampled, 1, {7, 3}));
  const auto frames = read_events(*viewer, 3);
  ASSERT_GE(frames.size(), 3u);
  EXPECT_EQ(frames[0].kind, 'H');
  EXPECT_EQ(frames[0].json()["description"]["model"], "m");
  const auto events = events_of(frames);
  EXPECT_EQ(events[0].kind, EventKind::kArrived);
  EXPECT_EQ(events[2].value[0], 7);
  Json texts = Json::object();
  for (const Frame& frame : frames) {
    if (frame.kind == 'T') texts.merge_patch(frame.json());
  }
  EXPECT_EQ(texts["texts"]["7"], "t7");
  EXPECT_EQ(texts["bytes"]["9"], Json::array({0xE4, 0xBD}));
  EXPECT_EQ(texts["special"], Json::array({0}));
}

TEST(Hub, GoesOnWhereAnEarlierStreamEnded) {
  trace::EventRing ring(1 << 10);
  Hub hub(ring, quick());
  std::string query;
  {
    const auto viewer = hub.watch("");
    ring.write(event(EventKind::kArrived, 1));
    const auto frames = read_events(*viewer, 1);
    query = fmt::format("from={}&epoch={}", frames.back().next(),
                        frames[0].json()["epoch"].get<std::string>());
  }
  ring.write(event(EventKind::kArrived, 2));
  const auto viewer = hub.watch(query);
  const auto frames = read_events(*viewer, 1);
  EXPECT_TRUE(frames[0].json()["resumed"].get<bool>());
  EXPECT_EQ(events_of(frames)[0].request, 2u);
  EXPECT_TRUE(events_of(frames, 'S').empty());
}

TEST(Hub, GivesWhoComesLateTheStateBeforeTheOldestEventKept) {
  trace::EventRing ring(1 << 10);
  HubOptions options = quick();
  options.history_events = 4;
  Hub hub(ring, options);
  const auto first = hub.watch("");
  ring.write(event(EventKind::kArrived, 1, {2, 8}));
  ring.write(event(EventKind::kPromptTokens, 1, {3, 4}, 2));
  ring.write(event(EventKind::kAdmitted, 1, {0, 2, 0, 1}));
  ring.write(event(EventKind::kBlockTaken, 1, {6, 0}));
  for (int i = 0; i < 6; ++i) ring.write(event(EventKind::kSampled, 1, {10 + i, 2 + i}));
  for (int i = 0; i < 400 && events_of(frames_of(hub.watch("")->next())).size() < 4; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const auto viewer = hub.watch("");
  const auto frames = frames_of(viewer->next());
  const auto before = events_of(frames, 'S');
  EXPECT_EQ(events_of(frames).size(), 4u);
  History history(100);
  history.append(before);
  EXPECT_EQ(history.num_requests(), 1u);
  EXPECT_EQ(history.oldest_running(), 1u);
  const auto has = [&](EventKind kind, int32_t value) {
    return std::any_of(before.begin(), before.end(),
                       [&](const Event& e) { return e.kind == kind && e.value[0] == value; });
  };
  EXPECT_TRUE(has(EventKind::kPromptTokens, 3));
  EXPECT_TRUE(has(EventKind::kBlockTaken, 6));
  EXPECT_TRUE(has(EventKind::kSampled, 10));
}

TEST(Hub, LetsAViewerThatLagsFarGoOnFromThePresent) {
  trace::EventRing ring(1 << 18);
  Hub hub(ring, quick());
  const auto viewer = hub.watch("");
  viewer->next();
  ring.write(event(EventKind::kArrived, 1, {1, 8}));
  ring.write(event(EventKind::kPromptTokens, 1, {5}, 1));
  for (int i = 0; i < 100'000; ++i) ring.write(event(EventKind::kSampled, 1, {1, 1 + i}));
  ring.write(event(EventKind::kFinished, 1));
  ring.write(event(EventKind::kArrived, 2, {1, 8}));
  const auto frames = frames_of(viewer->next());
  const auto state = events_of(frames, 'S');
  ASSERT_EQ(state.size(), 1u);  // of the first request nothing matters any more
  EXPECT_EQ(state[0].kind, EventKind::kArrived);
  EXPECT_EQ(state[0].request, 2u);
}

TEST(Hub, TellsASlowViewerHowMuchItWasNotGiven) {
  trace::EventRing ring(1 << 17);
  HubOptions options = quick();
  Hub hub(ring, options);
  const auto viewer = hub.watch("");
  viewer->next();
  for (int i = 0; i < 30000; ++i) {
    ring.write(event(i % 2 == 0 ? EventKind::kCandidate : EventKind::kSampled, 1, {1, i}));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  uint64_t left_out = 0, sampled = 0, candidates = 0;
  for (int i = 0; i < 4; ++i) {
    for (const Frame& frame : frames_of(viewer->next())) {
      if (frame.kind == 'B') left_out += frame.json()["left_out"].get<uint64_t>();
      if (frame.kind != 'E') continue;
      for (const Event& e : frame.events())
        ++(e.kind == EventKind::kSampled ? sampled : candidates);
    }
  }
  EXPECT_EQ(sampled, 15000u);
  EXPECT_GT(left_out, 5000u);
  EXPECT_EQ(left_out + candidates, 15000u);
}

TEST(Hub, SendsALongPastInPiecesThatAnyBufferHolds) {
  trace::EventRing ring(1 << 17);
  HubOptions options = quick();
  options.history_events = 40000;
  Hub hub(ring, options);
  for (int i = 0; i < 90000; ++i) ring.write(event(EventKind::kSampled, 1, {1, i}));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const auto viewer = hub.watch("");
  size_t before = 0, after = 0;
  int32_t last = -1;
  for (int i = 0; i < 40 && after < 40000; ++i) {
    const std::string bytes = viewer->next();
    EXPECT_LE(bytes.size(), 700u << 10);
    for (const Frame& frame : frames_of(bytes)) {
      if (frame.kind != 'S' && frame.kind != 's' && frame.kind != 'E') continue;
      for (const Event& e : frame.events()) {
        EXPECT_EQ(e.value[1], ++last);
        ++(frame.kind == 'E' ? after : before);
      }
    }
  }
  EXPECT_EQ(before, 50000u);
  EXPECT_EQ(after, 40000u);
}

TEST(Hub, LeavesViewersWholeWhenItEnds) {
  trace::EventRing ring(1 << 10);
  auto hub = std::make_unique<Hub>(ring, quick());
  const auto viewer = hub->watch("");
  viewer->next();
  hub.reset();
  EXPECT_EQ(viewer->next(), "");
}

TEST(Hub, HidesTextAndIdsWhenAskedTo) {
  for (const LiveText text : {LiveText::kIds, LiveText::kOff}) {
    trace::EventRing ring(1 << 10);
    HubOptions options = quick();
    options.text = text;
    Hub hub(ring, options);
    const auto viewer = hub.watch("");
    ring.write(event(EventKind::kPromptTokens, 1, {3, 4}, 2));
    ring.write(event(EventKind::kRequestParams, 1, {0x6f747322}, 4));
    ring.write(event(EventKind::kSampled, 1, {5, 2, 77, 77}));
    const auto frames = read_events(*viewer, 2);
    for (const Frame& frame : frames) EXPECT_NE(frame.kind, 'T');
    const auto events = events_of(frames);
    const bool off = text == LiveText::kOff;
    EXPECT_EQ(events[0].value[0], off ? -1 : 3);
    EXPECT_EQ(events[1].kind, EventKind::kSampled);
    EXPECT_EQ(events[1].value[0], off ? -1 : 5);
    EXPECT_EQ(events[1].value[2], off ? 0 : 77);
    const Response file = hub.get("/live/snapshot", "");
    EXPECT_EQ(file.body.find("stop"), std::string::npos);
  }
}

TEST(Hub, SavesWhatItKeepsAsAFileThatCanBeRead) {
  trace::EventRing ring(1 << 10);
  Hub hub(ring, quick());
  const auto viewer = hub.watch("");
  ring.write(event(EventKind::kArrived, 1));
  ring.write(event(EventKind::kSampled, 1, {7, 1}));
  read_events(*viewer, 2);
  for (const Response& response :
       {hub.get("/live/snapshot", ""), hub.get("/live/range", "from=0&to=2")}) {
    ASSERT_EQ(response.status, 200);
    const auto file = trace::parse_event_file(std::as_bytes(std::span(response.body)), "snapshot");
    ASSERT_TRUE(file.ok()) << file.status().message();
    EXPECT_TRUE(file->complete);
    EXPECT_EQ(file->events.size(), 2u);
    EXPECT_NE(file->metadata.find("t7"), std::string::npos);
  }
  EXPECT_EQ(hub.get("/live/range", "from=1&to=99").status, 400);
  EXPECT_EQ(hub.get("/live/range", "from=x").status, 400);
}

TEST(Hub, TellsTheTextsOfIdsUnlessTheyAreHidden) {
  trace::EventRing ring(1 << 10);
  HubOptions options = quick();
  const Hub open(ring, options);
  const auto answer = parse_json(open.get("/live/texts", "ids=7,9,0").body, "texts");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ((*answer)["texts"]["7"], "t7");
  EXPECT_EQ((*answer)["bytes"]["9"].size(), 2u);
  for (const char* bad : {"ids=x", "ids=1,,2", "ids=-1", "ids=99999999999"})
    EXPECT_EQ(open.get("/live/texts", bad).status, 400) << bad;
  options.text = LiveText::kIds;
  const Hub hidden(ring, options);
  EXPECT_EQ(hidden.get("/live/texts", "ids=7").body, "{}");
}

TEST(Hub, AsksForCandidatesOnlyWhileSomebodyWatches) {
  trace::EventRing ring(1 << 10);
  std::mutex mutex;
  std::vector<uint32_t> focus;
  HubOptions options = quick();
  options.set_focus = [&](uint32_t request) {
    const std::lock_guard lock(mutex);
    focus.push_back(request);
  };
  const auto last = [&] {
    const std::lock_guard lock(mutex);
    return focus.empty() ? 0 : focus.back();
  };
  const auto becomes = [&](uint32_t request) {
    for (int i = 0; i < 400 && last() != request; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return last() == request;
  };
  Hub hub(ring, options);
  auto viewer = hub.watch("focus=3");
  EXPECT_TRUE(becomes(kEveryRequest));  // few run: all of them
  for (uint32_t id = 1; id <= 8; ++id) ring.write(event(EventKind::kArrived, id));
  EXPECT_TRUE(becomes(3));
  viewer.reset();
  EXPECT_TRUE(becomes(0));
}

TEST(Hub, GivesWhoComesLateTheTechniquesThatAreOn) {
  KeptState state;
  state.apply(event(EventKind::kBlockTaken, 1, {3, 0}));
  state.apply(event(EventKind::kBlockCached, 1, {3, 0}));
  state.apply(event(EventKind::kBlockFreed, 1, {3, 0, 1}));
  EXPECT_EQ(state.snapshot().size(), 3u);
  state.apply(event(EventKind::kTechniques, 0, {27, 64}));
  const std::vector<Event> snapshot = state.snapshot();
  ASSERT_EQ(snapshot.size(), 1u) << "nothing is cached any more";
  EXPECT_EQ(snapshot[0].kind, EventKind::kTechniques);
  EXPECT_EQ(snapshot[0].value[0], 27);
}

TEST(Hub, TellsAgainAndAgainThatNobodyWatches) {
  trace::EventRing ring(1 << 10);
  HubOptions options = quick();
  std::atomic<int> told{0};
  options.on_unwatched = [&told] { ++told; };
  options.unwatched_after = std::chrono::milliseconds(20);
  Hub hub(ring, options);
  for (int i = 0; i < 1000 && told < 3; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_GE(told, 3);
  const auto viewer = hub.watch("");
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // a call that was under way
  const int before = told;
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(told, before);
}

TEST(Hub, ServesThePageAndNothingElse) {
  trace::EventRing ring(1 << 10);
  const Hub hub(ring, quick());
  const Response page = hub.get("/", "");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_EQ(hub.get("/live/main.js", "").content_type, "text/javascript; charset=utf-8");
  for (const char* path : {"/live/", "/live/nothing.js", "/live/../hub.h", "/x", "", "main.js"})
    EXPECT_EQ(hub.get(path, "").status, 404) << path;
}

TEST(Page, AsksNobodyButItsOwnServer) {
  for (const EmbeddedFile& file : page_file_table()) {
    const std::string_view text(reinterpret_cast<const char*>(file.bytes.data()),
                                file.bytes.size());
    if (content_type_of(file.name) == "application/octet-stream") continue;
    for (size_t at = text.find("://"); at != std::string_view::npos;
         at = text.find("://", at + 1)) {
      // The names of XML namespaces are not addresses.
      const std::string_view name = text.substr(at >= 4 ? at - 4 : 0, 21);
      EXPECT_EQ(name, "http://www.w3.org/200") << file.name;
    }
  }
}

}  // namespace
}  // namespace orrery::live
