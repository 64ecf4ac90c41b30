// Responder: how a handler answers one HTTP request, from any thread.
//
// Either respond(), or begin_stream(), write() as often as needed, end(). Bytes are handed over,
// never waited for: what the client has not taken yet is kept up to a limit, above which, as after
// a stall, the client counts as gone. A Responder that is dropped without an answer answers 500.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "server/http_message.h"

namespace orrery::server {

// What Responder and the connection share. The connection's side is called on the I/O thread.
class ResponseState {
 public:
  // `wake` makes the connection take(), soon, on the I/O thread; called from any thread.
  ResponseState(size_t max_buffered_bytes, std::function<void()> wake)
      : max_buffered_bytes_(max_buffered_bytes), wake_(std::move(wake)) {}

  struct Taken {
    bool has_head = false;  // the first time: `head`, whose body is all if !streams
    HttpResponse head;
    bool streams = false;
    std::string bytes;  // of the stream
    bool ended = false;
  };
  Taken take();
  // More was written than may be kept, or the answer was dropped in its middle.
  bool overflowed() const;
  // The client went away, or was too slow.
  void mark_gone();

 private:
  friend class Responder;
  void wake_unless_scheduled(std::unique_lock<std::mutex> lock);

  const size_t max_buffered_bytes_;
  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  bool begun_ = false, head_taken_ = false, streams_ = false, ended_ = false;
  bool gone_ = false, overflowed_ = false, scheduled_ = false;
  HttpResponse head_;
  std::string pending_;
  std::function<void()> on_gone_;
};

class Responder {
 public:
  explicit Responder(std::shared_ptr<ResponseState> state) : state_(std::move(state)) {}
  ~Responder();
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;

  void respond(HttpResponse response);
  // `head`: without a body.
  void begin_stream(HttpResponse head);
  // False if nobody will read it any more.
  bool write(std::string_view bytes);
  void end();

  // Calls once when the client goes away before the answer is complete: on the I/O thread, or at
  // once, here, if it has gone already.
  void on_gone(std::function<void()> callback);
  bool gone() const;
  // Written, and not yet taken by the connection.
  size_t buffered_bytes() const;

 private:
  std::shared_ptr<ResponseState> state_;
};

}  // namespace orrery::server
