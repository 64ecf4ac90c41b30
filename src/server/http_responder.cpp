#include "server/http_responder.h"

#include <utility>

#include "base/check.h"

namespace orrery::server {

ResponseState::Taken ResponseState::take() {
  const std::lock_guard<std::mutex> lock(mutex_);
  scheduled_ = false;
  Taken taken;
  if (begun_ && !head_taken_) {
    head_taken_ = taken.has_head = true;
    taken.head = std::move(head_);
  }
  taken.streams = streams_;
  taken.bytes = std::exchange(pending_, {});
  taken.ended = ended_;
  return taken;
}

bool ResponseState::overflowed() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return overflowed_;
}

void ResponseState::mark_gone() {
  std::function<void()> callback;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (std::exchange(gone_, true)) return;
    pending_ = {};
    callback = std::exchange(on_gone_, nullptr);
    if (ended_) return;
  }
  if (callback) callback();
}

void ResponseState::wake_unless_scheduled(std::unique_lock<std::mutex> lock) {
  if (gone_ || std::exchange(scheduled_, true)) return;
  lock.unlock();
  wake_();
}

Responder::~Responder() {
  std::unique_lock<std::mutex> lock(state_->mutex_);
  if (state_->ended_ || state_->gone_) return;
  if (state_->begun_) {
    state_->overflowed_ = true;  // cut off: the client must not take it for complete
    state_->scheduled_ = false;
    state_->wake_unless_scheduled(std::move(lock));
    return;
  }
  lock.unlock();
  respond(error_response(500, "the request was not answered", "internal_error"));
}

void Responder::respond(HttpResponse response) {
  std::unique_lock<std::mutex> lock(state_->mutex_);
  CHECK(!state_->begun_) << "a second answer to one request";
  state_->begun_ = state_->ended_ = true;
  state_->head_ = std::move(response);
  state_->wake_unless_scheduled(std::move(lock));
}

void Responder::begin_stream(HttpResponse head) {
  std::unique_lock<std::mutex> lock(state_->mutex_);
  CHECK(!state_->begun_) << "a second answer to one request";
  state_->begun_ = state_->streams_ = true;
  state_->head_ = std::move(head);
  state_->wake_unless_scheduled(std::move(lock));
}

bool Responder::write(std::string_view bytes) {
  std::unique_lock<std::mutex> lock(state_->mutex_);
  CHECK(state_->streams_ && !state_->ended_) << "a write outside a stream";
  if (state_->gone_ || state_->overflowed_) return false;
  if (bytes.empty()) return true;
  state_->overflowed_ = state_->pending_.size() + bytes.size() > state_->max_buffered_bytes_;
  if (!state_->overflowed_) state_->pending_.append(bytes);
  const bool ok = !state_->overflowed_;
  if (!ok) state_->scheduled_ = false;  // also while the connection writes, it is to see this
  state_->wake_unless_scheduled(std::move(lock));
  return ok;
}

void Responder::end() {
  std::unique_lock<std::mutex> lock(state_->mutex_);
  CHECK(state_->streams_ && !state_->ended_) << "an end outside a stream";
  state_->ended_ = true;
  state_->wake_unless_scheduled(std::move(lock));
}

void Responder::on_gone(std::function<void()> callback) {
  {
    const std::lock_guard<std::mutex> lock(state_->mutex_);
    if (state_->ended_) return;
    if (!state_->gone_) {
      state_->on_gone_ = std::move(callback);
      return;
    }
  }
  callback();
}

bool Responder::gone() const {
  const std::lock_guard<std::mutex> lock(state_->mutex_);
  return state_->gone_;
}

size_t Responder::buffered_bytes() const {
  const std::lock_guard<std::mutex> lock(state_->mutex_);
  return state_->pending_.size();
}

}  // namespace orrery::server
