#include "server/http_transport.h"

#include <sys/socket.h>

#include <array>
#include <asio/buffer.hpp>
#include <asio/ssl/host_name_verification.hpp>
#include <asio/ssl/stream.hpp>
#include <cerrno>

namespace orrery::server {
namespace {

constexpr size_t kReadBytes = 16 << 10;

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(Socket socket) : socket_(std::move(socket)) {}

  void handshake(std::function<void(std::error_code)> done) override { done({}); }

  // Waits first, so that thousands of idle connections need no buffer each.
  void read(ReadHandler done) override {
    socket_.async_wait(Socket::wait_read, [this, done = std::move(done)](std::error_code error) {
      if (error) return done(error, {});
      std::array<char, kReadBytes> bytes;
      const ssize_t n = ::recv(socket_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (n >= 0) return done({}, {bytes.data(), static_cast<size_t>(n)});
      if (errno == EAGAIN || errno == EINTR) return read(done);
      done(std::error_code(errno, std::generic_category()), {});
    });
  }

  void write(std::string_view bytes, WriteHandler done) override {
    socket_.async_write_some(asio::buffer(bytes.data(), bytes.size()), std::move(done));
  }

  void shutdown_send() override {
    std::error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
  }
  void close() override {
    std::error_code ignored;
    socket_.close(ignored);
  }

 private:
  Socket socket_;
};

class TlsTransport final : public Transport {
 public:
  TlsTransport(Socket socket, asio::ssl::context& context) : stream_(std::move(socket), context) {}
  TlsTransport(Socket socket, asio::ssl::context& context, const std::string& host)
      : stream_(std::move(socket), context), side_(asio::ssl::stream_base::client) {
    SSL_set_tlsext_host_name(stream_.native_handle(), host.c_str());
    stream_.set_verify_mode(asio::ssl::verify_peer);
    stream_.set_verify_callback(asio::ssl::host_name_verification(host));
  }

  void handshake(std::function<void(std::error_code)> done) override {
    stream_.async_handshake(side_, std::move(done));
  }

  void read(ReadHandler done) override {
    stream_.async_read_some(asio::buffer(bytes_), [this, done = std::move(done)](
                                                      std::error_code error, size_t n) {
      const bool at_end = error == asio::error::eof || error == asio::ssl::error::stream_truncated;
      done(at_end ? std::error_code() : error, {bytes_.data(), at_end ? 0 : n});
    });
  }

  void write(std::string_view bytes, WriteHandler done) override {
    stream_.async_write_some(asio::buffer(bytes.data(), bytes.size()), std::move(done));
  }

  // The peer learns the end from the HTTP framing; waiting for its close_notify would hold the
  // connection for whoever does not send one.
  void shutdown_send() override {
    std::error_code ignored;
    stream_.next_layer().shutdown(Socket::shutdown_send, ignored);
  }
  void close() override {
    std::error_code ignored;
    stream_.next_layer().close(ignored);
  }

 private:
  asio::ssl::stream<Socket> stream_;
  asio::ssl::stream_base::handshake_type side_ = asio::ssl::stream_base::server;
  std::array<char, kReadBytes> bytes_;
};

}  // namespace

std::unique_ptr<Transport> plain_transport(Transport::Socket socket) {
  return std::make_unique<PlainTransport>(std::move(socket));
}

std::unique_ptr<Transport> tls_transport(Transport::Socket socket, asio::ssl::context& context) {
  return std::make_unique<TlsTransport>(std::move(socket), context);
}

std::unique_ptr<Transport> tls_client_transport(Transport::Socket socket,
                                                asio::ssl::context& context,
                                                const std::string& host) {
  return std::make_unique<TlsTransport>(std::move(socket), context, host);
}

}  // namespace orrery::server
