// `orrery serve` as a process: signals, --config, systemd, an address in use.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <fstream>
#include <regex>

#include "http_client_for_tests.h"

namespace orrery::server {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// A running `orrery serve`; killed with the object.
class ServeProcess {
 public:
  explicit ServeProcess(std::vector<std::string> flags, std::vector<std::string> environment = {}) {
    flags.insert(flags.begin(), {ORRERY_BINARY, "serve"});
    std::vector<char*> argv;
    for (std::string& flag : flags) argv.push_back(flag.data());
    argv.push_back(nullptr);
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      for (std::string& variable : environment) ::putenv(variable.data());
      ::dup2(ends[1], STDERR_FILENO);
      ::execv(ORRERY_BINARY, argv.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    stderr_ = ends[0];
  }
  ~ServeProcess() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(stderr_);
  }
  // Once it serves, its port; 0 if it ended instead.
  int port() {
    std::smatch found;
    const std::regex serving("serving .* at http://[^\n]*:([0-9]+)[;\n]");
    while (!std::regex_search(output_, found, serving)) {
      if (!read_more()) return 0;
    }
    return std::stoi(found[1]);
  }
  void signal(int number) { ::kill(pid_, number); }
  // Its exit code, 128 + n after signal n.
  int wait() {
    while (read_more()) {
    }
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  bool read_more() {
    char bytes[1000];
    const ssize_t n = ::read(stderr_, bytes, sizeof bytes);
    if (n > 0) output_.append(bytes, static_cast<size_t>(n));
    return n > 0;
  }
  const std::string& output() const { return output_; }

 private:
  pid_t pid_ = -1;
  int stderr_ = -1;
  std::string output_;
};

const std::string kLongStream =
    R"({"model":"demo","prompt":"Once","max_tokens":400,"ignore_eos":true,"stream":true})";

TEST(Serve, FinishesItsStreamsAfterSigterm) {
  ServeProcess serve({"--port", "0", "--threads", "1"});
  const int port = serve.port();
  ASSERT_GT(port, 0) << serve.output();
  TestClient client(port);
  client.send(http_request("POST", "/v1/completions", kLongStream));
  ASSERT_GT(client.receive_bytes(500), 0u);
  serve.signal(SIGTERM);
  const TestResponse response = client.response();
  EXPECT_TRUE(response.complete);
  EXPECT_THAT(response.body, HasSubstr("[DONE]"));
  EXPECT_EQ(serve.wait(), 0) << serve.output();
}

TEST(Serve, EndsAtOnceAfterTheSecondSignal) {
  ServeProcess serve({"--port", "0", "--threads", "1"});
  const int port = serve.port();
  ASSERT_GT(port, 0) << serve.output();
  TestClient client(port);
  client.send(http_request("POST", "/v1/completions", kLongStream));
  ASSERT_GT(client.receive_bytes(500), 0u);
  serve.signal(SIGTERM);
  while (serve.output().find("stopping") == std::string::npos && serve.read_more()) {
  }
  serve.signal(SIGTERM);
  EXPECT_EQ(serve.wait(), 128 + SIGTERM);
  EXPECT_FALSE(client.response().complete);
}

TEST(Serve, IsMeasuredByBenchServeAsTheContractNamesIt) {
  ServeProcess serve({"--port", "0"});
  const int port = serve.port();
  ASSERT_GT(port, 0) << serve.output();
  const std::string base = testing::TempDir() + "orrery_bench_serve_" + std::to_string(::getpid());
  const auto measure = [&](const std::string& path, const std::string& flags) {
    const std::string command = fmt::format(
        "{} bench serve --url http://127.0.0.1:{}{} --output-tokens 6 --json --plot {}.svg {} "
        "> {}.json 2> /dev/null",
        ORRERY_BINARY, port, path, base, flags, base);
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    std::ifstream json(base + ".json"), picture(base + ".svg");
    EXPECT_THAT(std::string(std::istreambuf_iterator<char>(picture), {}), HasSubstr("</svg>"));
    return Json::parse(json, nullptr, false);
  };
  std::ofstream(base + ".trace") << "TIMESTAMP,ContextTokens,GeneratedTokens\n"
                                    "2023-11-16 18:17:03.9799600,40,6\n"
                                    "2023-11-16 18:17:04.0319600,20,6\n";
  const std::vector<std::tuple<std::string, std::string, int>> cases = {
      {"", "--requests 8 --request-rate 100", 8},
      {"/v1/chat/completions", "--requests 4 --prompt-tokens 8", 4},
      {"", "--trace " + base + ".trace --length-scale 0.5", 2}};
  for (const auto& [path, flags, requests] : cases) {
    const Json json = measure(path, flags);
    ASSERT_TRUE(json.is_object()) << flags;
    EXPECT_EQ(json["complete"], requests) << flags;
    for (const char* key : {"model", "format", "threads", "isa", "limits"}) {
      EXPECT_TRUE(json.contains(key)) << key;
    }
    for (const char* key : {"ttft_s", "itl_s"}) {
      EXPECT_GE(json[key]["p90"], json[key]["p50"]) << flags;
      EXPECT_GE(json[key]["p99"], json[key]["p90"]) << flags;
    }
    EXPECT_GT(json["ttft_s"]["p50"].get<double>(), 0) << flags;
    EXPECT_GT(json["output_tokens_per_s"].get<double>(), 0) << flags;
    EXPECT_GE(json["requests_per_s"], json["goodput"]) << flags;
  }
  for (const char* suffix : {".json", ".svg", ".trace"}) ::unlink((base + suffix).c_str());
}

TEST(Serve, SaysAtOnceThatItsAddressIsTaken) {
  ServeProcess first({"--port", "0"});
  const int port = first.port();
  ASSERT_GT(port, 0);
  ServeProcess second({"--port", std::to_string(port)});
  EXPECT_EQ(second.wait(), 1);
  EXPECT_THAT(second.output(), HasSubstr(std::to_string(port)));
}

TEST(Serve, TakesItsFlagsFromAFileAndTheCommandLineBeforeIt) {
  const std::string path = testing::TempDir() + "orrery-serve.yaml";
  std::ofstream(path) << "port: 1\nserved_model_name: [first, second]\nmax-num-seqs: 8\n"
                         "enable-prefix-caching: false\n";
  ServeProcess serve({"--config", path, "--port", "0"});
  const int port = serve.port();
  ASSERT_GT(port, 0) << serve.output();
  const Json models = ask(port, "GET", "/v1/models").json();
  EXPECT_EQ(models["data"][0]["id"], "first");
  EXPECT_EQ(models["data"][1]["id"], "second");
  EXPECT_THAT(ask(port, "GET", "/metrics").body, HasSubstr("enable_prefix_caching=\"False\""));

  std::ofstream(path) << "max-num-seq: 8\n";
  ServeProcess misspelt({"--config", path});
  EXPECT_EQ(misspelt.wait(), 2);
  EXPECT_THAT(misspelt.output(),
              HasSubstr(":1: max-num-seq: unknown setting; did you mean max-num-seqs?"));
  std::ofstream(path) << "a: [\n";
  ServeProcess malformed({"--config", path});
  EXPECT_EQ(malformed.wait(), 2);
}

TEST(Serve, TellsSystemdWhenItIsReadyAndWhenItStops) {
  const std::string path = testing::TempDir() + "orrery-notify.sock";
  ::unlink(path.c_str());
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ServeProcess serve({"--port", "0"}, {"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=100000"});
  const auto next = [&] {
    char bytes[100];
    const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
    return std::string(bytes, static_cast<size_t>(std::max<ssize_t>(n, 0)));
  };
  EXPECT_EQ(next(), "READY=1");
  EXPECT_EQ(next(), "WATCHDOG=1");
  serve.signal(SIGTERM);
  std::string last;
  while ((last = next()) == "WATCHDOG=1") {
  }
  EXPECT_EQ(last, "STOPPING=1");
  EXPECT_EQ(serve.wait(), 0);
  ::close(fd);
}

TEST(Serve, ShowsItsPageToThisMachineOnly) {
  ServeProcess serve({"--port", "0"});
  const int port = serve.port();
  ASSERT_GT(port, 0);
  const auto with_host = [&](std::string_view host) {
    TestClient client(port);
    client.send(fmt::format("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", host));
    return client.response();
  };
  const TestResponse page = with_host(fmt::format("localhost:{}", port));
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.headers.at("content-security-policy"), HasSubstr("default-src 'self'"));
  EXPECT_EQ(with_host("127.0.0.1").status, 200);
  for (const char* host : {"page.example", "127.0.0.1.page.example", "localhost.page.example"}) {
    EXPECT_EQ(with_host(host).status, 403) << host;
  }
  ServeProcess open({"--host", "0.0.0.0", "--port", "0"});
  const int open_port = open.port();
  ASSERT_GT(open_port, 0);
  EXPECT_EQ(ask(open_port, "GET", "/").status, 404);
  EXPECT_EQ(ask(open_port, "GET", "/health").status, 200);
}

TestResponse techniques(int port, std::string_view body, std::string_view headers = {}) {
  TestClient client(port);
  const std::string_view method = body.empty() ? "GET" : "POST";
  client.send(
      fmt::format("{} /live/techniques HTTP/1.1\r\nHost: localhost\r\n{}Content-Type: "
                  "application/json\r\nContent-Length: {}\r\n\r\n{}",
                  method, headers, body.size(), body));
  return client.response();
}

TEST(Serve, SwitchesTechniquesForItsPage) {
  ServeProcess serve({"--port", "0", "--threads", "1", "--num-kv-blocks", "40"});
  const int port = serve.port();
  ASSERT_GT(port, 0);
  const std::string ask_for =
      R"({"model":"demo","prompt":"Once upon a time there was a king","max_tokens":6,"temperature":0})";
  const auto text = [&] {
    return ask(port, "POST", "/v1/completions", ask_for).json()["choices"][0]["text"];
  };
  const Json answer = text();
  Json state = techniques(port, "").json();
  EXPECT_EQ(state["allowed"], true);
  for (const char* off :
       {"prefix_cache", "paging", "kv_cache", "continuous_batching", "chunked_prefill"}) {
    EXPECT_EQ(state["on"][off], true);
    const TestResponse switched = techniques(port, fmt::format(R"({{"{}":false}})", off));
    EXPECT_EQ(switched.status, 200) << switched.body;
    state = switched.json();
    EXPECT_EQ(state["on"][off], false);
    EXPECT_EQ(techniques(port, "").json()["on"], state["on"]);
    EXPECT_EQ(text(), answer) << "without " << off;
  }
  EXPECT_THAT(ask(port, "GET", "/metrics").body, HasSubstr("enable_prefix_caching=\"False\""));
  EXPECT_EQ(techniques(port, R"({"prefix_cache":true})").status, 409) << "needs paging";
  EXPECT_EQ(techniques(port, R"({"paging":true,"kv_cache":true,"prefix_cache":true})").status, 200);
  for (const char* bad : {"[]", "{}", "{", R"({"paging":1})", R"({"pages":true})"})
    EXPECT_EQ(techniques(port, bad).status, 400) << bad;
  EXPECT_EQ(ask(port, "POST", "/live/techniques", R"({"paging":false})").status, 403)
      << "another name of this machine";
  EXPECT_EQ(techniques(port, R"({"paging":false})", "Origin: http://page.example\r\n").status, 403);
  EXPECT_EQ(techniques(port, R"({"paging":false})", "Origin: http://localhost\r\n").status, 409)
      << "its own page, which must switch the prefix cache off with it";
}

TEST(Serve, SwitchesNothingUnlessTheOperatorAllowsIt) {
  const std::string off = R"({"continuous_batching":false})";
  ServeProcess forbidden({"--port", "0", "--no-live-switches"});
  const int port = forbidden.port();
  ASSERT_GT(port, 0);
  EXPECT_EQ(techniques(port, off).status, 403);
  EXPECT_EQ(techniques(port, "").json()["allowed"], false);
  EXPECT_EQ(techniques(port, "").json()["on"]["continuous_batching"], true);

  const std::string key = "Authorization: Bearer the-key-of-a-test\r\n";
  ServeProcess with_key({"--port", "0"}, {"ORRERY_API_KEY=the-key-of-a-test"});
  const int key_port = with_key.port();
  ASSERT_GT(key_port, 0);
  EXPECT_EQ(techniques(key_port, off).status, 401);
  EXPECT_EQ(techniques(key_port, off, key).status, 403) << "keys mean clients of somebody else's";
  ServeProcess allowed({"--port", "0", "--live-switches"}, {"ORRERY_API_KEY=the-key-of-a-test"});
  const int allowed_port = allowed.port();
  ASSERT_GT(allowed_port, 0);
  EXPECT_EQ(techniques(allowed_port, off, key).status, 200);
}

}  // namespace
}  // namespace orrery::server
