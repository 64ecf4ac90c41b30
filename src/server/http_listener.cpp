#include "server/http_listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace orrery::server {
namespace {

constexpr int kBacklog = 4096;

int bound_port(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

// Of a socket that is made, bound and listening; else -1 with errno.
int open_listening(int family, const sockaddr* address, socklen_t size) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd, address, size) == 0 && ::listen(fd, kBacklog) == 0) return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

bool somebody_listens(const sockaddr_un& address) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return true;
  const bool connected =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  const bool refused = !connected && errno == ECONNREFUSED;
  ::close(fd);
  return !refused;
}

}  // namespace

Result<ListeningSocket> listen_tcp(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (error != 0) {
    return invalid_argument("--host: expected an address of this machine, got \"{}\": {}", host,
                            ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, ::freeaddrinfo);
  const int fd = open_listening(list->ai_family, list->ai_addr, list->ai_addrlen);
  if (fd < 0) return io_error("listening on {} port {}: {}", host, port, std::strerror(errno));
  return ListeningSocket{fd, bound_port(fd)};
}

Result<ListeningSocket> listen_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return invalid_argument("--uds: expected a path of at most {} bytes, got {}",
                            sizeof address.sun_path - 1, path.size());
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode)) return io_error("{}: exists, and is not a socket", path);
    if (somebody_listens(address)) return io_error("{}: another process listens there", path);
    ::unlink(path.c_str());
  }
  const int fd =
      open_listening(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (fd < 0) return io_error("{}: {}", path, std::strerror(errno));
  return ListeningSocket{fd, 0};
}

}  // namespace orrery::server
