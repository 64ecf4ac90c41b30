#include "server/http_connection.h"

#include <asio/post.hpp>

namespace orrery::server {
namespace {

// A refused request's body is read to its end, so that the connection can go on, if it is no
// longer.
constexpr size_t kMaxDiscardedBytes = 64 << 10;
// After an answer that leaves a body unread, so much is read and thrown away, so long: a connection
// closed with bytes unread is reset, and the reset would overtake the answer.
constexpr size_t kMaxLingerBytes = 64 << 20;
constexpr std::chrono::seconds kLinger{2};
// Of further requests, sent before the answer to this one.
constexpr size_t kMaxPipelinedBytes = 64 << 10;

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

void Connection::start(std::list<std::shared_ptr<Connection>>::iterator self) {
  self_ = self;
  set_deadline(core_.options.timeouts.handshake);
  transport_->handshake([me = shared_from_this()](std::error_code error) {
    if (me->phase_ == Phase::kClosed) return;
    if (error) return me->close();
    me->phase_ = Phase::kReading;
    me->set_deadline(me->core_.options.timeouts.idle);
    me->read_more();
  });
}

void Connection::read_more() {
  if (reading_ || phase_ == Phase::kClosed || input_.size() > kMaxPipelinedBytes) return;
  reading_ = true;
  transport_->read([me = shared_from_this()](std::error_code error, std::string_view bytes) {
    me->reading_ = false;
    me->on_read(error, bytes);
  });
}

void Connection::on_read(std::error_code error, std::string_view bytes) {
  if (phase_ == Phase::kClosed) return;
  if (error || bytes.empty()) return close();
  if (phase_ == Phase::kLingering) {
    lingered_bytes_ += bytes.size();
    if (lingered_bytes_ > kMaxLingerBytes) return close();
  } else {
    input_.append(bytes);
    process();
  }
  read_more();
}

// Parses what has been read, up to the end of one request.
void Connection::process() {
  while (phase_ == Phase::kReading && !input_.empty()) {
    if (parser_ == nullptr) {
      parser_ = std::make_unique<HttpParser>(core_.options.limits);
      begun_ = Clock::now();
      set_deadline(core_.options.timeouts.header);
    }
    const bool in_head = parser_->state() == HttpParser::State::kHead;
    const size_t bytes_before = parser_->request().body.size();
    const size_t used = parser_->feed(input_);
    input_.erase(0, used);
    if (parser_->state() == HttpParser::State::kFailed) {
      return answer_and_close(error_response(parser_->error_status(), parser_->error_message(),
                                             "invalid_request_error"));
    }
    if (in_head) {
      if (parser_->state() == HttpParser::State::kHead) return;
      if (!on_head()) return;
    } else {
      on_body(bytes_before);
      if (phase_ != Phase::kReading) return;
    }
    if (parser_->state() == HttpParser::State::kDone) dispatch();
  }
  if (input_.empty()) input_ = std::string();
}

// False if the request has been answered.
bool Connection::on_head() {
  set_deadline(core_.options.timeouts.body);
  HttpRequest& request = parser_->request();
  const HttpCore::Match match = core_.match(request);
  route_ = match.route;
  rejection_ = core_.judge(request, match);
  const bool has_body = parser_->state() == HttpParser::State::kBody;
  if (rejection_ && has_body) {
    if (parser_->chunked() || request.expects_continue ||
        parser_->content_length() > kMaxDiscardedBytes) {
      answer_and_close(*std::exchange(rejection_, std::nullopt));
      return false;
    }
    parser_->discard_body();
  } else if (has_body && request.expects_continue && input_.empty()) {
    output_ += "HTTP/1.1 100 Continue\r\n\r\n";
    write_more();
  }
  return true;
}

void Connection::on_body(size_t bytes_before) {
  const size_t received = parser_->request().body.size() - bytes_before;
  body_bytes_ += received;
  core_.body_bytes_in_flight += received;
  if (core_.body_bytes_in_flight > core_.options.max_body_bytes_in_flight) {
    HttpResponse response = error_response(503, "too many bytes of requests are on their way",
                                           "server_error", "overloaded");
    response.headers.push_back({"Retry-After", "1"});
    answer_and_close(std::move(response));
  }
}

void Connection::dispatch() {
  phase_ = Phase::kHandling;
  deadline_ = Clock::time_point::max();
  HttpRequest request = std::move(parser_->request());
  request.received = Clock::now();
  parser_.reset();
  keep_alive_ = request.keep_alive;
  std::string body = std::exchange(request.body, {});
  request_ = request;
  request.body = std::move(body);
  if (rejection_) return answer(*std::exchange(rejection_, std::nullopt));
  if (route_->counts) {
    if (auto refused = core_.admit(request.key)) return answer(*std::move(refused));
    admitted_ = true;
    ++core_.num_requests;
  }
  response_ = std::make_shared<ResponseState>(core_.options.max_response_buffer_bytes,
                                              [io = core_.io, weak = weak_from_this()] {
                                                asio::post(*io, [weak] {
                                                  if (const auto me = weak.lock()) me->flush();
                                                });
                                              });
  auto responder = std::make_shared<Responder>(response_);
  if (route_->on_io_thread) {
    route_->handler(std::move(request), std::move(responder));
  } else {
    core_.workers->submit(
        [route = route_, request = std::move(request), responder = std::move(responder)]() mutable {
          route->handler(std::move(request), std::move(responder));
        });
  }
}

// Answers from here, without a handler.
void Connection::answer(HttpResponse response) {
  response_ = std::make_shared<ResponseState>(0, [] {});
  Responder(response_).respond(std::move(response));
  flush();
}

void Connection::answer_and_close(HttpResponse response) {
  request_ = std::move(parser_->request());
  request_.body = std::string();
  release_body();
  parser_.reset();
  input_ = std::string();
  phase_ = Phase::kHandling;
  deadline_ = Clock::time_point::max();
  keep_alive_ = false;
  answer(std::move(response));
}

// Moves what the response has come to into the output.
void Connection::flush() {
  if (phase_ != Phase::kHandling || response_ == nullptr || response_ended_) return;
  if (response_->overflowed()) return close();
  if (writing_) return;
  ResponseState::Taken taken = response_->take();
  if (taken.has_head) append_head(taken);
  if (request_.method != "HEAD") {
    if (taken.has_head && !taken.streams) output_ += taken.head.body;
    if (taken.streams && !taken.bytes.empty()) {
      if (chunked_) output_ += fmt::format("{:x}\r\n", taken.bytes.size());
      output_ += taken.bytes;
      if (chunked_) output_ += "\r\n";
    }
    if (taken.streams && taken.ended && chunked_) output_ += "0\r\n\r\n";
  }
  response_ended_ = taken.ended;
  if (taken.has_head && taken.streams && request_.method == "HEAD") {
    response_->mark_gone();  // nobody will read what comes
    response_ended_ = true;
  }
  write_more();
}

void Connection::append_head(ResponseState::Taken& taken) {
  HttpResponse& head = taken.head;
  status_ = head.status;
  chunked_ = taken.streams && request_.version_minor == 1;
  if (taken.streams && !chunked_) keep_alive_ = false;  // its end is the connection's
  if (core_.draining) keep_alive_ = false;              // the client is to go elsewhere
  core_.add_cors(request_, head);
  output_ += fmt::format("HTTP/1.1 {} {}\r\n", head.status, reason_phrase(head.status));
  append_field(output_, "Date", core_.date());
  if (!head.content_type.empty()) append_field(output_, "Content-Type", head.content_type);
  if (chunked_) {
    append_field(output_, "Transfer-Encoding", "chunked");
  } else if (!taken.streams && head.status != 204 && head.status != 304) {
    append_field(output_, "Content-Length", std::to_string(head.body.size()));
  }
  if (!keep_alive_) {
    append_field(output_, "Connection", "close");
  } else if (request_.version_minor == 0) {
    append_field(output_, "Connection", "keep-alive");
  }
  append_field(output_, "X-Content-Type-Options", "nosniff");
  for (const HttpHeader& header : head.headers) append_field(output_, header.name, header.value);
  output_ += "\r\n";
}

void Connection::write_more() {
  if (writing_ || phase_ == Phase::kClosed) return;
  if (output_.size() == written_) {
    output_ = std::string();
    written_ = 0;
    if (response_ended_) finish_response();
    return;
  }
  writing_ = true;
  deadline_ = Clock::now() + core_.options.timeouts.write;
  transport_->write(
      std::string_view(output_).substr(written_),
      [me = shared_from_this()](std::error_code error, size_t n) { me->on_written(error, n); });
}

void Connection::on_written(std::error_code error, size_t bytes) {
  writing_ = false;
  if (phase_ == Phase::kClosed) return;
  if (error) return close();
  written_ += bytes;
  sent_bytes_ += bytes;
  if (written_ < output_.size()) return write_more();
  output_ = std::string();
  written_ = 0;
  if (phase_ == Phase::kReading) {  // a 100 Continue has gone out
    set_deadline(core_.options.timeouts.body);
    return;
  }
  deadline_ = Clock::time_point::max();
  if (response_ended_) {
    finish_response();
  } else {
    flush();
  }
}

void Connection::finish_response() {
  core_.log_access(request_, status_, sent_bytes_, begun_);
  release_admission();
  response_.reset();
  request_ = HttpRequest();
  route_ = nullptr;
  response_ended_ = false;
  sent_bytes_ = 0;
  if (!keep_alive_) return linger();
  phase_ = Phase::kReading;
  set_deadline(core_.options.timeouts.idle);
  process();
  read_more();
}

void Connection::linger() {
  phase_ = Phase::kLingering;
  input_ = std::string();
  transport_->shutdown_send();
  set_deadline(kLinger);
  read_more();
}

void Connection::release_body() { core_.body_bytes_in_flight -= std::exchange(body_bytes_, 0); }

void Connection::release_admission() {
  release_body();
  if (!std::exchange(admitted_, false)) return;
  core_.admission.leave(request_.key);
  --core_.num_requests;
}

void Connection::check_deadline(Clock::time_point now) {
  if (now < deadline_) return;
  const bool has_begun = phase_ == Phase::kReading && parser_ != nullptr && !writing_;
  if (!has_begun) return close();
  answer_and_close(
      error_response(408, "the request did not come in time", "invalid_request_error"));
}

void Connection::close() {
  if (phase_ == Phase::kClosed) return;
  const auto me = shared_from_this();
  if (phase_ == Phase::kHandling) core_.log_access(request_, 499, sent_bytes_, begun_);
  phase_ = Phase::kClosed;
  transport_->close();
  release_admission();
  if (response_ != nullptr) std::exchange(response_, nullptr)->mark_gone();
  core_.connections.erase(self_);
  --core_.num_connections;
}

}  // namespace orrery::server
