// The protocol over a real engine: the embedded model answers bodies, whole and streamed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <fstream>
#include <map>
#include <mutex>

#include "openapi_schema.h"
#include "protocol_model.h"
#include "server/openai_service.h"
#include "trace/trace_writer.h"

namespace orrery::server {
namespace {

using testing::HasSubstr;

// Collects an answer; waits for its end.
class Collector final : public OpenAiSink {
 public:
  void respond(std::string json) override { end_with(200, std::move(json)); }
  void fail(const ApiError& error) override { end_with(error.status, to_json(error)); }
  void begin_stream() override { streamed = true; }
  void write(std::string events) override {
    const std::lock_guard lock(mutex_);
    body += events;
    changed_.notify_all();
  }
  void end() override { end_with(200, ""); }

  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ended_; });
  }
  void wait_for_bytes() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ended_ || !body.empty(); });
  }

  int status = 0;
  bool streamed = false;
  std::string body;

 private:
  void end_with(int code, const std::string& rest) {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(ended_);
    status = code;
    body += rest;
    ended_ = true;
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
};

class OverTheEngine : public testing::Test {
 protected:
  OverTheEngine() {
    llm::ServiceOptions options;
    options.scheduler.max_num_seqs = 16;
    options.scheduler.kv.num_blocks = 256;
    auto made = llm::Service::create(demo_llm(), options, trace_);
    CHECK(made.ok()) << made.status().message();
    service_ = std::move(*made);
    openai_ = std::make_unique<OpenAiService>(*service_, demo_options());
  }

  std::shared_ptr<Collector> ask(const std::string& body,
                                 OpenAiRoute route = OpenAiRoute::kCompletions) {
    auto sink = std::make_shared<Collector>();
    openai_->handle(route, body, context_, sink);
    sink->wait();
    return sink;
  }
  OrderedJson answer(const std::string& body, OpenAiRoute route = OpenAiRoute::kCompletions) {
    const auto sink = ask(body, route);
    EXPECT_EQ(sink->status, 200) << sink->body;
    const OrderedJson json = json_of(sink->body);
    keep(sink->body, route == OpenAiRoute::kCompletions ? "completion" : "chat");
    return json;
  }
  // The text of each choice, and the finish reasons, out of a stream.
  std::map<int, std::string> streamed_texts(const std::string& stream, bool chat) {
    std::map<int, std::string> texts;
    for (size_t at = 0, end; (end = stream.find("\n\n", at)) != stream.npos; at = end + 2) {
      const std::string data = stream.substr(at + 6, end - at - 6);
      if (data == "[DONE]") break;
      keep(data, chat ? "chunk" : "completion_chunk");
      const OrderedJson event = json_of(data);
      for (const OrderedJson& choice : event["choices"]) {
        std::string& text = texts[choice["index"].get<int>()];
        text += chat ? choice["delta"].value("content", "") : choice["text"].get<std::string>();
      }
    }
    return texts;
  }
  // For protocol_sdk_check.py: every body, where $ORRERY_BODIES says.
  static void keep(const std::string& body, const std::string& kind) {
    const char* path = std::getenv("ORRERY_BODIES");
    if (path != nullptr) std::ofstream(path, std::ios::app) << kind << " " << body << "\n";
  }
  void expect_schema(const OrderedJson& body, const std::string& schema) {
    if (test_data_dir().empty()) return;
    auto plain = parse_json(dump_json(body), "body");
    EXPECT_EQ(OpenApiSchemas::get().check(*plain, schema), "") << dump_json(body);
  }

  trace::NoTrace trace_;
  std::unique_ptr<llm::Service> service_;
  std::unique_ptr<OpenAiService> openai_;
  CallContext context_;
};

TEST_F(OverTheEngine, ACompletionFitsOpenAisDescription) {
  const OrderedJson body = answer(
      R"({"model":"demo","prompt":"Once upon a time","max_tokens":8,"temperature":0,"logprobs":2})");
  expect_schema(body, "CreateCompletionResponse");
  EXPECT_EQ(body["usage"]["completion_tokens"], 8);
  EXPECT_EQ(body["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(body["choices"][0]["logprobs"]["tokens"].size(), 8u);
  std::string joined;
  for (const OrderedJson& token : body["choices"][0]["logprobs"]["tokens"]) {
    joined += token.get<std::string>();
  }
  EXPECT_EQ(joined, body["choices"][0]["text"]);
}

TEST_F(OverTheEngine, AChatFitsOpenAisDescription) {
  const OrderedJson body = answer(
      R"({"messages":[{"role":"user","content":"Tell me a story."}],"n":2,"seed":1,"logprobs":true,
          "top_logprobs":3,"max_completion_tokens":12})",
      OpenAiRoute::kChatCompletions);
  expect_schema(body, "CreateChatCompletionResponse");
  EXPECT_EQ(body["choices"].size(), 2u);
  EXPECT_NE(body["choices"][0]["message"]["content"], body["choices"][1]["message"]["content"]);
}

TEST_F(OverTheEngine, AStreamSaysWhatTheWholeAnswerSays) {
  for (const std::string& fields :
       {std::string(R"("prompt":"The little cat","max_tokens":24,"temperature":0)"),
        std::string(R"("prompt":["One day","世界"],"n":2,"seed":7,"max_tokens":16,"echo":true)"),
        std::string(R"("prompt":"Tom and","max_tokens":40,"seed":3,"stop":["a",". "])")}) {
    const OrderedJson whole = answer("{" + fields + "}");
    const auto stream =
        ask("{" + fields + R"(,"stream":true,"stream_options":{"include_usage":true}})");
    EXPECT_TRUE(stream->streamed);
    EXPECT_TRUE(stream->body.ends_with("data: [DONE]\n\n"));
    const auto texts = streamed_texts(stream->body, false);
    for (const OrderedJson& choice : whole["choices"]) {
      EXPECT_EQ(texts.at(choice["index"].get<int>()), choice["text"]) << fields;
    }
    EXPECT_THAT(stream->body, HasSubstr("\"usage\":{\"prompt_tokens\":" +
                                        dump_json(whole["usage"]["prompt_tokens"])));
  }
}

