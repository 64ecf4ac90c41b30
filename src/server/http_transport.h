// Transport: a connected byte stream: TCP or a Unix socket, plain or TLS. I/O thread only.
//
// Handlers are called from the io_context, never from within read() or write(), and must keep the
// transport alive. An idle plain transport holds no buffer.
#pragma once

#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>
#include <asio/ssl/context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

namespace orrery::server {

class Transport {
 public:
  using Socket = asio::generic::stream_protocol::socket;
  // No error and no bytes: the other side has shut down.
  using ReadHandler = std::function<void(std::error_code, std::string_view)>;
  using WriteHandler = std::function<void(std::error_code, size_t)>;

  virtual ~Transport() = default;
  virtual void handshake(std::function<void(std::error_code)> done) = 0;
  // One at a time. The bytes are valid during the call of `done`.
  virtual void read(ReadHandler done) = 0;
  // One at a time. Writes some of `bytes`, which must stay valid until `done`.
  virtual void write(std::string_view bytes, WriteHandler done) = 0;
  virtual void shutdown_send() = 0;  // no more comes from here
  virtual void close() = 0;          // handlers get an error
};

std::unique_ptr<Transport> plain_transport(Transport::Socket socket);
std::unique_ptr<Transport> tls_transport(Transport::Socket socket, asio::ssl::context& context);
// The side that connected: it wants a certificate for `host` that `context` trusts.
std::unique_ptr<Transport> tls_client_transport(Transport::Socket socket,
                                                asio::ssl::context& context,
                                                const std::string& host);

}  // namespace orrery::server
