#include "server/http_server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <cerrno>
#include <cstring>
#include <thread>

#include "base/log.h"
#include "server/http_connection.h"
#include "server/http_listener.h"

namespace orrery::server {
namespace {

constexpr std::chrono::milliseconds kTick{100};
constexpr int kAcceptsAtOnce = 64;

Result<std::unique_ptr<asio::ssl::context>> tls_context(const HttpOptions& options) {
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_options(context->native_handle(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  std::error_code error;
  context->use_certificate_chain_file(options.ssl_certfile, error);
  if (error) {
    return invalid_argument("--ssl-certfile: {}: expected a certificate chain in PEM: {}",
                            options.ssl_certfile, error.message());
  }
  context->use_private_key_file(options.ssl_keyfile, asio::ssl::context::pem, error);
  if (error) {
    return invalid_argument("--ssl-keyfile: {}: expected the certificate's private key in PEM: {}",
                            options.ssl_keyfile, error.message());
  }
  return context;
}

}  // namespace

class HttpServer::Impl {
 public:
  explicit Impl(HttpOptions options) : core(std::move(options)) {}
  ~Impl() {
    if (core.access_log_fd > STDERR_FILENO) ::close(core.access_log_fd);
    if (!core.options.uds.empty() && listening.fd >= 0) ::unlink(core.options.uds.c_str());
  }

  Status open();
  void start();
  void stop();
  void accept();
  void take_in(int fd);
  void tick();

  HttpCore core;
  ListeningSocket listening;
  asio::posix::stream_descriptor acceptor{*core.io};
  asio::steady_timer ticker{*core.io};
  asio::steady_timer accept_pause{*core.io};
  std::thread thread;
  bool stopped = false;
};

Status HttpServer::Impl::open() {
  const HttpOptions& options = core.options;
  if (options.ssl_certfile.empty() != options.ssl_keyfile.empty()) {
    return invalid_argument("expected --ssl-certfile and --ssl-keyfile together, got one");
  }
  if (!options.ssl_certfile.empty()) {
    ASSIGN_OR_RETURN(core.tls, tls_context(options));
  }
  if (options.access_log == "-") {
    core.access_log_fd = STDERR_FILENO;
  } else if (!options.access_log.empty()) {
    core.access_log_fd =
        ::open(options.access_log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (core.access_log_fd < 0) {
      return io_error("--access-log: {}: {}", options.access_log, std::strerror(errno));
    }
  }
  ASSIGN_OR_RETURN(listening, options.uds.empty() ? listen_tcp(options.host, options.port)
                                                  : listen_unix(options.uds));
  acceptor.assign(listening.fd);
  return {};
}

void HttpServer::Impl::start() {
  core.workers = std::make_unique<WorkerPool>(core.options.num_workers);
  accept();
  tick();
  thread = std::thread([this] { core.io->run(); });
}

void HttpServer::Impl::stop() {
  if (std::exchange(stopped, true)) return;
  asio::post(*core.io, [this] {
    while (!core.connections.empty()) core.connections.front()->close();
    core.io->stop();
  });
  if (thread.joinable()) thread.join();
  core.workers.reset();
}

void HttpServer::Impl::accept() {
  acceptor.async_wait(asio::posix::descriptor_base::wait_read, [this](std::error_code error) {
    if (error) return;
    for (int i = 0; i < kAcceptsAtOnce; ++i) {
      const int fd = ::accept4(listening.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        take_in(fd);
        continue;
      }
      if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) break;
      // Out of descriptors or memory: those who are here go on, the others wait.
      log::warn("accepting a connection: {}", std::strerror(errno));
      accept_pause.expires_after(kTick);
      accept_pause.async_wait([this](std::error_code failed) {
        if (!failed) accept();
      });
      return;
    }
    accept();
  });
}

void HttpServer::Impl::take_in(int fd) {
  const int on = 1;
  const bool is_tcp = core.options.uds.empty();
  if (is_tcp) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (core.num_connections >= core.options.max_connections) {
    ::close(fd);
    return;
  }
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  Transport::Socket socket(*core.io);
  std::error_code error;
  socket.assign(asio::generic::stream_protocol(address.ss_family, is_tcp ? IPPROTO_TCP : 0), fd,
                error);
  if (error) {
    ::close(fd);
    return;
  }
  auto transport = core.tls != nullptr ? tls_transport(std::move(socket), *core.tls)
                                       : plain_transport(std::move(socket));
  core.connections.push_front(std::make_shared<Connection>(core, std::move(transport)));
  ++core.num_connections;
  core.connections.front()->start(core.connections.begin());
}

void HttpServer::Impl::tick() {
  ticker.expires_after(kTick);
  ticker.async_wait([this](std::error_code error) {
    if (error) return;
    const auto now = HttpCore::Clock::now();
    for (auto it = core.connections.begin(); it != core.connections.end();) {
      const std::shared_ptr<Connection> connection = *it++;  // it may close itself
      connection->check_deadline(now);
    }
    tick();
  });
}

Result<std::unique_ptr<HttpServer>> HttpServer::create(HttpOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  RETURN_IF_ERROR(impl->open());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() { stop(); }

void HttpServer::add_route(Route route) { impl_->core.routes.push_back(std::move(route)); }
void HttpServer::start() { impl_->start(); }
void HttpServer::stop() { impl_->stop(); }

int HttpServer::port() const { return impl_->listening.port; }

std::string HttpServer::url() const {
  const HttpOptions& options = impl_->core.options;
  if (!options.uds.empty()) return "unix:" + options.uds;
  const bool is_v6 = options.host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", impl_->core.tls != nullptr ? "https" : "http",
                     is_v6 ? "[" : "", options.host, is_v6 ? "]" : "", port());
}

void HttpServer::drain() { impl_->core.draining = true; }
bool HttpServer::draining() const { return impl_->core.draining; }
int64_t HttpServer::num_requests() const { return impl_->core.num_requests; }
size_t HttpServer::num_connections() const { return impl_->core.num_connections; }

void HttpServer::call_after(std::chrono::milliseconds delay, std::function<void()> function) {
  asio::post(*impl_->core.io, [io = impl_->core.io.get(), delay, function = std::move(function)] {
    auto timer = std::make_shared<asio::steady_timer>(*io, delay);
    timer->async_wait([timer, function](std::error_code error) {
      if (!error) function();
    });
  });
}

}  // namespace orrery::server
