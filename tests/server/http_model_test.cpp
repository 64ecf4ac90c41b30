// The whole server with the embedded model: routes, streams, disconnects, hostile company, drain.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/random.h"
#include "base/sanitizers.h"
#include "http_hostile_for_tests.h"
#include "http_model_for_tests.h"
#include "server/http_load.h"

namespace orrery::server {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

std::string completion(int max_tokens, bool stream, std::string_view prompt = "Once upon a time") {
  return fmt::format(
      R"({{"model":"demo","prompt":"{}","max_tokens":{},"ignore_eos":true,"temperature":0,"stream":{}}})",
      prompt, max_tokens, stream);
}

// The text of all events of a stream.
std::string streamed_text(std::string_view events) {
  std::string text;
  for (size_t at = 0; (at = events.find("data: ", at)) != std::string::npos; at += 6) {
    const std::string_view data = events.substr(at + 6, events.find("\n\n", at) - at - 6);
    if (data == "[DONE]") break;
    const auto json = parse_json(data, "event");
    EXPECT_TRUE(json.ok()) << data;
    if (json.ok() && !(*json)["choices"].empty()) {
      text += (*json)["choices"][0]["text"].get<std::string>();
    }
  }
  return text;
}

// ORRERY_LONG=10 makes campaigns ten times as long.
int campaign(int rounds) {
  const char* factor = std::getenv("ORRERY_LONG");
  return factor == nullptr ? rounds : rounds * std::max(1, std::atoi(factor));
}

TEST(HttpModel, StreamsTheTextThatItAnswersInOnePiece) {
  ModelServer server;
  const TestResponse whole = ask(server.port(), "POST", "/v1/completions", completion(40, false));
  ASSERT_EQ(whole.status, 200) << whole.body;
  const TestResponse stream = ask(server.port(), "POST", "/v1/completions", completion(40, true));
  ASSERT_EQ(stream.status, 200);
  EXPECT_EQ(stream.headers.at("content-type"), "text/event-stream; charset=utf-8");
  EXPECT_TRUE(stream.body.ends_with("data: [DONE]\n\n"));
  EXPECT_EQ(streamed_text(stream.body), whole.json()["choices"][0]["text"].get<std::string>());
}

TEST(HttpModel, AnswersAllRoutesOfTheContract) {
  ModelServer server;
  const int port = server.port();
  EXPECT_EQ(ask(port, "GET", "/v1/models").json()["data"][0]["id"], "demo");
  EXPECT_EQ(ask(port, "GET", "/health").status, 200);
  EXPECT_EQ(ask(port, "GET", "/ready").status, 200);
  EXPECT_EQ(ask(port, "GET", "/version").json()["version"], "test");
  EXPECT_EQ(ask(port, "GET", "/load").json()["server_load"], 0);
  const TestResponse ids =
      ask(port, "POST", "/tokenize", R"({"model":"demo","prompt":"Hello there"})");
  ASSERT_EQ(ids.status, 200) << ids.body;
  const TestResponse text =
      ask(port, "POST", "/detokenize",
          fmt::format(R"({{"model":"demo","tokens":{}}})", ids.json()["tokens"].dump()));
  EXPECT_THAT(text.body, HasSubstr("Hello there"));
  const TestResponse chat =
      ask(port, "POST", "/v1/chat/completions",
          R"({"model":"demo","messages":[{"role":"user","content":"Hi"}],"max_tokens":8})");
  EXPECT_EQ(chat.status, 200) << chat.body;
  EXPECT_EQ(chat.json()["choices"][0]["message"]["role"], "assistant");
}

TEST(HttpModel, AsksForAKeyOnEveryRouteButHealthAndReady) {
  HttpOptions options;
  options.keys = *KeyRing::from_text("the-right-key\n", "keys");
  ModelServer server(std::move(options));
  const int port = server.port();
  for (const char* path : {"/health", "/ready"}) EXPECT_EQ(ask(port, "GET", path).status, 200);
  const std::pair<const char*, const char*> routes[] = {{"POST", "/v1/completions"},
                                                        {"POST", "/v1/chat/completions"},
                                                        {"POST", "/tokenize"},
                                                        {"POST", "/detokenize"},
                                                        {"GET", "/v1/models"},
                                                        {"GET", "/version"},
                                                        {"GET", "/load"},
                                                        {"GET", "/metrics"},
                                                        {"GET", "/"},
                                                        {"GET", "/live/events"},
                                                        {"GET", "/live/snapshot"}};
  for (const auto& [method, path] : routes) {
    EXPECT_EQ(ask(port, method, path, "{}").status, 401) << path;
    EXPECT_EQ(ask(port, method, path, "{}", "Authorization: Bearer the-wrong-key\r\n").status, 401)
        << path;
    EXPECT_EQ(ask(port, method, path, "{}", "X-Api-Key: the-right-key\r\n").status, 401) << path;
  }
  // Spellings that another layer may take for /health or for the route.
  for (const char* path :
       {"//v1/models", "/v1//models", "/health/../v1/models", "/health/",
        "/health%2f..%2fv1/models", "/%76%31/models", "/v1/models/", "/v1/models/.", "/V1/models",
        "/v1/models;/health", "/health;/v1/models", "/v1/models?path=/health",
        "/v1/models%00/health", "*", "http://test/v1/models", "http:///v1/models", "/ready/metrics",
        "/./metrics"}) {
    EXPECT_EQ(ask(port, "GET", path).status, 401) << path;
  }
  EXPECT_EQ(
      ask(port, "GET", "/v1/models", "", "X-Original-URL: /health\r\nX-Forwarded-Path: /health\r\n")
          .status,
      401);
  const char* right = "Authorization: Bearer the-right-key\r\n";
  EXPECT_EQ(ask(port, "GET", "/v1/models", "", right).status, 200);
  EXPECT_EQ(ask(port, "GET", "/metrics", "", right).status, 200);
}

TEST(HttpModel, TellsAFrozenEngineFromASaturatedOne) {
  HttpOptions options;
  options.admission.max_requests = 200;
  // Under a sanitizer, and beside other tests, a step may well take 400 ms.
  const auto limit = kSanitized ? 3000ms : 400ms;
  ModelServer server(std::move(options), ModelServer::small_service(),
                     {.version = "test", .health_limit = limit, .health_period = 20ms});
  std::vector<TestClient> clients;
  for (int i = 0; i < 200; ++i) {
    clients.emplace_back(server.port());
    clients.back().send(http_request("POST", "/v1/completions", completion(100, true)));
  }
  ASSERT_TRUE(eventually(
      [&] { return ask(server.port(), "POST", "/v1/completions", "{}").status == 503; }));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(ask(server.port(), "GET", "/health").status, 200);  // saturated
    std::this_thread::sleep_for(20ms);
  }
  server.freeze(true);
  EXPECT_TRUE(eventually([&] { return ask(server.port(), "GET", "/health").status == 503; }));
  EXPECT_EQ(ask(server.port(), "GET", "/ready").status, 503);
  server.freeze(false);
  EXPECT_TRUE(eventually([&] { return ask(server.port(), "GET", "/health").status == 200; }));
}

