// The whole server in this process: embedded demo model, engine, protocol, metrics, HTTP.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "http_client_for_tests.h"
#include "protocol_model.h"
#include "server/routes.h"

namespace orrery::server {

class ModelServer {
 public:
  explicit ModelServer(HttpOptions http = {}, llm::ServiceOptions service = small_service(),
                       ApiOptions api = {.version = "test"}) {
    http.host = "127.0.0.1";
    http.port = 0;
    auto server = HttpServer::create(std::move(http));
    CHECK(server.ok()) << server.status().message();
    http_ = std::move(server).value();
    auto made = llm::Service::create(demo_llm(), std::move(service), ring_);
    CHECK(made.ok()) << made.status().message();
    service_ = std::move(made).value();
    metrics_ = std::make_unique<Metrics>(*service_, ring_, MetricsOptions{.model_name = "demo"});
    OpenAiOptions options = demo_options();
    metrics_->watch(options);
    openai_ = std::make_unique<OpenAiService>(*service_, options);
    api_ = std::make_unique<Api>(
        *http_, *openai_, *metrics_,
        [this] {
          return EngineState{frozen_ ? 1 : service_->heartbeat(),
                             frozen_ || service_->stats().num_requests > 0};
        },
        std::move(api));
    api_->add_routes();
    http_->start();
  }
  ~ModelServer() {
    service_->drain(std::chrono::milliseconds(0));
    http_->stop();
  }

  static llm::ServiceOptions small_service() {
    llm::ServiceOptions options;
    options.scheduler.max_num_seqs = 64;
    options.scheduler.max_num_batched_tokens = 256;
    options.scheduler.kv.num_blocks = 512;
    options.seed = 1;
    return options;
  }

  int port() const { return http_->port(); }
  HttpServer& http() { return *http_; }
  llm::Service& service() { return *service_; }
  // As if the engine had stopped in the middle of a step.
  void freeze(bool frozen) { frozen_ = frozen; }
  // No request under way, no block in use.
  bool pool_is_whole() const {
    const llm::ServiceStats stats = service_->stats();
    return stats.num_requests == 0 && stats.num_running == 0 && stats.num_waiting == 0 &&
           stats.num_used_blocks == 0;
  }

 private:
  trace::EventRing ring_{1 << 16};
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<llm::Service> service_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<OpenAiService> openai_;
  std::unique_ptr<Api> api_;
  std::atomic<bool> frozen_{false};
};

}  // namespace orrery::server
