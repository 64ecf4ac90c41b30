#include "server/openai_service.h"

#include <atomic>
#include <chrono>
#include <mutex>

#include "server/openai_answer.h"
#include "server/openai_request.h"
#include "server/openai_tokenize.h"

namespace orrery::server {
namespace {

// A completion on its way. The Service's sinks keep it alive until all of its sequences have ended.
class Generation final : public OpenAiCall {
 public:
  Generation(llm::Service& service, const OpenAiOptions& options, AnswerWriter answer,
             std::shared_ptr<OpenAiSink> sink)
      : service_(service), options_(options), answer_(std::move(answer)), sink_(std::move(sink)) {}

  void cancel() override {
    if (!over_.exchange(true)) abort_all();
  }

  // One request to the Service for each prompt. False if one was refused.
  static bool submit(const std::shared_ptr<Generation>& self, std::vector<Prompt>& prompts,
                     const llm::CompletionRequest& request) {
    for (size_t i = 0; i < prompts.size() && !self->over_; ++i) {
      llm::CompletionRequest one = request;
      one.prompt_token_ids = prompts[i].token_ids;
      llm::DeltaSink sink = sink_of(self, i, one);
      auto number = self->service_.submit(std::move(one), std::move(sink));
      if (!number.ok()) {
        self->refuse(number.status());
        return false;
      }
      {
        const std::lock_guard lock(self->numbers_mutex_);
        self->numbers_.push_back(*number);
      }
      // A cancel that came in between has not seen this one.
      if (self->over_) self->service_.abort(*number);
    }
    return true;
  }

 private:
  static llm::DeltaSink sink_of(const std::shared_ptr<Generation>& self, size_t prompt,
                                const llm::CompletionRequest& request) {
    std::function<void(const llm::Delta&)> observer;
    if (self->options_.observe) observer = self->options_.observe(request);
    return [self, prompt, observer = std::move(observer)](llm::Delta&& delta) {
      if (observer) observer(delta);
      self->take(prompt, std::move(delta));
    };
  }

  void abort_all() {
    const std::lock_guard lock(numbers_mutex_);
    for (const uint32_t number : numbers_) service_.abort(number);
  }

  void refuse(const Status& status) {
    const std::lock_guard lock(mutex_);
    end_with(api_error_of(status));
  }

  // On the text thread.
  void take(size_t prompt, llm::Delta&& delta) {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    if (delta.finish_reason == llm::FinishReason::kError) {
      return end_with(api_error_of(delta.error));
    }
    if (delta.finish_reason == llm::FinishReason::kAbort) {
      return end_with(overloaded("the server is shutting down"));
    }
    std::string bytes = answer_.add(prompt, std::move(delta));
    const bool complete = answer_.complete();
    if (complete) bytes += answer_.finish();
    if (!answer_.format().stream) {
      if (complete && !over_.exchange(true)) sink_->respond(std::move(bytes));
      return;
    }
    if (bytes.empty()) return;
    if (!std::exchange(begun_, true)) sink_->begin_stream();
    sink_->write(std::move(bytes));
    if (complete && !over_.exchange(true)) sink_->end();
  }

  void end_with(const ApiError& error) {
    if (over_.exchange(true)) return;
    if (begun_) {
      sink_->write("data: " + to_json(error) + "\n\n");
      sink_->end();
    } else {
      sink_->fail(error);
    }
    abort_all();
  }

  llm::Service& service_;
  const OpenAiOptions& options_;
  std::mutex mutex_;  // of the answer and the sink
  AnswerWriter answer_;
  std::shared_ptr<OpenAiSink> sink_;
  bool begun_ = false;
  std::atomic<bool> over_{false};  // ended or cancelled: nothing more reaches the sink

  std::mutex numbers_mutex_;  // apart, so that a sink may cancel
  std::vector<uint32_t> numbers_;
};

// What has ended already, or needs no engine.
class Ended final : public OpenAiCall {
 public:
  void cancel() override {}
};

std::shared_ptr<OpenAiCall> generate(llm::Service& service, const ServedModel& model,
                                     ApiResult<GenerationCall> parsed, const CallContext& context,
                                     std::shared_ptr<OpenAiSink> sink) {
  if (!parsed.ok()) {
    sink->fail(parsed.error());
    return std::make_shared<Ended>();
  }
  GenerationCall& call = *parsed;
  auto generation = std::make_shared<Generation>(
      service, model.options, AnswerWriter(call.format, call.prompts, model.llm.tokenizer()),
      std::move(sink));
  if (Generation::submit(generation, call.prompts, call.request) && model.options.queued)
    model.options.queued(context);
  return generation;
}

std::shared_ptr<OpenAiCall> answer(ApiResult<std::string> body, OpenAiSink& sink) {
  if (body.ok()) {
    sink.respond(std::move(*body));
  } else {
    sink.fail(body.error());
  }
  return std::make_shared<Ended>();
}

}  // namespace

std::optional<OpenAiRoute> openai_route(std::string_view path) {
  if (path == "/v1/completions") return OpenAiRoute::kCompletions;
  if (path == "/v1/chat/completions") return OpenAiRoute::kChatCompletions;
  if (path == "/tokenize") return OpenAiRoute::kTokenize;
  if (path == "/detokenize") return OpenAiRoute::kDetokenize;
  return std::nullopt;
}

OpenAiService::OpenAiService(llm::Service& service, OpenAiOptions options)
    : service_(service),
      options_(std::move(options)),
      created_(std::chrono::duration_cast<std::chrono::seconds>(
                   std::chrono::system_clock::now().time_since_epoch())
                   .count()) {}

OpenAiService::~OpenAiService() = default;

std::shared_ptr<OpenAiCall> OpenAiService::handle(OpenAiRoute route, std::string_view body,
                                                  const CallContext& context,
                                                  std::shared_ptr<OpenAiSink> sink) {
  auto json = parse_body(body, options_);
  if (!json.ok()) {
    sink->fail(json.error());
    return std::make_shared<Ended>();
  }
  const ServedModel model(service_.llm(), service_.scheduler_options().max_model_len, options_);
  switch (route) {
    case OpenAiRoute::kCompletions:
      return generate(service_, model, parse_completion(*json, model, context), context,
                      std::move(sink));
    case OpenAiRoute::kChatCompletions:
      return generate(service_, model, parse_chat_completion(*json, model, context), context,
                      std::move(sink));
    case OpenAiRoute::kTokenize:
      return answer(tokenize(*json, model), *sink);
    case OpenAiRoute::kDetokenize:
      return answer(detokenize(*json, model), *sink);
  }
  return std::make_shared<Ended>();
}

std::string OpenAiService::models() const {
  JsonWriter json;
  json.open('{').key("object").value("list").key("data").open('[');
  for (const std::string& name : options_.served_model_names) {
    json.open('{').key("id").value(name).key("object").value("model");
    json.key("created").value(created_).key("owned_by").value("orrery");
    json.key("root").value(options_.served_model_names.front()).key("parent").null();
    json.key("max_model_len")
        .value(static_cast<int64_t>(service_.scheduler_options().max_model_len))
        .close('}');
  }
  json.close(']').close('}');
  return std::move(json).take();
}

}  // namespace orrery::server
