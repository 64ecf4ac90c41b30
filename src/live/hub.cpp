#include "live/hub.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/json.h"
#include "live/encoding.h"
#include "live/history.h"
#include "live/page_files.h"
#include "live/shown.h"

namespace orrery::live {

using trace::Event;
using trace::EventKind;

namespace {

// What a viewer is given at once: 512 KiB. If more waits for it, fine detail is left out.
constexpr uint64_t kMaxEventsAtOnce = 1 << 14;
constexpr uint64_t kThinAbove = 1 << 14;
// Who lags by more goes on from a snapshot of the present.
constexpr uint64_t kMaxLag = 1 << 16;
constexpr std::chrono::seconds kKeepAlive{10};

bool is_detail(const Event& event) {
  return event.kind == EventKind::kCandidate || event.kind == EventKind::kFiltered ||
         event.kind == EventKind::kTextHeldBack || event.kind == EventKind::kRequestParams;
}

std::string_view name_of(LiveText text) {
  return text == LiveText::kOn ? "on" : text == LiveText::kIds ? "ids" : "off";
}

}  // namespace

std::optional<LiveText> parse_live_text(std::string_view name) {
  for (const LiveText text : {LiveText::kOn, LiveText::kIds, LiveText::kOff}) {
    if (name == name_of(text)) return text;
  }
  return std::nullopt;
}

std::string_view content_type_of(std::string_view name) {
  const auto ends = [&](std::string_view with) {
    return name.size() > with.size() && name.substr(name.size() - with.size()) == with;
  };
  if (ends(".html")) return "text/html; charset=utf-8";
  if (ends(".css")) return "text/css; charset=utf-8";
  if (ends(".js")) return "text/javascript; charset=utf-8";
  if (ends(".svg")) return "image/svg+xml";
  return "application/octet-stream";
}

class Hub::Impl {
 public:
  Impl(trace::EventRing& ring, HubOptions asked)
      : options(std::move(asked)),
        history_(options.history_events),
        epoch(std::to_string(std::chrono::system_clock::now().time_since_epoch().count())),
        reader_(ring.reader()),
        buffer_(4096),
        thread_([this] { run(); }) {}

  ~Impl() { CHECK(!thread_.joinable()) << "the hub ends before its viewers' last hold on it"; }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    thread_.join();
    const std::lock_guard reading(reading_mutex_);
    reader_.reset();  // the ring may go now
  }

