#include "server/http_load.h"

#include <algorithm>
#include <asio/connect.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ssl/context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <memory>

#include "server/http_chunked.h"
#include "server/http_transport.h"
#include "server/sse_reader.h"

namespace orrery::server {
namespace {

using Clock = std::chrono::steady_clock;
using Endpoints = asio::ip::tcp::resolver::results_type;

struct Load {
  const LoadTarget& target;
  const std::vector<LoadRequest>& requests;
  const LoadOptions& options;
  std::vector<LoadResult> results;
  Endpoints endpoints = {};
  Clock::time_point begin = Clock::now();
  std::deque<size_t> waiting = {};  // that have arrived, above max_concurrency
  int64_t num_running = 0;
  size_t num_ended = 0;
  asio::ssl::context tls{asio::ssl::context::tls_client};
  asio::io_context io{1};  // last: what is under way goes with it, and tells the others

  double now_s() const { return std::chrono::duration<double>(Clock::now() - begin).count(); }
  void arrive(size_t index);
  void send(size_t index);
  void on_end();
};

// One request: connect, write, read the stream to its end.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(Load& load, size_t index)
      : load_(load),
        result_(load.results[index]),
        body_(load.requests[index].body),
        socket_(load.io) {}
  ~Exchange() {
    if (!result_.complete && result_.error.empty()) result_.error = "no answer in time";
    load_.on_end();
  }

  void start() {
    result_.sent_s = load_.now_s();
    output_ = fmt::format(
        "POST {} HTTP/1.1\r\nHost: {}:{}\r\nContent-Type: application/json\r\nAccept: "
        "text/event-stream\r\n{}Connection: close\r\nContent-Length: {}\r\n\r\n{}",
        load_.target.path, load_.target.host, load_.target.port,
        load_.target.authorization.empty()
            ? ""
            : fmt::format("Authorization: {}\r\n", load_.target.authorization),
        body_.size(), body_);
    asio::async_connect(socket_, load_.endpoints,
                        [me = shared_from_this()](std::error_code error, const auto&) {
                          if (error) return me->fail(error.message());
                          me->begin();
                        });
  }

 private:
  void begin() {
    std::error_code ignored;
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    transport_ = load_.target.tls
                     ? tls_client_transport(std::move(socket_), load_.tls, load_.target.host)
                     : plain_transport(std::move(socket_));
    transport_->handshake([me = shared_from_this()](std::error_code error) {
      if (error) return me->fail("TLS: " + error.message());
      me->write();
    });
  }

  void write() {
    transport_->write(output_, [me = shared_from_this()](std::error_code error, size_t n) {
      if (error) return me->fail(error.message());
      me->output_.erase(0, n);
      me->output_.empty() ? me->read() : me->write();
    });
  }

  void read() {
    transport_->read([me = shared_from_this()](std::error_code error, std::string_view bytes) {
      me->input_.append(bytes);
      if (!me->in_body_) me->take_head();
      if (me->in_body_) me->take_body();
      if (me->result_.complete) return me->count();
      if (me->events_.failed()) return me->fail("an event of the stream is too long");
      if (error || bytes.empty()) return me->fail(me->why_ended(error));
      me->read();
    });
  }

