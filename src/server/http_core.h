// HttpCore: what the connections of one HttpServer share. I/O thread only, but for the atomics.
#pragma once

#include <asio/io_context.hpp>
#include <asio/ssl/context.hpp>
#include <atomic>
#include <list>
#include <memory>
#include <optional>

#include "server/http_server.h"
#include "server/worker_pool.h"

namespace orrery::server {

class Connection;

struct HttpCore {
  explicit HttpCore(HttpOptions asked) : options(std::move(asked)), admission(options.admission) {}

  using Clock = std::chrono::steady_clock;

  // The routes that a path has, and the one for the method.
  struct Match {
    const Route* route = nullptr;
    std::string allowed;    // methods of the path's other routes
    bool needs_key = true;  // of the path
    bool for_browsers = false;
  };
  Match match(const HttpRequest& request) const;

  // What a request's head is answered with before its body is read; nothing: it may go on to
  // `match.route`. Sets request.key.
  std::optional<HttpResponse> judge(HttpRequest& request, const Match& match);
  // Counts a request against the limits, or says why not.
  std::optional<HttpResponse> admit(uint32_t key);
  std::optional<HttpResponse> preflight(const HttpRequest& request) const;
  // Adds what CORS asks for.
  void add_cors(const HttpRequest& request, HttpResponse& response) const;
  // "Sun, 06 Nov 1994 08:49:37 GMT"
  std::string_view date();
  void log_access(const HttpRequest& request, int status, uint64_t bytes, Clock::time_point begun);

  const HttpOptions options;
  std::vector<Route> routes;
  std::shared_ptr<asio::io_context> io = std::make_shared<asio::io_context>(1);
  std::unique_ptr<asio::ssl::context> tls;
  std::unique_ptr<WorkerPool> workers;
  Admission admission;
  std::list<std::shared_ptr<Connection>> connections;
  size_t body_bytes_in_flight = 0;
  int access_log_fd = -1;
  std::atomic<bool> draining{false};
  std::atomic<int64_t> num_requests{0};
  std::atomic<size_t> num_connections{0};

 private:
  std::optional<HttpResponse> refusal(const Admission::Answer& answer) const;

  int64_t date_second_ = -1;
  std::string date_;
};

}  // namespace orrery::server