  uint64_t milliseconds() const {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                     std::chrono::steady_clock::now() - start_)
                                     .count());
  }

  Response snapshot() const {
    std::vector<Event> events;
    size_t num_before = 0;
    {
      const std::lock_guard lock(mutex_);
      events = history_.before().snapshot();
      num_before = events.size();
      const std::vector<Event> kept = history_.copy(history_.begin(), history_.end());
      events.insert(events.end(), kept.begin(), kept.end());
    }
    return file(std::move(events), num_before);
  }

  Response range(std::string_view query) const {
    std::vector<Event> events;
    {
      const std::lock_guard lock(mutex_);
      uint64_t from = history_.begin(), to = history_.end();
      for (const auto& [name, value] : {std::pair("from", &from), std::pair("to", &to)}) {
        const std::string_view text = query_value(query, name);
        if (!text.empty() && !parse_number(text, *value)) {
          return {400, "text/plain", fmt::format("{}: expected a number\n", name)};
        }
      }
      if (from < history_.begin() || from > to || to > history_.end()) {
        return {400, "text/plain",
                fmt::format("expected from <= to in {} .. {}, got {} .. {}\n", history_.begin(),
                            history_.end(), from, to)};
      }
      events = history_.copy(from, to);
    }
    return file(std::move(events), 0);
  }

  Response texts(std::string_view query) const {
    constexpr size_t kMaxIds = 1024;
    TextTable table(options);
    std::string_view ids = query_value(query, "ids");
    for (size_t count = 0; !ids.empty(); ++count) {
      const size_t end = std::min(ids.find(','), ids.size());
      uint64_t id = 0;
      if (count == kMaxIds || !parse_number(ids.substr(0, end), id) || id > INT32_MAX) {
        return {400, "text/plain", fmt::format("ids: expected at most {} numbers\n", kMaxIds)};
      }
      table.add(static_cast<int32_t>(id));
      ids.remove_prefix(std::min(end + 1, ids.size()));
    }
    return {200, "application/json", dump_json(table.take())};
  }

  struct Piece {
    bool reset = false;   // `before` recreates the state
    bool at_end = false;  // there are no more for now
    std::vector<Event> before, events;
    uint64_t next = 0;
    uint64_t left_out = 0;
  };
  // Takes in what the engine has written. By the hub's thread and viewers.
  void look() {
    const std::lock_guard reading(reading_mutex_);
    if (!reader_) return;
    read();
    tell_focus();
  }

  // What a viewer at event `next` gets.
  Piece piece_from(uint64_t next, bool has_state, bool catches_up, uint32_t focus) const {
    Piece piece;
    const std::lock_guard lock(mutex_);
    const uint64_t begin = history_.begin(), end = history_.end();
    if (!has_state) {
      piece.reset = true;
      piece.before = history_.before().snapshot();
      next = begin;
    } else if (next < begin || (!catches_up && end - next > kMaxLag)) {
      piece.reset = true;
      piece.before = history_.now().snapshot();
      piece.left_out = end - next;
      next = end;
    }
    // The past is given whole, a piece at a time; what happens now, thinned when it is too much.
    const bool thin = !catches_up && has_state && end - next > kThinAbove;
    piece.next = std::min(end, next + kMaxEventsAtOnce);
    piece.events = history_.copy(next, piece.next);
    piece.at_end = piece.next == end;
    if (thin) {
      piece.left_out += std::erase_if(piece.events, [&](const Event& event) {
        return is_detail(event) && event.request != focus;
      });
    }
    return piece;
  }
  bool holds(uint64_t number) const {
    const std::lock_guard lock(mutex_);
    return number >= history_.begin() && number <= history_.end();
  }

  // Viewers register what they want to see; the hub's thread tells the engine.
  void add_viewer(const void* viewer, uint32_t focus) {
    {
      const std::lock_guard lock(mutex_);
      viewers_.emplace_back(viewer, focus);
    }
    wake_.notify_all();
  }
  void remove_viewer(const void* viewer) {
    const std::lock_guard lock(mutex_);
    std::erase_if(viewers_, [&](const auto& entry) { return entry.first == viewer; });
  }
  size_t num_viewers() const {
    const std::lock_guard lock(mutex_);
    return viewers_.size();
  }

  const HubOptions options;

 private:
  // Seldom enough to cost nothing, often enough for the ring not to run over.
  void run() {
    std::unique_lock lock(mutex_);
    while (!stop_) {
      lock.unlock();
      look();
      lock.lock();
      tell_unwatched(lock);
      if (stop_) break;
      wake_.wait_for(lock, options.period);
    }
  }

  void read() {
    while (true) {
      const auto [count, lost] = reader_->read(buffer_);
      if (count == 0 && lost == 0) return;
      const std::lock_guard lock(mutex_);
      history_.lose(lost);
      history_.append(std::span(buffer_).first(count));
    }
  }

  // Candidates of few requests cost little; of many, only those of the one that is looked at.
  uint32_t wanted_focus() const {
    constexpr size_t kFew = 4;
    const std::lock_guard lock(mutex_);
    if (viewers_.empty()) return 0;
    if (history_.num_requests() <= kFew) return kEveryRequest;
    for (const auto& [viewer, focus] : viewers_) {
      if (focus != 0) return focus;
    }
    return history_.oldest_running();
  }
  void tell_focus() {
    const uint32_t focus = wanted_focus();
    if (!options.set_focus || focus == focus_) return;
    focus_ = focus;
    options.set_focus(focus);
  }

  // A page that only connects anew is not gone.
  void tell_unwatched(std::unique_lock<std::mutex>& lock) {
    const auto now = std::chrono::steady_clock::now();
    if (!viewers_.empty()) last_watched_ = now;
    if (!options.on_unwatched || now - last_watched_ < options.unwatched_after) return;
    last_watched_ = now;
    lock.unlock();
    options.on_unwatched();
    lock.lock();
  }

  Response file(std::vector<Event> events, size_t num_before) const {
    num_before -= redact_all(events, num_before, options.text);
    TextTable texts(options);
    texts.add(events);
    auto description = parse_json(options.description, "description");
    Json metadata = description.ok() ? *description : Json::object();
    metadata.update(texts.take());
    metadata["snapshot_events"] = num_before;
    return {200, "application/octet-stream", encode_event_file(dump_json(metadata), events)};
  }

  History history_;  // guarded by mutex_
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::vector<std::pair<const void*, uint32_t>> viewers_;
  std::chrono::steady_clock::time_point last_watched_ = std::chrono::steady_clock::now();
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();

 public:
  const std::string epoch;

 private:
  std::mutex reading_mutex_;  // guards what follows; taken before mutex_
  std::optional<trace::EventRing::Reader> reader_;
  std::vector<Event> buffer_;
  uint32_t focus_ = 0;
  std::thread thread_;  // last
};

