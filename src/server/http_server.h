// HttpServer: an HTTP/1.1 server: connections, deadlines, keys, limits, TLS; routes are added to
// it.
//
// One I/O thread moves bytes and judges heads: route, key, content type and limits are decided
// before a body is read. Handlers run on worker threads, or on the I/O thread where the route says
// so; they answer through a Responder from whatever thread they like.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "server/http_auth.h"
#include "server/http_parser.h"
#include "server/http_responder.h"
#include "server/limits.h"

namespace orrery::server {

struct HttpTimeouts {
  std::chrono::milliseconds header{10'000};  // from a request's first byte to the end of its head
  std::chrono::milliseconds body{60'000};    // from there to the end of its body
  std::chrono::milliseconds idle{75'000};    // between requests, and before the first
  std::chrono::milliseconds write{30'000};  // without the client taking a byte of what waits for it
  std::chrono::milliseconds handshake{10'000};
};

struct HttpOptions {
  std::string host = "127.0.0.1";
  int port = 8000;                           // 0: any that is free
  std::string uds;                           // path of a Unix socket, instead of host and port
  std::string ssl_certfile, ssl_keyfile;     // PEM; both or neither
  std::vector<std::string> allowed_origins;  // CORS; "*": all; empty: off
  KeyRing keys;
  HttpLimits limits;
  HttpTimeouts timeouts;
  AdmissionLimits admission;
  size_t max_connections = 20'000;
  size_t max_body_bytes_in_flight = 256 << 20;  // of all bodies being received
  size_t max_response_buffer_bytes = 1 << 20;   // of one stream, waiting for its client
  int num_workers = 2;
  std::string access_log;  // path, "-" for stderr; empty: none. No queries, no bodies
};

using Handler = std::function<void(HttpRequest, std::shared_ptr<Responder>)>;

struct Route {
  std::string method;  // GET also answers HEAD
  std::string path;    // of one resource; with `prefix`, of all that begin with it
  Handler handler;
  bool prefix = false;
  bool needs_key = true;
  bool for_browsers = false;  // a missing key makes a browser ask the person for it
  bool json_body = false;     // asks for Content-Type: application/json
  bool counts = false;        // against AdmissionLimits; refused while draining
  bool on_io_thread = false;  // quick and never waits: answered even when all workers are busy
};

class HttpServer {
 public:
  // Binds and listens; clients wait until start(). Errors: kInvalidArgument, kIo.
  static Result<std::unique_ptr<HttpServer>> create(HttpOptions options);
  ~HttpServer();  // stop()
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  void add_route(Route route);  // before start()
  void start();
  // Closes all connections; handlers' responders find their clients gone. Any number of times.
  void stop();

  int port() const;         // bound; 0 for a Unix socket
  std::string url() const;  // for people

  // Refuses whatever counts from now on.
  void drain();
  bool draining() const;
  // Requests that count and are not answered to their last byte.
  int64_t num_requests() const;
  size_t num_connections() const;

  // Calls `function` once on the I/O thread, unless the server stops before. Any thread.
  void call_after(std::chrono::milliseconds delay, std::function<void()> function);

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace orrery::server