TEST(HttpModel, LosesNoBlockToAThousandDisconnects) {
  llm::ServiceOptions options = ModelServer::small_service();
  options.scheduler.max_num_batched_tokens = 64;  // so that long prompts come in chunks
  ModelServer server({}, std::move(options));
  const int rounds = campaign(1000);
  std::atomic<int> next{0};
  const auto disconnect = [&] {
    for (int i = next++; i < rounds; i = next++) {
      const auto draw = [&](uint32_t index) {
        return uniform_double(7, static_cast<uint64_t>(i), index);
      };
      TestClient client(server.port());
      // Some with prompts of several chunks, some with several answers, some that do not stream.
      const std::string prompt(draw(0) < 0.1 ? 200 : 10, 'a');
      const std::string body = fmt::format(
          R"({{"model":"demo","prompt":"{}{}","max_tokens":12,"ignore_eos":true,"n":{},"stream":{}}})",
          i % 7, prompt, draw(1) < 0.1 ? 3 : 1, draw(2) < 0.8);
      client.send(http_request("POST", "/v1/completions", body));
      client.receive_bytes(static_cast<size_t>(draw(3) * draw(3) * 2500), 2s);
      if (draw(4) < 0.5) client.reset();
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back(disconnect);
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(eventually([&] { return server.pool_is_whole(); }));
  EXPECT_TRUE(eventually([&] { return server.http().num_requests() == 0; }));
  EXPECT_EQ(ask(server.port(), "POST", "/v1/completions", completion(4, false)).status, 200);
}

// Bodies that are wrong in one way each.
std::vector<std::string> hostile_bodies() {
  std::vector<std::string> bodies = {
      "",
      "{",
      "[]",
      "null",
      "1",
      "\"\"",
      "{}",
      "{\"model\":\"demo\"}",
      std::string(3, '\0'),
      "\xff\xfe",
      std::string(5000, '['),
      std::string(5000, '{'),
      "{\"a\":" + std::string(3000, '[') + "}",
      R"({"model":"nobody","prompt":"x"})",
      R"({"model":"demo","prompt":null})",
      R"({"model":"demo","prompt":{}})",
      R"({"model":"demo","prompt":[]})",
      R"({"model":"demo","prompt":[[]]})",
      R"({"model":"demo","prompt":["a",1]})",
      R"({"model":"demo","prompt":"\ud800"})",
      R"({"model":"demo","prompt":")" + std::string(200'000, 'a') + R"("})",
      R"({"model":"demo","prompt":"x","stop":["","a"]})",
      R"({"model":"demo","prompt":"x","stream_options":{"include_usage":true}})",
      R"({"model":"demo","prompt":"x","n":2,"best_of":1})",
      R"({"model":"demo","prompt":"x","min_tokens":9,"max_tokens":3})"};
  const std::vector<std::string> values = {"-1",
                                           "-2147483649",
                                           "2147483647",
                                           "2147483648",
                                           "9223372036854775807",
                                           "9223372036854775808",
                                           "18446744073709551616",
                                           "1e308",
                                           "1e999",
                                           "-1e999",
                                           "-0.5",
                                           "\"text\"",
                                           "[]",
                                           "{}",
                                           "[[-1]]",
                                           "[9223372036854775808]"};
  for (const char* key : {"max_tokens",
                          "min_tokens",
                          "temperature",
                          "top_p",
                          "top_k",
                          "min_p",
                          "typical_p",
                          "n",
                          "best_of",
                          "logprobs",
                          "prompt_logprobs",
                          "frequency_penalty",
                          "presence_penalty",
                          "repetition_penalty",
                          "seed",
                          "stop_token_ids",
                          "allowed_token_ids",
                          "logit_bias",
                          "bad_words",
                          "stop",
                          "echo",
                          "truncate_prompt_tokens",
                          "priority",
                          "cache_salt",
                          "stream",
                          "ignore_eos",
                          "suffix"}) {
    for (const std::string& value : values) {
      bodies.push_back(
          fmt::format(R"({{"model":"demo","prompt":"x","max_tokens":1,"{}":{}}})", key, value));
    }
  }
  for (const char* id :
       {"-1", "1000000000", "2147483647", "2147483648", "9223372036854775808", "1.5"}) {
    for (const char* form :
         {R"("prompt":[{}])", R"("prompt":"x","logit_bias":{{"{}":1}})",
          R"("prompt":"x","stop_token_ids":[{}])", R"("prompt":"x","allowed_token_ids":[{}])"}) {
      bodies.push_back(R"({"model":"demo","max_tokens":1,)" + fmt::format(fmt::runtime(form), id) +
                       "}");
    }
  }
  return bodies;
}

TEST(HttpModel, KeepsAControlStreamsBytesBesideHostileRequests) {
  ModelServer server;
  const std::string control =
      R"({"model":"demo","prompt":"Once upon a time","max_tokens":200,"ignore_eos":true,"temperature":1,"seed":3,"stream":true})";
  const auto control_text = [&] {
    const TestResponse response = ask(server.port(), "POST", "/v1/completions", control);
    EXPECT_EQ(response.status, 200);
    EXPECT_TRUE(response.complete);
    return streamed_text(response.body);
  };
  const std::string expected = control_text();
  std::atomic<bool> over{false};
  std::atomic<int> num_controls{0};
  std::thread beside([&] {
    do {
      EXPECT_EQ(control_text(), expected);
      ++num_controls;
    } while (!over);
  });
  int num_cases = 0;
  std::set<std::string> leaks;
  const auto judge = [&](const TestResponse& response, std::string_view what) {
    ++num_cases;
    // A fault that would repeat is never a 5xx; nothing of this machine stands in an error.
    EXPECT_LT(response.status, 500) << what.substr(0, 200) << "\n" << response.body;
    EXPECT_GE(response.status, 200) << what.substr(0, 200);
    if (response.status >= 400) {
      EXPECT_TRUE(response.json()["error"]["message"].is_string()) << response.body;
      for (const char* leak :
           {"0x", "src/", ".cpp", "/usr", "/home", "/tmp", "std::", "127.0.0.1"}) {
        if (response.body.find(leak) != std::string::npos) leaks.insert(response.body);
      }
    }
  };
  for (const std::string& body : hostile_bodies()) {
    judge(ask(server.port(), "POST", "/v1/completions", body), body);
  }
  for (const char* path : {"/v1/chat/completions", "/tokenize", "/detokenize"}) {
    for (
        const char* body :
        {"", "{", "[]", "{}", R"({"model":"demo","messages":[]})",
         R"({"model":"demo","messages":"x"})", R"({"model":"demo","messages":[{"role":"user"}]})",
         R"({"model":"demo","messages":[{"role":"user","content":[{"type":"image_url"}]}]})",
         R"({"model":"demo","chat_template":"{% for i in range(10**9) %}x{% endfor %}","messages":[{"role":"user","content":"x"}]})",
         R"({"model":"demo","tokens":[-1]})", R"({"model":"demo","tokens":[9223372036854775808]})",
         R"({"model":"demo","prompt":1})"}) {
      judge(ask(server.port(), "POST", path, body), body);
    }
  }
  for (const HostileRequest& hostile : smuggling_set()) {
    TestClient client(server.port());
    client.send(hostile.bytes);
    const TestResponse response = client.response(5s);
    if (response.status != 505) judge(response, hostile.name);
  }
  over = true;
  beside.join();
  EXPECT_GE(num_cases, 500);
  EXPECT_GE(num_controls, 1);
  EXPECT_TRUE(leaks.empty()) << *leaks.begin();
  EXPECT_TRUE(eventually([&] { return server.pool_is_whole(); }));
}

TEST(HttpModel, FinishesItsStreamsWhenItDrains) {
  ModelServer server;
  const std::string expected = ask(server.port(), "POST", "/v1/completions", completion(150, false))
                                   .json()["choices"][0]["text"];
  TestClient client(server.port());
  client.send(http_request("POST", "/v1/completions", completion(150, true)));
  ASSERT_GT(client.receive_bytes(200), 0u);
  server.http().drain();
  EXPECT_EQ(ask(server.port(), "GET", "/ready").status, 503);
  EXPECT_EQ(ask(server.port(), "GET", "/health").status, 200);
  EXPECT_EQ(ask(server.port(), "POST", "/v1/completions", completion(1, false)).status, 503);
  const TestResponse response = client.response();
  EXPECT_TRUE(response.complete);
  EXPECT_EQ(streamed_text(response.body), expected);
}

TEST(HttpModel, EndsAStreamWithAnErrorWhenItIsCutOff) {
  ModelServer server;
  TestClient client(server.port());
  client.send(http_request("POST", "/v1/completions", completion(400, true)));
  ASSERT_GT(client.receive_bytes(400), 0u);
  server.service().drain(0ms);
  const TestResponse response = client.response();
  EXPECT_TRUE(response.complete);
  EXPECT_THAT(response.body, HasSubstr("data: {\"error\":"));
  EXPECT_THAT(response.body, testing::Not(HasSubstr("[DONE]")));
}

TEST(HttpModel, IsMeasuredByItsOwnLoadGenerator) {
  ModelServer server;
  const auto target = parse_load_url(fmt::format("http://127.0.0.1:{}/v1", server.port()));
  ASSERT_TRUE(target.ok()) << target.status().message();
  std::vector<LoadRequest> requests;
  for (int i = 0; i < 20; ++i) {
    requests.push_back(
        {i * 0.005,
         R"({"model":"demo","prompt":[5,6,7],"max_tokens":6,"ignore_eos":true,"stream":true,"stream_options":{"include_usage":true}})"});
  }
  requests.push_back({0, R"({"model":"nobody","prompt":"x","stream":true})"});
  const auto results =
      run_load(*target, requests, {.max_concurrency = 4, .timeout_s = 60, .progress = {}});
  ASSERT_TRUE(results.ok()) << results.status().message();
  for (size_t i = 0; i < 20; ++i) {
    const LoadResult& result = (*results)[i];
    EXPECT_TRUE(result.complete) << result.error;
    EXPECT_EQ(result.output_tokens, 6);
    EXPECT_GE(result.sent_s, requests[i].arrival_s);
    EXPECT_TRUE(std::is_sorted(result.token_s.begin(), result.token_s.end()));
  }
  EXPECT_EQ(results->back().status, 404);
  EXPECT_THAT(results->back().error, HasSubstr("nobody"));
}

TEST(HttpModel, IsMeasuredInChatsWhereEventsWithoutTextAreNoTokens) {
  ModelServer server;
  const auto target =
      parse_load_url(fmt::format("http://127.0.0.1:{}/v1/chat/completions", server.port()));
  ASSERT_TRUE(target.ok()) << target.status().message();
  const auto results = run_load(
      *target,
      {{0,
        R"({"model":"demo","messages":[{"role":"user","content":"Hello"}],"max_tokens":6,"temperature":0,"stream":true,"stream_options":{"include_usage":true}})"}},
      {.timeout_s = 60, .progress = {}});
  ASSERT_TRUE(results.ok()) << results.status().message();
  const LoadResult& result = results->front();
  EXPECT_TRUE(result.complete) << result.error;
  EXPECT_GT(result.output_tokens, 0);
  EXPECT_GT(result.token_s.size(), 0u);
  EXPECT_LE(static_cast<int64_t>(result.token_s.size()), result.output_tokens);
}

TEST(Load, TakesApartTheUrlsThatPeopleGive) {
  const auto path = [](std::string_view url) { return parse_load_url(url).value().path; };
  EXPECT_EQ(path("http://a:1"), "/v1/completions");
  EXPECT_EQ(path("http://a:1/v1/"), "/v1/completions");
  EXPECT_EQ(path("http://a/base/v1/completions"), "/base/v1/completions");
  EXPECT_EQ(parse_load_url("http://[::1]:80").value().host, "[::1]");
  EXPECT_EQ(parse_load_url("http://a").value().port, "80");
  EXPECT_EQ(path("http://a/v1/chat/completions"), "/v1/chat/completions");
  EXPECT_TRUE(parse_load_url("http://a/v1/chat/completions").value().chat);
  EXPECT_TRUE(parse_load_url("https://a").value().tls);
  EXPECT_EQ(parse_load_url("https://a").value().port, "443");
  for (const char* url : {"", "a:1", "http://", "ftp://a"})
    EXPECT_FALSE(parse_load_url(url).ok()) << url;
}

TEST(HttpModel, TellsItsMetricsAsPrometheusReadsThem) {
  ModelServer server;
  ask(server.port(), "POST", "/v1/completions", completion(20, true));
  ask(server.port(), "POST", "/v1/completions", completion(20, false));
  ASSERT_TRUE(eventually([&] {
    const std::string text = ask(server.port(), "GET", "/metrics").body;
    return text.find(
               "vllm:request_decode_time_seconds_count{model_name=\"demo\",engine=\"0\"} 2\n") !=
           std::string::npos;
  }));
  const std::string text = ask(server.port(), "GET", "/metrics").body;
  const char* labels = "{model_name=\"demo\",engine=\"0\"}";
  for (const char* name : {"vllm:num_requests_running",
                           "vllm:num_requests_waiting",
                           "vllm:kv_cache_usage_perc",
                           "vllm:gpu_cache_usage_perc",
                           "vllm:prompt_tokens_total",
                           "vllm:prefix_cache_queries_total",
                           "vllm:prefix_cache_hits_total",
                           "vllm:gpu_prefix_cache_queries_total",
                           "vllm:gpu_prefix_cache_hits_total",
                           "vllm:num_preemptions_total",
                           "orrery:request_intake_seconds_count",
                           "vllm:time_to_first_token_seconds_count",
                           "vllm:inter_token_latency_seconds_count",
                           "vllm:e2e_request_latency_seconds_count",
                           "vllm:request_queue_time_seconds_count",
                           "vllm:request_prefill_time_seconds_count",
                           "vllm:request_decode_time_seconds_count",
                           "vllm:request_prompt_tokens_count",
                           "vllm:request_generation_tokens_count",
                           "vllm:iteration_tokens_total_count"}) {
    EXPECT_THAT(text, HasSubstr("\n" + std::string(name) + labels + " "));
  }
  EXPECT_THAT(text,
              HasSubstr("vllm:generation_tokens_total{model_name=\"demo\",engine=\"0\"} 40\n"));
  EXPECT_THAT(
      text,
      HasSubstr("vllm:inter_token_latency_seconds_count{model_name=\"demo\",engine=\"0\"} 38\n"));
  EXPECT_THAT(text, HasSubstr("finished_reason=\"length\"} 2\n"));
  EXPECT_THAT(
      text, HasSubstr("vllm:cache_config_info{model_name=\"demo\",engine=\"0\",block_size=\"16\""));
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) return;
  const std::string path = testing::TempDir() + "orrery-metrics.txt";
  std::ofstream(path) << text;
  // What it complains of are vLLM's names: their colons, and the suffix of one histogram.
  const std::string command = "promtool check metrics < " + path +
                              " 2>&1 | grep -vE \"should not contain ':'|iteration_tokens_total\"";
  EXPECT_NE(std::system(command.c_str()), 0) << "promtool finds more than vLLM's names";
}

}  // namespace
}  // namespace orrery::server