TEST_F(OverTheEngine, AStreamedChatSaysWhatTheWholeAnswerSays) {
  const std::string fields =
      R"({"messages":[{"role":"user","content":"Tell me a story."}],"n":2,"seed":1,"logprobs":true,
          "top_logprobs":2,"max_tokens":12)";
  const OrderedJson whole = answer(fields + "}", OpenAiRoute::kChatCompletions);
  const auto stream = ask(fields + R"(,"stream":true})", OpenAiRoute::kChatCompletions);
  const auto texts = streamed_texts(stream->body, true);
  for (const OrderedJson& choice : whole["choices"]) {
    EXPECT_EQ(texts.at(choice["index"].get<int>()), choice["message"]["content"]);
  }
}

TEST_F(OverTheEngine, LogprobsOfAPromptAreThoseThatEvaluationHarnessesAskFor) {
  // lm-eval's local-completions: token ids, echo, logprobs 1, one token.
  const OrderedJson body = answer(
      R"({"prompt":[[0,300,301,302],[0,400]],"max_tokens":1,"echo":true,"logprobs":1,"temperature":0,
          "seed":1234})");
  ASSERT_EQ(body["choices"].size(), 2u);
  const OrderedJson& logprobs = body["choices"][0]["logprobs"];
  EXPECT_EQ(logprobs["token_logprobs"].size(), 5u);
  EXPECT_EQ(logprobs["token_logprobs"][0], nullptr);
  for (size_t i = 1; i < 5; ++i) {
    EXPECT_TRUE(logprobs["token_logprobs"][i].is_number());
    EXPECT_GE(logprobs["top_logprobs"][i].size(), 1u);
  }
  EXPECT_EQ(body["usage"]["prompt_tokens"], 6);
}

TEST_F(OverTheEngine, ARefusedBodyReachesNoEngine) {
  const auto bad = ask(R"({"prompt":"x","top_p":7})");
  EXPECT_EQ(bad->status, 400);
  EXPECT_FALSE(bad->streamed);
  EXPECT_EQ(ask(R"({"prompt":"x","model":"none","stream":true})")->status, 404);
  EXPECT_EQ(ask(R"({"prompt":[[0,5],[4096]]})")->status, 400);
  EXPECT_EQ(service_->stats().num_prompt_tokens, 0);
}

TEST_F(OverTheEngine, ACancelledCallSaysNothingMoreAndFreesItsBlocks) {
  auto sink = std::make_shared<Collector>();
  const auto call = openai_->handle(
      OpenAiRoute::kCompletions,
      R"({"prompt":["a","b","c"],"n":2,"max_tokens":400,"ignore_eos":true,"stream":true})", {},
      sink);
  sink->wait_for_bytes();
  call->cancel();
  call->cancel();
  // What comes after waits for the text thread, and hence for what was on its way.
  answer(R"({"prompt":"x","max_tokens":1})");
  const size_t size = sink->body.size();
  answer(R"({"prompt":"x","max_tokens":1})");
  EXPECT_EQ(sink->body.size(), size);
  EXPECT_EQ(sink->body.find("[DONE]"), std::string::npos);
  EXPECT_TRUE(service_->drain(std::chrono::seconds(10)));
  EXPECT_EQ(service_->stats().num_used_blocks, 0);
}

TEST_F(OverTheEngine, ADrainingServerAsksToTryLater) {
  EXPECT_TRUE(service_->drain(std::chrono::seconds(10)));
  const auto refused = ask(R"({"prompt":"x"})");
  EXPECT_EQ(refused->status, 503);
}

TEST_F(OverTheEngine, TheSameSeedGivesTheSameAnswer) {
  const std::string body = R"({"prompt":"Once","max_tokens":20,"temperature":1.2,"seed":99})";
  EXPECT_EQ(answer(body)["choices"], answer(body)["choices"]);
  context_.default_seed = 5;
  const std::string unseeded = R"({"prompt":"Once","max_tokens":20,"temperature":1.2})";
  EXPECT_EQ(answer(unseeded)["choices"], answer(unseeded)["choices"]);
}

TEST_F(OverTheEngine, AThousandTokensAreOnTheirWayWithinAMillisecond) {
  std::string text = R"({"max_tokens":1,"truncate_prompt_tokens":500,"prompt":")";
  for (int i = 0; i < 250; ++i) text += fmt::format(" the {} of {}", i * 7919, i);
  text += "\"}";
  double best = 1e9;
  for (int round = 0; round < 20; ++round) {
    auto sink = std::make_shared<Collector>();
    const auto start = std::chrono::steady_clock::now();
    openai_->handle(OpenAiRoute::kCompletions, text, {}, sink);
    best = std::min(
        best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
                  .count());
    sink->wait();
    EXPECT_EQ(sink->status, 200) << sink->body;
  }
  RecordProperty("milliseconds", std::to_string(best));
  EXPECT_LT(best, 20);  // the target is 1; machines and sanitizers differ
}

}  // namespace
}  // namespace orrery::server
