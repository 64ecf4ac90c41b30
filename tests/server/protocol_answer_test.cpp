// Answers: objects and streams from what becomes of the sequences, without an engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "openapi_schema.h"
#include "protocol_model.h"
#include "server/openai_answer.h"

namespace orrery::server {
namespace {

using llm::Delta;
using llm::FinishReason;
using testing::HasSubstr;

int32_t id_of(const std::string& text) {
  const auto ids = demo_llm().tokenizer()->encode(text, {.add_special_tokens = false});
  EXPECT_EQ(ids->size(), 1u) << text;
  return ids->front();
}

sampler::SampledToken token(int32_t id, float logprob = -0.5F) {
  return {id, logprob, 1, {{id, logprob, 1}, {7, -2.5F, 2}}};
}

Delta delta(const std::string& text, std::vector<sampler::SampledToken> tokens, int32_t index = 0) {
  Delta made;
  made.index = index;
  made.text = text;
  made.tokens = std::move(tokens);
  return made;
}

Delta last(Delta made, FinishReason reason = FinishReason::kStop) {
  made.finish_reason = reason;
  return made;
}

AnswerFormat format(bool chat, bool stream) {
  AnswerFormat made;
  made.chat = chat;
  made.stream = stream;
  made.id = chat ? "chatcmpl-1" : "cmpl-1";
  made.model = "demo";
  made.created = 1700000000;
  return made;
}

AnswerWriter writer(const AnswerFormat& made,
                    std::vector<Prompt> prompts = {{{0, 300, 301}, "Hi"}}) {
  return {made, std::move(prompts), demo_llm().tokenizer()};
}

// The objects of a stream's events; checks that it ends with [DONE] if it should.
std::vector<OrderedJson> events_of(std::string_view stream, bool done) {
  std::vector<OrderedJson> events;
  bool ended = false;
  while (!stream.empty()) {
    const size_t end = stream.find("\n\n");
    EXPECT_NE(end, stream.npos);
    EXPECT_TRUE(stream.starts_with("data: "));
    const std::string_view data = stream.substr(6, end - 6);
    EXPECT_FALSE(ended);
    ended = data == "[DONE]";
    if (!ended) events.push_back(json_of(data));
    stream.remove_prefix(end + 2);
  }
  EXPECT_EQ(ended, done);
  return events;
}

void expect_schema(const OrderedJson& body, const std::string& schema) {
  if (test_data_dir().empty()) return;
  auto plain = parse_json(dump_json(body), "body");
  EXPECT_EQ(OpenApiSchemas::get().check(*plain, schema), "") << dump_json(body);
}

TEST(Answer, ACompletionIsOneObject) {
  AnswerWriter answer = writer(format(false, false));
  EXPECT_EQ(answer.add(0, delta(" there", {token(400), token(401)})), "");
  EXPECT_FALSE(answer.complete());
  answer.add(0, last(delta(".", {token(402)}), FinishReason::kLength));
  ASSERT_TRUE(answer.complete());
  const OrderedJson body = json_of(answer.finish());
  EXPECT_EQ(body["object"], "text_completion");
  EXPECT_EQ(body["choices"][0]["text"], " there.");
  EXPECT_EQ(body["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(body["choices"][0]["logprobs"], nullptr);
  EXPECT_EQ(body["usage"]["prompt_tokens"], 3);
  EXPECT_EQ(body["usage"]["completion_tokens"], 3);
  EXPECT_EQ(body["usage"]["total_tokens"], 6);
  expect_schema(body, "CreateCompletionResponse");
}

TEST(Answer, AChatCompletionIsOneObjectWithLogprobs) {
  AnswerFormat made = format(true, false);
  made.logprobs = 1;
  AnswerWriter answer = writer(made);
  Delta end = last(
      delta("世 界", {token(id_of(" the")), token(7, -std::numeric_limits<float>::infinity())}));
  end.stop_reason = std::string("界");
  end.num_cached_tokens = 2;
  answer.add(0, std::move(end));
  const OrderedJson body = json_of(answer.finish());
  const OrderedJson& choice = body["choices"][0];
  EXPECT_EQ(choice["message"]["role"], "assistant");
  EXPECT_EQ(choice["message"]["content"], "世 界");
  EXPECT_EQ(choice["stop_reason"], "界");
  const OrderedJson& content = choice["logprobs"]["content"];
  ASSERT_EQ(content.size(), 2u);
  EXPECT_EQ(content[0]["token"], " the");
  EXPECT_EQ(dump_json(content[0]["bytes"]), "[32,116,104,101]");
  EXPECT_EQ(content[0]["logprob"], -0.5);
  EXPECT_EQ(content[0]["top_logprobs"].size(), 1u);  // as many as were asked for
  EXPECT_EQ(content[1]["logprob"], -9999);           // JSON has no infinity
  EXPECT_EQ(body["usage"]["prompt_tokens_details"]["cached_tokens"], 2);
  expect_schema(body, "CreateChatCompletionResponse");
}

TEST(Answer, AChatStreamBeginsWithTheRoleAndEndsWithUsage) {
  AnswerFormat made = format(true, true);
  made.n = 2;
  made.include_usage = true;
  AnswerWriter answer = writer(made);
  std::string stream = answer.add(0, delta("Hel", {token(400)}));
  stream += answer.add(0, delta("yes", {token(401)}, 1));
  stream += answer.add(0, delta("", {token(402)}));  // held back: nothing to say yet
  stream += answer.add(0, last(delta("lo", {token(403)}), FinishReason::kLength));
  EXPECT_FALSE(answer.complete());
  stream += answer.add(0, last(delta("", {token(5)}, 1)));
  ASSERT_TRUE(answer.complete());
  stream += answer.finish();
  const auto events = events_of(stream, true);
  ASSERT_EQ(events.size(), 7u);  // 2 roles, 4 deltas, usage
  for (const OrderedJson& event : events) {
    // The description's text asks for a null usage in all chunks but the last; its schema forgets
    // it.
    OrderedJson described = event;
    if (described["usage"].is_null()) described.erase("usage");
    expect_schema(described, "CreateChatCompletionStreamResponse");
    EXPECT_EQ(event["id"], "chatcmpl-1");
    EXPECT_EQ(event["created"], 1700000000);
  }
  EXPECT_EQ(events[0]["choices"][0]["delta"]["role"], "assistant");
  EXPECT_EQ(events[1]["choices"][0]["index"], 1);
  EXPECT_EQ(events[2]["choices"][0]["delta"]["content"], "Hel");
  EXPECT_EQ(events[2]["choices"][0]["finish_reason"], nullptr);
  EXPECT_EQ(events[2]["usage"], nullptr);
  EXPECT_EQ(events[4]["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(dump_json(events[5]["choices"][0]["delta"]), "{}");
  EXPECT_EQ(events[5]["choices"][0]["finish_reason"], "stop");
  EXPECT_TRUE(events[6]["choices"].empty());
  EXPECT_EQ(events[6]["usage"]["completion_tokens"], 5);
  EXPECT_EQ(events[6]["usage"]["prompt_tokens"], 3);
}

TEST(Answer, ContinuousUsageCountsEachAnswersTokens) {
  AnswerFormat made = format(false, true);
  made.include_usage = made.continuous_usage = true;
  AnswerWriter answer = writer(made);
  std::string stream = answer.add(0, delta("a", {token(400)}));
  stream += answer.add(0, last(delta("b", {token(401)})));
  stream += answer.finish();
  const auto events = events_of(stream, true);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0]["usage"]["completion_tokens"], 1);
  EXPECT_EQ(events[1]["usage"]["completion_tokens"], 2);
  EXPECT_EQ(events[2]["usage"]["total_tokens"], 5);
}

TEST(Answer, EchoShowsThePromptWithItsLogprobs) {
  for (const bool stream : {false, true}) {
    AnswerFormat made = format(false, stream);
    made.echo = true;
    made.logprobs = 1;
    made.n = 2;
    const int32_t cat = id_of(" cat"), the = id_of(" the");
    AnswerWriter answer = writer(made, {{{0, the, cat}, " the cat"}});
    // The second answer's first token may come before the first's, which carries the prompt's.
    std::string text = answer.add(0, last(delta("!", {token(the)}, 1)));
    EXPECT_EQ(text, "");
    Delta first = last(delta("?", {token(cat)}));
    first.prompt_logprobs = {{{the, -1.0F, 3}, {{7, -0.5F, 1}}},
                             {{cat, -2.0F, 1}, {{cat, -2.0F, 1}}}};
    text += answer.add(0, std::move(first));
    ASSERT_TRUE(answer.complete());
    text += answer.finish();
    std::vector<OrderedJson> choices;
    if (stream) {
      for (const OrderedJson& event : events_of(text, true)) choices.push_back(event["choices"][0]);
    } else {
      const OrderedJson body = json_of(text);
      for (const OrderedJson& choice : body["choices"]) choices.push_back(choice);
    }
    ASSERT_EQ(choices.size(), 2u);
    for (const OrderedJson& choice : choices) {
      EXPECT_EQ(choice["text"], choice["index"] == 0 ? " the cat?" : " the cat!");
      const OrderedJson& logprobs = choice["logprobs"];
      EXPECT_EQ(dump_json(logprobs["token_logprobs"]), "[null,-1.0,-2.0,-0.5]");
      EXPECT_EQ(logprobs["tokens"].size(), 4u);
      EXPECT_EQ(logprobs["top_logprobs"][0], nullptr);
      EXPECT_EQ(logprobs["top_logprobs"][1].size(), 2u);  // the chosen one and the best
      EXPECT_EQ(logprobs["text_offset"][2].get<int>() - logprobs["text_offset"][1].get<int>(), 4);
    }
  }
}

TEST(Answer, EchoAloneShowsNoToken) {
  AnswerFormat made = format(false, false);
  made.echo = made.echo_only = true;
  AnswerWriter answer = writer(made);
  answer.add(0, last(delta(" there", {token(400)})));
  const OrderedJson body = json_of(answer.finish());
  EXPECT_EQ(body["choices"][0]["text"], "Hi");
  EXPECT_EQ(body["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(body["usage"]["completion_tokens"], 0);
}

TEST(Answer, PromptLogprobsHaveVllmsShape) {
  AnswerFormat made = format(false, false);
  made.prompt_logprobs = 1;
  made.return_token_ids = true;
  AnswerWriter answer = writer(made, {{{0, 400}, ""}, {{0, 400}, ""}});
  for (const size_t prompt : {1, 0}) {
    Delta end = last(delta("x", {token(401)}));
    end.prompt_logprobs = {{{400, -1.5F, 9}, {{7, -0.25F, 1}}}};
    answer.add(prompt, std::move(end));
  }
  const OrderedJson body = json_of(answer.finish());
  ASSERT_EQ(body["choices"].size(), 2u);
  const OrderedJson& positions = body["choices"][1]["prompt_logprobs"];
  EXPECT_EQ(positions[0], nullptr);
  EXPECT_EQ(positions[1]["400"]["logprob"], -1.5);
  EXPECT_EQ(positions[1]["400"]["rank"], 9);
  EXPECT_EQ(positions[1]["7"]["rank"], 1);
  EXPECT_TRUE(positions[1]["7"]["decoded_token"].is_string());
  EXPECT_EQ(dump_json(body["choices"][0]["prompt_token_ids"]), "[0,400]");
  EXPECT_EQ(dump_json(body["choices"][0]["token_ids"]), "[401]");
}

TEST(Answer, AStreamOfIdsLosesNoToken) {
  AnswerFormat made = format(true, true);
  made.return_token_ids = true;
  AnswerWriter answer = writer(made);
  std::string stream = answer.add(0, delta("", {token(400)}));
  stream += answer.add(0, delta("é", {token(401)}));
  Delta end = last(delta("", {token(402)}));
  end.stop_reason = 402;
  stream += answer.add(0, std::move(end)) + answer.finish();
  std::vector<int> ids;
  for (const OrderedJson& event : events_of(stream, true)) {
    for (const OrderedJson& id : event["choices"][0].value("token_ids", OrderedJson::array())) {
      ids.push_back(id.get<int>());
    }
  }
  EXPECT_THAT(ids, testing::ElementsAre(400, 401, 402));
  EXPECT_THAT(stream, HasSubstr(R"("prompt_token_ids":[0,300,301])"));
  EXPECT_THAT(stream, HasSubstr(R"("stop_reason":402)"));
}

TEST(Answer, NothingButJsonIsEverWritten) {
  JsonWriter json;
  json.open('[').value("\xFF\x01\"\\\n\t\x7F").value(std::numeric_limits<float>::quiet_NaN());
  json.value(-std::numeric_limits<float>::infinity()).value(1e-30F).value(-0.0F).close(']');
  const OrderedJson back = json_of(json.text());
  EXPECT_EQ(back[0], "\uFFFD\x01\"\\\n\t\x7F");
  EXPECT_EQ(back[1], nullptr);
  EXPECT_EQ(back[2], nullptr);
  EXPECT_EQ(static_cast<float>(back[3].get<double>()), 1e-30F);
}

TEST(Answer, ErrorsHaveOpenAisShape) {
  const ApiError error = bad_parameter("top_p", "expected \"less\"");
  expect_schema(json_of(to_json(error)), "ErrorResponse");
  EXPECT_EQ(to_json(error),
            R"({"error":{"message":"top_p: expected \"less\"","type":"invalid_request_error",)"
            R"("param":"top_p","code":null}})");
  EXPECT_EQ(api_error_of({StatusCode::kUnavailable, "full"}).status, 503);
  const ApiError internal = api_error_of({StatusCode::kInternal, "at /root/secret"});
  EXPECT_EQ(internal.status, 500);
  EXPECT_EQ(internal.message.find("secret"), std::string::npos);
}

}  // namespace
}  // namespace orrery::server
