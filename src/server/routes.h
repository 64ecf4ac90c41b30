// The routes of the API: what HttpServer's requests become at the OpenAiService, the Service and
// the Metrics.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "server/health.h"
#include "server/http_server.h"
#include "server/metrics.h"
#include "server/openai_service.h"

namespace orrery::server {

struct EngineState {
  uint64_t heartbeat = 0;
  bool has_unfinished = false;
};

struct ApiOptions {
  std::string version;
  std::chrono::milliseconds health_limit{60'000};  // without a step, with work to do
  std::chrono::milliseconds health_period{500};    // between two looks
};

class Api {
 public:
  // All must outlive the server's run. `engine_state` is called on the I/O thread.
  Api(HttpServer& server, OpenAiService& openai, Metrics& metrics,
      std::function<EngineState()> engine_state, ApiOptions options);
  // Adds the routes; before the server's start.
  void add_routes();
  bool engine_alive() const { return alive_; }

 private:
  void add_status_routes();
  void handle(OpenAiRoute route, HttpRequest request, const std::shared_ptr<Responder>& responder);
  void watch_engine();

  HttpServer& server_;
  OpenAiService& openai_;
  Metrics& metrics_;
  const std::function<EngineState()> engine_state_;
  const ApiOptions options_;
  EngineHealth health_;
  std::atomic<bool> alive_{true};
};

// Streams what `next` gives (empty: nothing now) until the client goes away. `next` is called on
// the I/O thread, at most every `period`, and not before what it gave has been taken.
void stream_from(HttpServer& server, std::shared_ptr<Responder> responder, HttpResponse head,
                 std::function<std::string()> next,
                 std::chrono::milliseconds period = std::chrono::milliseconds(33));

}  // namespace orrery::server