namespace {

// Defined here, since it needs Hub::Impl, which is private to Hub.
template <typename Impl>
class HubViewer final : public Viewer {
 public:
  HubViewer(std::shared_ptr<Impl> hub, std::string_view query)
      : hub_(std::move(hub)), texts_(hub_->options) {
    uint64_t from = 0, focus = 0;
    if (parse_number(query_value(query, "focus"), focus)) focus_ = static_cast<uint32_t>(focus);
    if (query_value(query, "epoch") == hub_->epoch &&
        parse_number(query_value(query, "from"), from) && hub_->holds(from)) {
      next_ = from;
      has_state_ = resumed_ = true;
    }
    hub_->add_viewer(this, focus_);
  }
  ~HubViewer() override { hub_->remove_viewer(this); }

  std::string next() override {
    std::string out;
    if (!greeted_) {
      greet(out);
      greeted_ = true;
    }
    if (before_.empty()) {
      hub_->look();
      auto piece = hub_->piece_from(next_, has_state_, catches_up_, focus_);
      has_state_ = true;
      catches_up_ = catches_up_ && !piece.at_end;
      next_ = piece.next;
      if (piece.left_out > 0) {
        append_frame(out, 'B', dump_json(Json{{"left_out", piece.left_out}}));
      }
      before_ = std::move(piece.before);
      after_ = std::move(piece.events);
      if (piece.reset) add_before(out, 'S');
    } else {
      add_before(out, 's');
    }
    if (before_.empty() && !after_.empty()) {
      add_events(out, 'E', after_);
      after_.clear();
    }
    const auto now = std::chrono::steady_clock::now();
    if (out.empty() && now - last_ > kKeepAlive) append_frame(out, 'K', {});
    if (!out.empty()) last_ = now;
    return out;
  }

 private:
  void greet(std::string& out) const {
    auto description = parse_json(hub_->options.description, "description");
    const Json hello = {{"description", description.ok() ? *description : Json::object()},
                        {"text", name_of(hub_->options.text)},
                        {"epoch", hub_->epoch},
                        {"resumed", resumed_}};
    append_frame(out, 'H', dump_json(hello));
  }

  // As many as may go at once; the rest later.
  void add_before(std::string& out, char kind) {
    const size_t count = std::min<size_t>(before_.size(), kMaxEventsAtOnce / 2);
    std::vector<Event> now(before_.begin(), before_.begin() + static_cast<ptrdiff_t>(count));
    before_.erase(before_.begin(), before_.begin() + static_cast<ptrdiff_t>(count));
    add_events(out, kind, now);
  }

  void add_events(std::string& out, char kind, std::vector<Event>& events) {
    redact_all(events, 0, hub_->options.text);
    texts_.add(events);
    if (!texts_.empty()) append_frame(out, 'T', dump_json(texts_.take()));
    append_event_frame(out, kind, next_, hub_->milliseconds(), events);
  }

  std::shared_ptr<Impl> hub_;
  TextTable texts_;
  uint64_t next_ = 0;
  uint32_t focus_ = 0;
  bool has_state_ = false, resumed_ = false, greeted_ = false;
  bool catches_up_ = true;             // until it has once had everything
  std::vector<Event> before_, after_;  // still to be sent
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace

Hub::Hub(trace::EventRing& ring, HubOptions options)
    : impl_(std::make_shared<Impl>(ring, std::move(options))) {}
Hub::~Hub() { impl_->stop(); }

Response Hub::get(std::string_view path, std::string_view query) const {
  if (path == "/live/snapshot") return impl_->snapshot();
  if (path == "/live/range") return impl_->range(query);
  if (path == "/live/texts") return impl_->texts(query);
  constexpr std::string_view kFolder = "/live/";
  const bool file = path.substr(0, kFolder.size()) == kFolder;
  const std::string_view name = path == "/" ? "index.html" : path.substr(file ? 6 : path.size());
  for (const EmbeddedFile& part : page_file_table()) {
    if (part.name != name) continue;
    return {200, content_type_of(name),
            std::string(reinterpret_cast<const char*>(part.bytes.data()), part.bytes.size())};
  }
  return {404, "text/plain", "no such page\n"};
}

std::unique_ptr<Viewer> Hub::watch(std::string_view query) {
  return std::make_unique<HubViewer<Impl>>(impl_, query);
}

size_t Hub::num_viewers() const { return impl_->num_viewers(); }

}  // namespace orrery::live
