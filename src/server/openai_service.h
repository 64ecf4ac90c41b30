// OpenAiService: the bodies of OpenAI's and vLLM's routes in, bodies and streams out; no HTTP.
//
//   handle(): parse, check, template, tokenise  (the caller's thread)
//   sink:     JSON and SSE of what is generated (the Service's text thread)
//
// Any number of threads may call it at once. It must outlive its calls; Llm and Service must
// outlive it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llm/service.h"
#include "server/openai_error.h"

namespace orrery::server {

enum class OpenAiRoute { kCompletions, kChatCompletions, kTokenize, kDetokenize };
// "/v1/completions" ...; nothing for any other path.
std::optional<OpenAiRoute> openai_route(std::string_view path);

struct OpenAiOptions {
  // What `model` may be in requests, the first in answers and in /v1/models.
  std::vector<std::string> served_model_names;
  int32_t max_logprobs = 20;           // at most, for logprobs, top_logprobs and prompt_logprobs
  int64_t max_prompts = 2048;          // of one request
  size_t max_json_values = 4'000'000;  // of one body: bounds its memory
  // Called with each request to the Service, before it is submitted; what it returns is called with
  // each of its deltas, on the text thread. May be empty: for metrics.
  std::function<std::function<void(const llm::Delta&)>(const llm::CompletionRequest&)> observe;
  // Called when all prompts of a call are in the engine's queue. May be empty: for metrics.
  std::function<void(const struct CallContext&)> queued;
};

// Who asks, as far as the transport knows.
struct CallContext {
  uint32_t tenant = 0;
  // Stands in the response's id where the body has no request_id; empty: one is made. Never a key.
  std::string request_id;
  // Of requests without a seed; absent: a random one.
  std::optional<uint64_t> default_seed;
  // Unix time that stands in the response; absent: now.
  std::optional<int64_t> created;
  std::chrono::steady_clock::time_point received = {};  // when the call's last byte was read
};

// Where an answer goes: either respond() or fail() once, or begin_stream(), write() as often as
// needed, end(). Never two calls at once; from within handle() or from the text thread, which must
// not be kept waiting: hand the bytes over. Calls may still come after cancel(), until the call has
// taken notice: the sink is kept alive that long.
class OpenAiSink {
 public:
  virtual ~OpenAiSink() = default;
  virtual void respond(std::string json) = 0;    // 200, application/json
  virtual void fail(const ApiError& error) = 0;  // its status, to_json(error)
  virtual void begin_stream() = 0;               // 200, text/event-stream
  virtual void write(std::string events) = 0;    // whole events: "data: {...}\n\n"
  // The stream is complete. After an error in the middle it is too: its last event tells of it,
  // and there is no [DONE].
  virtual void end() = 0;
};

// One request on its way.
class OpenAiCall {
 public:
  virtual ~OpenAiCall() = default;
  // The client is gone: frees the request's blocks within one step. Any thread, also within the
  // sink's functions; any number of times; nothing if it has ended.
  virtual void cancel() = 0;
};

class OpenAiService {
 public:
  OpenAiService(llm::Service& service, OpenAiOptions options);
  ~OpenAiService();
  OpenAiService(const OpenAiService&) = delete;
  OpenAiService& operator=(const OpenAiService&) = delete;

  // Takes as long as tokenising the prompt does. `body` is not needed after. The sink may have been
  // called, even to its end, when it returns. Dropping the returned call does not cancel it.
  std::shared_ptr<OpenAiCall> handle(OpenAiRoute route, std::string_view body,
                                     const CallContext& context, std::shared_ptr<OpenAiSink> sink);

  // The body of GET /v1/models.
  std::string models() const;

  const OpenAiOptions& options() const { return options_; }

 private:
  llm::Service& service_;
  OpenAiOptions options_;
  int64_t created_;
};

}  // namespace orrery::server