  void take_head() {
    const size_t end = input_.find("\r\n\r\n");
    if (end == std::string::npos) return;
    std::string head = input_.substr(0, end);
    std::transform(head.begin(), head.end(), head.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (head.size() > 12) result_.status = std::atoi(head.c_str() + 9);
    chunked_ = head.find("\r\ntransfer-encoding: chunked") != std::string::npos;
    input_.erase(0, end + 4);
    in_body_ = true;
  }

  void take_body() {
    std::string body;
    if (chunked_) {
      decoder_.feed(input_, body);
    } else {
      body.swap(input_);
    }
    input_.clear();
    if (result_.status != 200) {
      refusal_ += body.substr(0, kShownRefusal - std::min(kShownRefusal, refusal_.size()));
      return;
    }
    events_.feed(body);
    while (!result_.complete) {
      const std::optional<std::string> data = events_.next();
      if (!data) return;
      take_event(*data);
    }
  }

  void take_event(std::string_view data) {
    const StreamedEvent event = read_streamed_event(data, load_.target.chat);
    result_.complete = event.done;
    if (event.is_error) result_.error = data;
    if (event.has_token) result_.token_s.push_back(load_.now_s());
    if (event.output_tokens) result_.output_tokens = *event.output_tokens;
  }

  void count() {
    if (result_.output_tokens == 0) {
      result_.output_tokens = static_cast<int64_t>(result_.token_s.size());
    }
  }

  std::string why_ended(std::error_code error) const {
    if (result_.status == 0) return error ? error.message() : "the connection was closed";
    if (result_.status != 200) return fmt::format("HTTP {}: {}", result_.status, refusal_);
    return "the stream ended before its [DONE]";
  }
  void fail(std::string why) {
    if (result_.error.empty()) result_.error = std::move(why);
  }

  Load& load_;
  LoadResult& result_;
  const std::string& body_;
  asio::ip::tcp::socket socket_;
  std::unique_ptr<Transport> transport_;  // socket_, once it is connected
  static constexpr size_t kShownRefusal = 200;
  std::string output_, input_, refusal_;
  SseReader events_;
  bool in_body_ = false, chunked_ = false;
  ChunkedDecoder decoder_;
};

void Load::arrive(size_t index) {
  if (options.max_concurrency > 0 && num_running >= options.max_concurrency) {
    waiting.push_back(index);
  } else {
    send(index);
  }
}

void Load::send(size_t index) {
  ++num_running;
  std::make_shared<Exchange>(*this, index)->start();
}

void Load::on_end() {
  --num_running;
  ++num_ended;
  if (options.progress) {
    options.progress(static_cast<double>(num_ended) / static_cast<double>(requests.size()));
  }
  if (waiting.empty() || io.stopped()) return;
  const size_t next = waiting.front();
  waiting.pop_front();
  send(next);
}

}  // namespace

Result<LoadTarget> parse_load_url(std::string_view url) {
  LoadTarget target;
  const size_t scheme = url.find("://");
  target.tls = url.substr(0, scheme) == "https";
  if (scheme == url.npos || (!target.tls && url.substr(0, scheme) != "http")) {
    return invalid_argument("--url: expected http://... or https://..., got \"{}\"", url);
  }
  url.remove_prefix(scheme + 3);
  const std::string_view authority = url.substr(0, url.find('/'));
  std::string_view base = url.substr(authority.size());
  while (base.ends_with('/')) base.remove_suffix(1);
  const size_t colon = authority.rfind(':');
  const bool has_port = colon != std::string_view::npos && !authority.ends_with(']');
  target.host = authority.substr(0, has_port ? colon : authority.size());
  target.port = has_port ? authority.substr(colon + 1) : target.tls ? "443" : "80";
  if (target.host.empty()) return invalid_argument("--url: expected a host, got none");
  target.path = base;
  target.chat = base.ends_with("/v1/chat/completions");
  if (base.ends_with("/v1")) target.path.resize(base.size() - 3);
  if (!target.chat && !base.ends_with("/v1/completions")) target.path += "/v1/completions";
  return target;
}

Result<std::vector<LoadResult>> run_load(const LoadTarget& target,
                                         const std::vector<LoadRequest>& requests,
                                         const LoadOptions& options) {
  Load load{target, requests, options, std::vector<LoadResult>(requests.size())};
  std::error_code error;
  load.tls.set_default_verify_paths(error);
  std::string host = target.host;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  load.endpoints = asio::ip::tcp::resolver(load.io).resolve(host, target.port, error);
  if (error) return io_error("{}:{}: {}", target.host, target.port, error.message());
  load.begin = Clock::now();
  std::vector<std::unique_ptr<asio::steady_timer>> timers;
  for (size_t i = 0; i < requests.size(); ++i) {
    const auto at = std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(requests[i].arrival_s));
    timers.push_back(std::make_unique<asio::steady_timer>(load.io, load.begin + at));
    timers.back()->async_wait([&load, i](std::error_code failed) {
      if (!failed) load.arrive(i);
    });
  }
  load.io.run_for(std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(options.timeout_s)));
  load.io.stop();
  for (LoadResult& result : load.results) {
    if (!result.complete && result.error.empty()) result.error = "not ended in time";
  }
  return load.results;  // a copy: what is still under way writes there to its end
}

}  // namespace orrery::server
