// Connection: one client of an HttpServer, from accept to close. I/O thread only.
//
//   reading ─▶ handling ─▶ (answer written) ─▶ reading ...   while it is kept alive
//        └────────┴──▶ lingering ─▶ closed
//
// It reads also while a request is handled, only to notice that the client goes away. Every state
// has a deadline, which the server's tick checks.
#pragma once

#include <list>
#include <memory>
#include <string>

#include "server/http_core.h"
#include "server/http_transport.h"

namespace orrery::server {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Clock = HttpCore::Clock;

  Connection(HttpCore& core, std::unique_ptr<Transport> transport)
      : core_(core), transport_(std::move(transport)) {}

  // `self` is its place in core.connections.
  void start(std::list<std::shared_ptr<Connection>>::iterator self);
  // Closes it, or answers 408, if it has missed its deadline.
  void check_deadline(Clock::time_point now);
  void close();

 private:
  enum class Phase { kHandshake, kReading, kHandling, kLingering, kClosed };

  void read_more();
  void on_read(std::error_code error, std::string_view bytes);
  void process();
  bool on_head();
  void on_body(size_t bytes_before);
  void dispatch();
  void answer(HttpResponse response);
  void answer_and_close(HttpResponse response);
  void flush();
  void append_head(ResponseState::Taken& taken);
  void write_more();
  void on_written(std::error_code error, size_t bytes);
  void finish_response();
  void linger();
  void set_deadline(std::chrono::milliseconds from_now) { deadline_ = Clock::now() + from_now; }
  void release_body();
  void release_admission();

  HttpCore& core_;
  std::unique_ptr<Transport> transport_;
  std::list<std::shared_ptr<Connection>>::iterator self_;
  Phase phase_ = Phase::kHandshake;
  Clock::time_point deadline_ = Clock::time_point::max();
  bool reading_ = false;
  std::string input_;  // read and not yet parsed

  // Of the request at hand.
  std::unique_ptr<HttpParser> parser_;
  std::optional<HttpResponse> rejection_;  // to send when its body has been thrown away
  const Route* route_ = nullptr;
  HttpRequest request_;  // without its body, once dispatched
  std::shared_ptr<ResponseState> response_;
  size_t body_bytes_ = 0;  // counted in core_.body_bytes_in_flight
  bool admitted_ = false;
  bool keep_alive_ = true;
  bool chunked_ = false;
  bool response_ended_ = false;
  int status_ = 0;
  uint64_t sent_bytes_ = 0;
  size_t lingered_bytes_ = 0;
  Clock::time_point begun_ = {};

  std::string output_;  // being written
  size_t written_ = 0;
  bool writing_ = false;
};

}  // namespace orrery::server
