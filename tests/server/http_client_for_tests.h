// A client that writes bytes and reads responses, one blocking socket; and responses taken apart.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/json.h"
#include "server/http_chunked.h"

namespace orrery::server {

struct TestResponse {
  int status = 0;                              // 0: none came
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  bool complete = false;  // its framing says so

  Json json() const {
    auto parsed = parse_json(body, "body");
    return parsed.ok() ? *parsed : Json();
  }
};

class TestClient {
 public:
  using Clock = std::chrono::steady_clock;

  explicit TestClient(int port, int receive_buffer_bytes = 0) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer_bytes > 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof(int));
    }
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  explicit TestClient(const std::string& unix_path) {
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, unix_path.c_str(), sizeof address.sun_path - 1);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  TestClient(TestClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        connected_(other.connected_),
        buffer_(std::move(other.buffer_)) {}
  ~TestClient() { close(); }

  bool connected() const { return connected_; }
  int fd() const { return fd_; }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }

  // More bytes into the buffer; false at the end, on an error or after the time.
  bool receive(Clock::time_point deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd descriptor{fd_, POLLIN, 0};
    if (left <= 0 || ::poll(&descriptor, 1, static_cast<int>(left)) <= 0) return false;
    char bytes[16384];
    const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
    if (n <= 0) {
      closed_ = true;
      return false;
    }
    buffer_.append(bytes, static_cast<size_t>(n));
    return true;
  }

  // Reads until `bytes` bytes have come beyond those read before, or the end.
  size_t receive_bytes(size_t bytes, std::chrono::milliseconds limit = std::chrono::seconds(10)) {
    const auto deadline = Clock::now() + limit;
    while (buffer_.size() < bytes && receive(deadline)) {
    }
    return buffer_.size();
  }

  // Whether the server closes the connection within the time.
  bool closed_within(std::chrono::milliseconds limit) {
    const auto deadline = Clock::now() + limit;
    while (!closed_ && receive(deadline)) {
    }
    return closed_;
  }

  TestResponse response(std::chrono::milliseconds limit = std::chrono::seconds(20),
                        bool is_head = false) {
    const auto deadline = Clock::now() + limit;
    TestResponse response;
    size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive(deadline)) return response;
    }
    parse_head(std::string_view(buffer_).substr(0, end + 2), response);
    buffer_.erase(0, end + 4);
    if (response.status == 100) return response;
    if (is_head || response.status == 204) {
      response.complete = true;
    } else if (response.headers.contains("transfer-encoding")) {
      ChunkedDecoder decoder;
      while (!decoder.done() && !decoder.failed()) {
        if (buffer_.empty() && !receive(deadline)) return response;
        buffer_.erase(0, decoder.feed(buffer_, response.body));
      }
      response.complete = decoder.done();
    } else if (const auto length = response.headers.find("content-length");
               length != response.headers.end()) {
      const size_t size = std::stoul(length->second);
      while (buffer_.size() < size && receive(deadline)) {
      }
      response.body = buffer_.substr(0, size);
      buffer_.erase(0, size);
      response.complete = response.body.size() == size;
    } else {
      while (receive(deadline)) {
      }
      response.body = std::exchange(buffer_, {});
      response.complete = closed_;
    }
    return response;
  }

  void shutdown_send() { ::shutdown(fd_, SHUT_WR); }
  // As when the client's machine dies: a reset instead of an orderly end.
  void reset() {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  static void parse_head(std::string_view head, TestResponse& response) {
    response.status = std::atoi(std::string(head.substr(9, 3)).c_str());
    head.remove_prefix(head.find("\r\n") + 2);
    while (!head.empty()) {
      const size_t line_end = head.find("\r\n");
      const size_t colon = head.find(": ");
      std::string name(head.substr(0, colon));
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      response.headers[name] = head.substr(colon + 2, line_end - colon - 2);
      head.remove_prefix(line_end + 2);
    }
  }

  int fd_ = -1;
  bool connected_ = false;
  bool closed_ = false;
  std::string buffer_;
};

inline std::string http_request(std::string_view method, std::string_view path,
                                std::string_view body = {}, std::string_view headers = {}) {
  std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: test\r\n{}", method, path, headers);
  if (method == "POST") {
    text += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  }
  text += "\r\n";
  text += body;
  return text;
}

inline TestResponse ask(int port, std::string_view method, std::string_view path,
                        std::string_view body = {}, std::string_view headers = {}) {
  TestClient client(port);
  client.send(http_request(method, path, body, headers));
  return client.response(std::chrono::seconds(60), method == "HEAD");
}

// Waits until `condition`, at most so long; what it is in the end.
template <typename Condition>
bool eventually(const Condition& condition,
                std::chrono::milliseconds limit = std::chrono::seconds(10)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace orrery::server
