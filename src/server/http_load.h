// run_load(): many streaming requests to an OpenAI-compatible server, each at its time, and when
// their tokens came.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/status.h"

namespace orrery::server {

struct LoadTarget {
  std::string host;
  std::string port;
  std::string path;           // "/v1/completions"
  bool chat = false;          // it is /v1/chat/completions
  bool tls = false;           // certificates are checked against the system's, or $SSL_CERT_FILE
  std::string authorization;  // "Bearer KEY", or empty
};
// "http[s]://host[:port][/base]"; /v1/completions is added to the base unless it ends in that or in
// /v1/chat/completions. Errors: kInvalidArgument.
Result<LoadTarget> parse_load_url(std::string_view url);

struct LoadRequest {
  double arrival_s = 0;  // after the start
  std::string body;      // JSON with "stream": true and "stream_options": {"include_usage": true}
};

// Times are seconds after the start.
struct LoadResult {
  bool complete = false;  // came to its [DONE]
  int status = 0;         // HTTP; 0: no answer
  std::string error;      // why it is not complete
  double sent_s = 0;
  std::vector<double> token_s;  // of each event with a choice; of a chat, with some text
  int64_t output_tokens = 0;    // as the server counts them; if it does not, those events
};

struct LoadOptions {
  int64_t max_concurrency = 0;           // requests under way; those above wait; 0: no limit
  double timeout_s = 600;                // for all together
  std::function<void(double)> progress;  // with the fraction that has ended
};

// One result for each request, in their order. On the calling thread. Errors: kIo (the name does
// not resolve).
Result<std::vector<LoadResult>> run_load(const LoadTarget& target,
                                         const std::vector<LoadRequest>& requests,
                                         const LoadOptions& options);

}  // namespace orrery::server
