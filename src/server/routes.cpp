#include "server/routes.h"

#include "base/json.h"

namespace orrery::server {
namespace {

HttpResponse http_response_of(const ApiError& error) {
  HttpResponse response;
  response.status = error.status;
  response.body = to_json(error);
  if (error.retry_after_seconds > 0) {
    response.headers.push_back({"Retry-After", std::to_string(error.retry_after_seconds)});
  }
  return response;
}

// Hands what the OpenAiService answers to the connection.
class HttpSink final : public OpenAiSink {
 public:
  explicit HttpSink(std::shared_ptr<Responder> responder) : responder_(std::move(responder)) {}

  void respond(std::string json) override {
    HttpResponse response;
    response.body = std::move(json);
    responder_->respond(std::move(response));
  }
  void fail(const ApiError& error) override { responder_->respond(http_response_of(error)); }
  void begin_stream() override {
    HttpResponse head;
    head.content_type = "text/event-stream; charset=utf-8";
    // No proxy is to collect events before passing them on.
    head.headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}};
    responder_->begin_stream(std::move(head));
  }
  void write(std::string events) override { responder_->write(events); }
  void end() override { responder_->end(); }

 private:
  std::shared_ptr<Responder> responder_;
};

HttpResponse json_response(const OrderedJson& json, int status = 200) {
  HttpResponse response;
  response.status = status;
  response.body = dump_json(json);
  return response;
}

}  // namespace

Api::Api(HttpServer& server, OpenAiService& openai, Metrics& metrics,
         std::function<EngineState()> engine_state, ApiOptions options)
    : server_(server),
      openai_(openai),
      metrics_(metrics),
      engine_state_(std::move(engine_state)),
      options_(std::move(options)),
      health_(options_.health_limit) {}

void Api::add_routes() {
  for (const std::string_view path :
       {"/v1/completions", "/v1/chat/completions", "/tokenize", "/detokenize"}) {
    const OpenAiRoute route = *openai_route(path);
    Route post;
    post.method = "POST";
    post.path = path;
    post.json_body = post.counts = true;
    post.handler = [this, route](HttpRequest request, std::shared_ptr<Responder> responder) {
      handle(route, std::move(request), responder);
    };
    server_.add_route(std::move(post));
  }
  add_status_routes();
  server_.call_after(options_.health_period, [this] { watch_engine(); });
}

void Api::add_status_routes() {
  const auto get = [this](std::string path, bool needs_key, bool on_io_thread,
                          std::function<HttpResponse()> answer) {
    Route route;
    route.method = "GET";
    route.path = std::move(path);
    route.needs_key = needs_key;
    route.on_io_thread = on_io_thread;
    route.handler = [answer = std::move(answer)](const HttpRequest&,
                                                 const std::shared_ptr<Responder>& responder) {
      responder->respond(answer());
    };
    server_.add_route(std::move(route));
  };
  get("/health", false, true, [this] {
    return json_response({{"status", alive_ ? "ok" : "the engine hangs"}}, alive_ ? 200 : 503);
  });
  get("/ready", false, true, [this] {
    if (server_.draining()) return json_response({{"status", "draining"}}, 503);
    return json_response({{"status", alive_ ? "ready" : "the engine hangs"}}, alive_ ? 200 : 503);
  });
  get("/version", true, true, [this] { return json_response({{"version", options_.version}}); });
  get("/load", true, true, [this] {
    return json_response({{"server_load", server_.num_requests()}});
  });
  get("/v1/models", true, false, [this] {
    HttpResponse response;
    response.body = openai_.models();
    return response;
  });
  get("/metrics", true, false, [this] {
    HttpResponse response;
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = metrics_.text();
    return response;
  });
}

// On a worker thread.
void Api::handle(OpenAiRoute route, HttpRequest request,
                 const std::shared_ptr<Responder>& responder) {
  if (responder->gone()) return;  // while it waited for a worker
  CallContext context;
  context.tenant = request.key;
  context.received = request.received;
  const std::shared_ptr<OpenAiCall> call =
      openai_.handle(route, request.body, context, std::make_shared<HttpSink>(responder));
  // Weak: a call under way is kept by the service, and keeps the responder.
  responder->on_gone([weak = std::weak_ptr<OpenAiCall>(call)] {
    if (const auto running = weak.lock()) running->cancel();
  });
}

void Api::watch_engine() {
  const EngineState state = engine_state_();
  health_.observe(state.heartbeat, state.has_unfinished, EngineHealth::Clock::now());
  alive_ = health_.alive();
  server_.call_after(options_.health_period, [this] { watch_engine(); });
}

namespace {

struct Pump : std::enable_shared_from_this<Pump> {
  HttpServer& server;
  std::shared_ptr<Responder> responder;
  std::function<std::string()> next;
  std::chrono::milliseconds period;
  std::string rest;  // of a large piece, which is handed over in slices

  Pump(HttpServer& to, std::shared_ptr<Responder> answer, std::function<std::string()> source,
       std::chrono::milliseconds every)
      : server(to), responder(std::move(answer)), next(std::move(source)), period(every) {}

  void run() {
    constexpr size_t kSliceBytes = 512 << 10;
    if (responder->gone()) return;
    if (responder->buffered_bytes() == 0) {
      if (rest.empty()) rest = next();
      responder->write(std::string_view(rest).substr(0, kSliceBytes));
      rest.erase(0, kSliceBytes);
    }
    server.call_after(period, [me = shared_from_this()] { me->run(); });
  }
};

}  // namespace

void stream_from(HttpServer& server, std::shared_ptr<Responder> responder, HttpResponse head,
                 std::function<std::string()> next, std::chrono::milliseconds period) {
  responder->begin_stream(std::move(head));
  const auto pump = std::make_shared<Pump>(server, std::move(responder), std::move(next), period);
  server.call_after(std::chrono::milliseconds(0), [pump] { pump->run(); });
}

}  // namespace orrery::server
