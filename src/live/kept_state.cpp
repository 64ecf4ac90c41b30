#include "live/kept_state.h"

#include <algorithm>

namespace orrery::live {

using trace::Event;
using trace::EventKind;

namespace {

// Numbers come from a log of our own; a bound still keeps a broken one from taking all memory.
constexpr int32_t kMaxBlocks = 1 << 24;
constexpr int32_t kMaxTable = 1 << 20;

bool has(const Event& event, EventKind kind) { return event.kind == kind && event.request != 0; }

Event make(const Event& like, EventKind kind, std::array<int32_t, 4> value) {
  Event event = like;
  event.kind = kind;
  event.reason = trace::Reason::kNone;
  event.detail = 0;
  event.value = value;
  return event;
}

}  // namespace

KeptState::Kept& KeptState::request(const Event& event) { return requests_[event.request]; }

KeptState::Block* KeptState::block(int32_t number) {
  if (number < 0 || number >= kMaxBlocks) return nullptr;
  const auto index = static_cast<size_t>(number);
  if (index >= blocks_.size()) blocks_.resize(index + 1);
  return &blocks_[index];
}

void KeptState::take(const Event& event) {
  Block* taken = block(event.value[0]);
  if (taken == nullptr || event.value[1] < 0 || event.value[1] >= kMaxTable) return;
  const bool shared = event.kind == EventKind::kBlockShared;
  if (!shared || taken->users == 0) taken->owner = event.request;
  taken->users = shared ? event.value[2] : 1;
  if (!shared) taken->cached = false;
  // A snapshot's free blocks name who used them last, and who may be gone.
  const auto found = requests_.find(event.request);
  if (found == requests_.end()) return;
  std::vector<int32_t>& table = found->second.table;
  const auto index = static_cast<size_t>(event.value[1]);
  if (index >= table.size()) table.resize(index + 1, -1);
  table[index] = event.value[0];
}

void KeptState::release(const Event& event) {
  Block* freed = block(event.value[0]);
  if (freed == nullptr) return;
  freed->users = event.value[1];
  freed->cached = event.value[2] != 0;
  freed->freed = num_events_;
  const auto found = requests_.find(event.request);
  if (found == requests_.end()) return;
  std::vector<int32_t>& table = found->second.table;
  const auto last = std::find(table.rbegin(), table.rend(), event.value[0]);
  if (last != table.rend()) *last = -1;
}

void KeptState::apply(const Event& event) {
  ++num_events_;
  step_ = std::max(step_, event.step);
  switch (event.kind) {
    case EventKind::kArrived:
      request(event).arrived = event;
      break;
    case EventKind::kPromptTokens:
    case EventKind::kSampled:
      request(event).ids.push_back(event);
      break;
    case EventKind::kAdmitted:
      request(event).admitted = event;
      request(event).running = true;
      break;
    case EventKind::kForked:
      request(event).admitted =
          make(event, EventKind::kAdmitted, {event.value[1], 0, event.value[2], 0});
      request(event).running = true;
      break;
    case EventKind::kChunk:
      request(event).chunk = event;
      request(event).running = true;
      break;
    case EventKind::kWaiting:
      request(event).waiting = event;
      break;
    case EventKind::kPreempted:
      request(event).running = false;
      request(event).table.clear();
      request(event).waiting = event;
      break;
    case EventKind::kTextReleased:
      if (requests_.count(event.request) != 0) request(event).text = event;
      break;
    case EventKind::kBlockTaken:
    case EventKind::kBlockShared:
      take(event);
      break;
    case EventKind::kBlockFreed:
      release(event);
      break;
    case EventKind::kBlockEvicted:
      if (Block* evicted = block(event.value[0])) evicted->cached = false;
      break;
    case EventKind::kBlockCached:
      if (Block* cached = block(event.value[0])) cached->cached = true;
      break;
    case EventKind::kFinished:
    case EventKind::kRefused:
      requests_.erase(event.request);
      break;
    case EventKind::kTechniques:  // with an empty pool
      techniques_ = event;
      blocks_.clear();
      break;
    default:
      break;
  }
}

void KeptState::add_free_blocks(std::vector<Event>& out) const {
  std::vector<int32_t> free;
  for (size_t b = 0; b < blocks_.size(); ++b) {
    if (blocks_[b].users == 0 && blocks_[b].cached) free.push_back(static_cast<int32_t>(b));
  }
  std::sort(free.begin(), free.end(), [&](int32_t a, int32_t b) {
    return blocks_[static_cast<size_t>(a)].freed < blocks_[static_cast<size_t>(b)].freed;
  });
  for (const int32_t b : free) {
    Event event;
    event.step = step_;
    event.request = blocks_[static_cast<size_t>(b)].owner;
    out.push_back(make(event, EventKind::kBlockTaken, {b, 0}));
    out.push_back(make(event, EventKind::kBlockCached, {b, 0}));
    out.push_back(make(event, EventKind::kBlockFreed, {b, 0, 1}));
  }
}

void KeptState::add_request(const Kept& kept, std::vector<int32_t>& users,
                            std::vector<Event>& out) const {
  const auto add = [&](const Event& event, EventKind kind) {
    if (has(event, kind)) out.push_back(event);
  };
  add(kept.arrived, EventKind::kArrived);
  out.insert(out.end(), kept.ids.begin(), kept.ids.end());
  add(kept.text, EventKind::kTextReleased);
  if (!kept.running) {
    add(kept.waiting, EventKind::kWaiting);
    add(kept.waiting, EventKind::kPreempted);
    return;
  }
  add(kept.admitted, EventKind::kAdmitted);
  const Event& like = kept.admitted.request != 0 ? kept.admitted : kept.chunk;
  for (size_t i = 0; i < kept.table.size(); ++i) {
    const int32_t b = kept.table[i];
    if (b < 0) continue;
    const int32_t count = ++users[static_cast<size_t>(b)];
    const auto index = static_cast<int32_t>(i);
    out.push_back(make(like, count == 1 ? EventKind::kBlockTaken : EventKind::kBlockShared,
                       {b, index, count}));
    if (blocks_[static_cast<size_t>(b)].cached) {
      out.push_back(make(like, EventKind::kBlockCached, {b, index}));
    }
  }
  add(kept.chunk, EventKind::kChunk);
}

std::vector<Event> KeptState::snapshot() const {
  std::vector<Event> out;
  std::vector<int32_t> users(blocks_.size());
  if (techniques_.kind == EventKind::kTechniques) out.push_back(techniques_);
  add_free_blocks(out);
  for (const auto& [id, kept] : requests_) add_request(kept, users, out);
  for (Event& event : out) event.step = step_;
  return out;
}

}  // namespace orrery::live
