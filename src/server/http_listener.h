// Listening sockets, as file descriptors that do not block.
#pragma once

#include <string>

#include "base/status.h"

namespace orrery::server {

struct ListeningSocket {
  int fd = -1;
  int port = 0;  // bound; 0 for a Unix socket
};

// Errors: kInvalidArgument (an address that does not resolve), kIo (in use, not allowed).
Result<ListeningSocket> listen_tcp(const std::string& host, int port);
// Replaces a socket file that nobody listens on any more.
Result<ListeningSocket> listen_unix(const std::string& path);

}  // namespace orrery::server
