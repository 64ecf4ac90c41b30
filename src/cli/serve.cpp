// orrery serve: the OpenAI-compatible server, until a signal ends it.
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/serve_live.h"
#include "cli/service_options.h"
#include "cli/terminal.h"
#include "server/routes.h"
#include "server/systemd.h"

namespace orrery::cli {
namespace {

using namespace std::chrono_literals;

// What the step-event log holds for its readers: some tenths of a second of a busy engine.
constexpr size_t kRingEvents = 1 << 17;

struct ServeOptions {
  EngineOptions engine;
  ServiceFlags service;
  server::HttpOptions http;
  std::string api_key_file;
  live::LiveText live_text = live::LiveText::kOn;
  std::optional<bool> live_switches;
  int64_t port = 8000, max_queued_requests = 1024, max_connections = 20'000, workers = 2;
  int64_t max_body_mib = 16;
  double header_timeout_s = 10, body_timeout_s = 60, idle_timeout_s = 75, write_timeout_s = 30;
  double drain_timeout_s = 30, health_timeout_s = 60;

  std::vector<Flag> flags();
  Status resolve();
};

std::vector<Flag> ServeOptions::flags() {
  constexpr int64_t kMany = 1 << 30;
  std::vector<Flag> own = {
      {"--host", 0, "ADDRESS", "to listen on (default 127.0.0.1)", set_text(http.host)},
      {"--port", 0, "PORT", "(default 8000; 0: any that is free)", set_int(port, 0, 65535)},
      {"--uds", 0, "PATH", "a Unix socket instead", set_text(http.uds)},
      {"--api-key-file", 0, "FILE", "keys, one a line (or one in $ORRERY_API_KEY)",
       set_text(api_key_file)},
      {"--ssl-certfile", 0, "FILE", "certificate chain, PEM: TLS", set_text(http.ssl_certfile)},
      {"--ssl-keyfile", 0, "FILE", "its private key, PEM", set_text(http.ssl_keyfile)},
      {"--allowed-origins", 0, "ORIGIN", "web pages that may ask (CORS); may be repeated, or *",
       append_text(http.allowed_origins)},
      {"--access-log", 0, "FILE", "a line per request, without prompts; -: stderr",
       set_text(http.access_log)},
      {"--live-text",
       0,
       "HOW",
       "text on the live page: on, ids or off (default on)",
       [this](std::string_view value) {
         live_text = live::parse_live_text(value).value();
         return Status();
       },
       {"on", "ids", "off"}},
      {"--live-switches", 0, "",
       "who watches may switch techniques off (default: loopback, no keys)",
       [this](std::string_view) -> Status {
         live_switches = true;
         return {};
       }},
      {"--no-live-switches", 0, "", "nobody may",
       [this](std::string_view) -> Status {
         live_switches = false;
         return {};
       }},
      {"--max-queued-requests", 0, "N", "beyond --max-num-seqs; then 503 (default 1024)",
       set_int(max_queued_requests, 0, kMany)},
      {"--max-requests-per-key", 0, "N", "of one key at once; then 429 (default: no limit)",
       set_int(http.admission.max_requests_per_key, 0, kMany)},
      {"--requests-per-minute-per-key", 0, "N", "then 429 (default: no limit)",
       set_int(http.admission.requests_per_minute_per_key, 0, kMany)},
      {"--max-connections", 0, "N", "open at once (default 20000)",
       set_int(max_connections, 1, kMany)},
      {"--max-body-mib", 0, "MIB", "of one request (default 16)", set_int(max_body_mib, 1, 1024)},
      {"--workers", 0, "N", "threads that parse and tokenize (default 2)",
       set_int(workers, 1, 256)},
      {"--header-timeout", 0, "S", "(default 10)", set_double(header_timeout_s, 0.01, 1e6)},
      {"--body-timeout", 0, "S", "(default 60)", set_double(body_timeout_s, 0.01, 1e6)},
      {"--idle-timeout", 0, "S", "between requests (default 75)",
       set_double(idle_timeout_s, 0.01, 1e6)},
      {"--write-timeout", 0, "S", "of a client that takes nothing (default 30)",
       set_double(write_timeout_s, 0.01, 1e6)},
      {"--drain-timeout", 0, "S", "after SIGTERM for requests under way (default 30)",
       set_double(drain_timeout_s, 0, 1e6)},
      {"--health-timeout", 0, "S", "longest step; then /health says 503 (default 60)",
       set_double(health_timeout_s, 0.1, 1e6)},
  };
  return join(join(std::move(own), service.flags()), engine.flags());
}

std::chrono::milliseconds milliseconds_of(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

Status ServeOptions::resolve() {
  if (!api_key_file.empty()) {
    ASSIGN_OR_RETURN(http.keys, server::KeyRing::from_file(api_key_file));
  } else if (const char* key = std::getenv("ORRERY_API_KEY"); key != nullptr) {
    ASSIGN_OR_RETURN(http.keys, server::KeyRing::from_text(key, "ORRERY_API_KEY"));
  }
  http.port = static_cast<int>(port);
  http.admission.max_requests = service.max_num_seqs + max_queued_requests;
  http.max_connections = static_cast<size_t>(max_connections);
  http.limits.max_body_bytes = static_cast<size_t>(max_body_mib) << 20;
  http.num_workers = static_cast<int>(workers);
  http.timeouts.header = milliseconds_of(header_timeout_s);
  http.timeouts.body = milliseconds_of(body_timeout_s);
  http.timeouts.idle = milliseconds_of(idle_timeout_s);
  http.timeouts.write = milliseconds_of(write_timeout_s);
  return {};
}

// SIGTERM and SIGINT: the first ends the serving, the second, or one before it begins, the process.
std::atomic<bool> serving{false};
std::atomic<int> num_signals{0};
int signal_pipe[2] = {-1, -1};

extern "C" void on_end_signal(int signal) {
  if (!serving || ++num_signals > 1) ::_exit(128 + signal);
  [[maybe_unused]] const ssize_t n = ::write(signal_pipe[1], "x", 1);
}

Status catch_signals() {
  if (::pipe(signal_pipe) != 0) return io_error("no file descriptors for a pipe");
  struct sigaction action {};
  action.sa_handler = on_end_signal;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return {};
}

bool signalled(std::chrono::milliseconds wait) {
  pollfd descriptor{signal_pipe[0], POLLIN, 0};
  return ::poll(&descriptor, 1, static_cast<int>(wait.count())) > 0;
}

// Each connection takes a descriptor; the soft limit is often 1024.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void wait_for_signal(const server::Api& api) {
  const auto watchdog = server::systemd_watchdog_period();
  const auto wait = watchdog ? std::chrono::ceil<std::chrono::milliseconds>(*watchdog) : 1h;
  while (!signalled(std::chrono::duration_cast<std::chrono::milliseconds>(wait))) {
    if (watchdog && api.engine_alive()) server::notify_systemd("WATCHDOG=1");
  }
}

// True if all requests were answered in time.
bool drain(server::HttpServer& http, llm::Service& service, std::chrono::milliseconds timeout) {
  http.drain();
  server::notify_systemd("STOPPING=1");
  fmt::print(stderr, "stopping: {} requests to finish; a second signal ends at once\n",
             http.num_requests());
  const auto wait_until_answered = [&](std::chrono::milliseconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (http.num_requests() > 0 && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(10ms);
    }
    return http.num_requests() == 0;
  };
  const bool complete = wait_until_answered(timeout);
  service.drain(0ms);  // those left get an error as their last event
  if (!complete) wait_until_answered(1s);
  return complete;
}

// Whether other machines can come here without a key.
bool exposed(const server::HttpOptions& options) {
  const bool loopback = !options.uds.empty() || options.host == "localhost" ||
                        options.host == "::1" || options.host.starts_with("127.");
  return !loopback && options.keys.empty();
}

Status serve(ServeOptions& options) {
  RETURN_IF_ERROR(options.resolve());
  RETURN_IF_ERROR(catch_signals());
  raise_descriptor_limit();
  // Before the model is loaded: an address in use is told at once.
  ASSIGN_OR_RETURN(const auto http, server::HttpServer::create(options.http));
  options.engine.llm.memory =
      service_memory(options.engine, options.service.memory, options.service.max_num_seqs);
  ASSIGN_OR_RETURN(const auto llm, load_llm(options.engine));
  trace::EventRing ring(kRingEvents);
  ASSIGN_OR_RETURN(
      const auto service,
      llm::Service::create(*llm, options.service.service_options(options.engine), ring));

  fmt::print(stderr, "{}", service->memory_plan().table());

  server::OpenAiOptions openai_options;
  openai_options.served_model_names = options.service.names(options.engine);
  server::Metrics metrics(*service, ring, {.model_name = openai_options.served_model_names[0]});
  metrics.watch(openai_options);
  server::OpenAiService openai(*service, openai_options);
  server::Api api(
      *http, openai, metrics,
      [&service = *service] {
        return server::EngineState{service.heartbeat(), service.stats().num_requests > 0};
      },
      {.version = ORRERY_VERSION, .health_limit = milliseconds_of(options.health_timeout_s)});
  api.add_routes();
  std::unique_ptr<live::Hub> hub;
  if (exposed(options.http)) {
    log::warn("{} can be reached from other machines and asks for no API key: no live page",
              options.http.host);
  } else {
    const bool has_keys = !options.http.keys.empty();
    const bool switches = options.live_switches.value_or(!has_keys && options.http.uds.empty());
    hub = add_live_page(*http, *service, ring, {has_keys, options.live_text, switches});
  }
  serving = true;
  http->start();
  fmt::print(stderr, "serving {} at {}{}\n", openai_options.served_model_names[0], http->url(),
             hub != nullptr && options.http.uds.empty() ? "; open it in a browser" : "");
  server::notify_systemd("READY=1");

  wait_for_signal(api);
  const bool complete = drain(*http, *service, milliseconds_of(options.drain_timeout_s));
  http->stop();
  return complete ? Status() : resource_exhausted("requests were cut off after --drain-timeout");
}

}  // namespace

int serve_command(Args args) {
  ServeOptions options;
  std::vector<std::string> positional;
  const auto code =
      parse_command_line("serve", "serve [MODEL] [flags]", args, options.flags(), 1, positional);
  if (code) return *code;
  if (!positional.empty()) options.engine.llm.model = positional[0];
  const Status status = serve(options);
  return status.ok() ? kDone : report("serve", status);
}

}  // namespace orrery::cli
