// The HTTP server with handlers of the test's own: framing, limits, deadlines, keys, disconnects.
#include "server/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "base/mapped_file.h"
#include "http_client_for_tests.h"
#include "http_hostile_for_tests.h"

namespace orrery::server {
namespace {

using namespace std::chrono_literals;

// POST /echo answers its body, /quick from the I/O thread; GET /stream writes until the client
// goes; POST /hold answers when the gate opens.
class HttpServerTest : public testing::Test {
 protected:
  void start(HttpOptions options = {}) {
    options.host = "127.0.0.1";
    options.port = 0;
    auto created = HttpServer::create(std::move(options));
    ASSERT_TRUE(created.ok()) << created.status().message();
    server_ = std::move(created).value();
    add("POST", "/echo", [](HttpRequest request, const std::shared_ptr<Responder>& responder) {
      HttpResponse response;
      response.body = std::move(request.body);
      responder->respond(std::move(response));
    });
    add(
        "GET", "/quick",
        [](const HttpRequest&, const std::shared_ptr<Responder>& responder) {
          responder->respond({});
        },
        /*on_io_thread=*/true);
    add("GET", "/stream", [this](const HttpRequest&, const std::shared_ptr<Responder>& responder) {
      responder->on_gone([this] { ++num_gone_; });
      responder->begin_stream({});
      const std::string line(1000, 'x');
      while (responder->write(line)) {
        most_buffered_ = std::max(most_buffered_.load(), responder->buffered_bytes());
        std::this_thread::sleep_for(10us);
      }
    });
    add("POST", "/hold", [this](const HttpRequest&, const std::shared_ptr<Responder>& responder) {
      responder->on_gone([this] { ++num_gone_; });
      ++num_held_;
      std::unique_lock<std::mutex> lock(mutex_);
      gate_.wait(lock, [this] { return open_; });
      responder->respond({});
    });
    server_->start();
  }

  void TearDown() override {
    open_gate();
    if (server_) server_->stop();
  }

  void add(std::string method, std::string path, Handler handler, bool on_io_thread = false) {
    Route route;
    route.method = std::move(method);
    route.path = std::move(path);
    route.json_body = route.counts = route.method == "POST";
    route.on_io_thread = on_io_thread;
    route.handler = std::move(handler);
    server_->add_route(std::move(route));
  }

  void open_gate() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      open_ = true;
    }
    gate_.notify_all();
  }

  int port() const { return server_->port(); }
  bool still_answers() { return ask(port(), "POST", "/echo", "{}").body == "{}"; }

  std::unique_ptr<HttpServer> server_;
  std::atomic<int> num_gone_{0}, num_held_{0};
  std::atomic<size_t> most_buffered_{0};
  std::mutex mutex_;
  std::condition_variable gate_;
  bool open_ = false;
};

TEST_F(HttpServerTest, RefusesWhateverSmugglesRequests) {
  start();
  for (const HostileRequest& hostile : smuggling_set()) {
    TestClient client(port());
    client.send(hostile.bytes);
    const TestResponse response = client.response(5s);
    EXPECT_EQ(response.status, hostile.status) << hostile.name << ": " << response.body;
    EXPECT_TRUE(response.json()["error"]["message"].is_string()) << hostile.name;
    client.shutdown_send();
    EXPECT_TRUE(client.closed_within(5s)) << hostile.name;
  }
  EXPECT_TRUE(still_answers());
}

TEST_F(HttpServerTest, AnswersRequestsOfOneConnectionInOrder) {
  start();
  TestClient client(port());
  client.send(http_request("POST", "/echo", "1") + http_request("POST", "/echo", "22") +
              http_request("GET", "/quick"));
  EXPECT_EQ(client.response().body, "1");
  EXPECT_EQ(client.response().body, "22");
  EXPECT_EQ(client.response().status, 200);
}

TEST_F(HttpServerTest, TakesBodiesInChunksAndAfterContinue) {
  start();
  TestClient client(port());
  const std::string head =
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json; charset=utf-8\r\n";
  client.send(head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(client.response().body, "abcde");
  client.send(head + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(client.response().status, 100);
  client.send("hello");
  EXPECT_EQ(client.response().body, "hello");
}

TEST_F(HttpServerTest, SpeaksWithOlderClientsAndThoseThatClose) {
  start();
  TestClient old(port());
  old.send("POST /echo HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_EQ(old.response().headers["connection"], "close");
  EXPECT_TRUE(old.closed_within(5s));
  TestClient closing(port());
  closing.send(http_request("POST", "/echo", "{}", "Connection: close\r\n"));
  EXPECT_EQ(closing.response().body, "{}");
  EXPECT_TRUE(closing.closed_within(5s));
  const TestResponse head = ask(port(), "HEAD", "/quick");
  EXPECT_EQ(head.status, 200);
  EXPECT_TRUE(head.body.empty());
  EXPECT_EQ(ask(port(), "HEAD", "/stream").status, 200);
  EXPECT_TRUE(eventually([&] { return num_gone_ == 1; }));
}

TEST_F(HttpServerTest, NamesWhatIsWrongWithARequest) {
  start();
  EXPECT_EQ(ask(port(), "GET", "/nowhere").status, 404);
  const TestResponse wrong_method = ask(port(), "GET", "/echo");
  EXPECT_EQ(wrong_method.status, 405);
  EXPECT_EQ(wrong_method.headers.at("allow"), "POST");
  TestClient client(port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_EQ(client.response().status, 415);
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_EQ(client.response().status, 415);
  // The connection goes on, since those bodies were short.
  client.send(http_request("POST", "/echo", "{}", "Content-Encoding: gzip\r\n"));
  EXPECT_EQ(client.response().status, 415);
  client.send(http_request("POST", "/echo", "{}"));
  EXPECT_EQ(client.response().status, 200);
}

TEST_F(HttpServerTest, AnswersALargeRefusedBodyBeforeItCloses) {
  start();
  TestClient client(port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: "
      "33554432\r\n\r\n");
  client.send(std::string(4 << 20, 'x'));
  EXPECT_EQ(client.response().status, 413);
}

TEST_F(HttpServerTest, BoundsTheBytesOfAllBodiesOnTheirWay) {
  HttpOptions options;
  options.max_body_bytes_in_flight = 1 << 20;
  start(std::move(options));
  const auto second_status = [&] {
    return ask(port(), "POST", "/echo", std::string(800'000, 'x')).status;
  };
  // Whichever of the two the server has read more of is let in: until that is the first one, anew.
  EXPECT_TRUE(eventually([&] {
    TestClient first(port());
    first.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: "
        "900000\r\n\r\n");
    first.send(std::string(800'000, 'x'));
    if (second_status() != 503) return false;
    return first.send(std::string(100'000, 'x')) && first.response().status == 200;
  }));
  EXPECT_TRUE(eventually([&] { return second_status() == 200; }));
}

TEST_F(HttpServerTest, EndsRequestsThatDoNotCome) {
  HttpOptions options;
  options.timeouts = {.header = 200ms, .body = 200ms, .idle = 400ms, .write = 10s};
  start(std::move(options));
  TestClient slow_head(port());
  TestClient slow_body(port());
  TestClient idle(port());
  const auto begin = std::chrono::steady_clock::now();
  slow_body.send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: "
      "9\r\n\r\n");
  // A byte now and then buys no time.
  const std::string head = "GET /quick HTTP/1.1\r\nHost: a\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaa";
  for (size_t i = 0; i < head.size() && slow_head.send(head.substr(i, 1)); ++i) {
    slow_body.send("x");
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_EQ(slow_head.response(5s).status, 408);
  EXPECT_TRUE(idle.closed_within(5s));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 4s);
  TestClient silent_body(port());
  silent_body.send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: "
      "9\r\n\r\n");
  EXPECT_EQ(silent_body.response(5s).status, 408);
}

TEST_F(HttpServerTest, BoundsWhatAClientThatNeverReadsCosts) {
  HttpOptions options;
  options.max_response_buffer_bytes = 256 << 10;
  start(std::move(options));
  TestClient client(port(), 4096);
  client.send(http_request("GET", "/stream"));
  EXPECT_TRUE(eventually([&] { return num_gone_ == 1; }));
  EXPECT_LE(most_buffered_, 256u << 10);
  EXPECT_TRUE(still_answers());
}

TEST_F(HttpServerTest, EndsAStalledStream) {
  HttpOptions options;
  options.timeouts.write = 300ms;
  options.max_response_buffer_bytes = size_t{1} << 30;
  start(std::move(options));
  TestClient client(port(), 4096);
  client.send(http_request("GET", "/stream"));
  EXPECT_TRUE(eventually([&] { return num_gone_ == 1; }, 5s));
}

TEST_F(HttpServerTest, NoticesAClientThatGoesAwayInAStream) {
  start();
  for (const bool reset : {false, true}) {
    const int gone = num_gone_;
    TestClient client(port());
    client.send(http_request("GET", "/stream"));
    client.receive_bytes(5000);
    reset ? client.reset() : client.close();
    EXPECT_TRUE(eventually([&] { return num_gone_ == gone + 1; }));
  }
}

TEST_F(HttpServerTest, NoticesAClientThatGoesAwayWhileItWaits) {
  start();
  TestClient closing(port());
  closing.send(http_request("POST", "/hold", "{}"));
  TestClient resetting(port());
  resetting.send(http_request("POST", "/hold", "{}"));
  ASSERT_TRUE(eventually([&] { return num_held_ == 2; }));
  closing.close();
  resetting.reset();
  EXPECT_TRUE(eventually([&] { return num_gone_ == 2; }));
  EXPECT_TRUE(eventually([&] { return server_->num_requests() == 0; }));
}

TEST_F(HttpServerTest, AnswersFromTheIoThreadWhileAllWorkersAreBusy) {
  start();
  std::vector<TestClient> holding;
  for (int i = 0; i < 5; ++i) {
    holding.emplace_back(port());
    holding.back().send(http_request("POST", "/hold", "{}"));
  }
  ASSERT_TRUE(eventually([&] { return num_held_ == 2; }));
  EXPECT_EQ(ask(port(), "GET", "/quick").status, 200);
  open_gate();
  for (TestClient& client : holding) EXPECT_EQ(client.response().status, 200);
}

TEST_F(HttpServerTest, RefusesWhatIsTooMuchBeforeAnyWork) {
  HttpOptions options;
  options.admission.max_requests = 2;
  start(std::move(options));
  std::vector<TestClient> holding;
  for (int i = 0; i < 2; ++i) {
    holding.emplace_back(port());
    holding.back().send(http_request("POST", "/hold", "{}"));
  }
  ASSERT_TRUE(eventually([&] { return num_held_ == 2; }));
  const TestResponse refused = ask(port(), "POST", "/echo", "{}");
  EXPECT_EQ(refused.status, 503);
  EXPECT_GE(std::stoi(refused.headers.at("retry-after")), 1);
  EXPECT_EQ(ask(port(), "GET", "/quick").status, 200);
  open_gate();
  for (TestClient& client : holding) EXPECT_EQ(client.response().status, 200);
  EXPECT_TRUE(still_answers());
}

TEST_F(HttpServerTest, HoldsAKeyToItsLimitAndNoOther) {
  HttpOptions options;
  options.keys = *KeyRing::from_text("first-key\nsecond-key\n", "keys");
  options.admission.max_requests_per_key = 1;
  start(std::move(options));
  TestClient holding(port());
  holding.send(http_request("POST", "/hold", "{}", "Authorization: Bearer first-key\r\n"));
  ASSERT_TRUE(eventually([&] { return num_held_ == 1; }));
  const TestResponse refused =
      ask(port(), "POST", "/echo", "{}", "Authorization: Bearer first-key\r\n");
  EXPECT_EQ(refused.status, 429);
  EXPECT_GE(std::stoi(refused.headers.at("retry-after")), 1);
  EXPECT_EQ(ask(port(), "POST", "/echo", "{}", "Authorization: Bearer second-key\r\n").status, 200);
}

TEST_F(HttpServerTest, DrainsWhatIsUnderWayAndRefusesTheRest) {
  start();
  TestClient holding(port());
  holding.send(http_request("POST", "/hold", "{}"));
  ASSERT_TRUE(eventually([&] { return num_held_ == 1; }));
  server_->drain();
  const TestResponse refused = ask(port(), "POST", "/echo", "{}");
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(refused.headers.contains("retry-after"));
  EXPECT_EQ(server_->num_requests(), 1);
  open_gate();
  EXPECT_EQ(holding.response().status, 200);
  EXPECT_TRUE(eventually([&] { return server_->num_requests() == 0; }));
}

TEST_F(HttpServerTest, LetsNoOtherOriginInUnlessToldSo) {
  const std::string origin = "Origin: https://page.example\r\n";
  const std::string preflight = origin + "Access-Control-Request-Method: POST\r\n";
  start();
  EXPECT_EQ(ask(port(), "OPTIONS", "/echo", "", preflight).status, 405);
  EXPECT_FALSE(
      ask(port(), "POST", "/echo", "{}", origin).headers.contains("access-control-allow-origin"));
  server_->stop();
  HttpOptions options;
  options.allowed_origins = {"https://page.example"};
  start(std::move(options));
  const TestResponse allowed = ask(port(), "OPTIONS", "/echo", "", preflight);
  EXPECT_EQ(allowed.status, 204);
  EXPECT_EQ(allowed.headers.at("access-control-allow-origin"), "https://page.example");
  EXPECT_EQ(ask(port(), "POST", "/echo", "{}", origin).headers.at("access-control-allow-origin"),
            "https://page.example");
  EXPECT_FALSE(ask(port(), "POST", "/echo", "{}", "Origin: https://other.example\r\n")
                   .headers.contains("access-control-allow-origin"));
}

TEST_F(HttpServerTest, ListensOnAUnixSocket) {
  const std::string path = testing::TempDir() + "orrery-http-test.sock";
  HttpOptions options;
  options.uds = path;
  start(std::move(options));
  TestClient client(path);
  ASSERT_TRUE(client.connected());
  client.send(http_request("POST", "/echo", "{}"));
  EXPECT_EQ(client.response().body, "{}");
  HttpOptions again;
  again.uds = path;
  EXPECT_FALSE(HttpServer::create(std::move(again)).ok());  // somebody listens there
}

TEST_F(HttpServerTest, SaysWhenThePortIsTaken) {
  start();
  HttpOptions options;
  options.port = port();
  const auto second = HttpServer::create(std::move(options));
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.status().message(), testing::HasSubstr(std::to_string(port())));
}

TEST_F(HttpServerTest, SurvivesAndRecoversFromALackOfFileDescriptors) {
  start();
  TestClient first(port());
  first.send(http_request("POST", "/echo", "1"));
  EXPECT_EQ(first.response().body, "1");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int probe = ::dup(0);
  ::close(probe);
  std::vector<TestClient> clients;
  {
    rlimit low = before;
    low.rlim_cur = static_cast<rlim_t>(probe) + 9;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
    for (int i = 0; i < 9; ++i) clients.emplace_back(port());
    std::this_thread::sleep_for(50ms);
    // Who is connected is served on.
    first.send(http_request("POST", "/echo", "2"));
    EXPECT_EQ(first.response().body, "2");
  }
  clients.clear();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(still_answers());
}

TEST_F(HttpServerTest, WritesAnAccessLogWithoutQueriesOrBodies) {
  const std::string path = testing::TempDir() + "orrery-access.log";
  std::filesystem::remove(path);
  HttpOptions options;
  options.access_log = path;
  start(std::move(options));
  ask(port(), "POST", "/echo?token=SECRET", "\"SECRET\"");
  ask(port(), "GET", "/nowhere");
  // Answers are there a moment before the server knows that they have gone out.
  ASSERT_TRUE(eventually([&] { return server_->num_connections() == 0; }));
  server_->stop();
  const auto log = MappedFile::open(path);
  ASSERT_TRUE(log.ok());
  EXPECT_THAT(std::string(log->text()), testing::AllOf(testing::HasSubstr("POST /echo 200"),
                                                       testing::HasSubstr("GET /nowhere 404"),
                                                       testing::Not(testing::HasSubstr("SECRET"))));
}

TEST_F(HttpServerTest, ServesHundredsOfConnectionsAtOnce) {
  start();
  std::vector<TestClient> clients;
  for (int i = 0; i < 400; ++i) clients.emplace_back(port());
  for (TestClient& client : clients) client.send(http_request("GET", "/quick"));
  for (TestClient& client : clients) EXPECT_EQ(client.response().status, 200);
  EXPECT_EQ(server_->num_connections(), 400u);
  clients.clear();
  EXPECT_TRUE(eventually([&] { return server_->num_connections() == 0; }));
}

TEST(HttpServer, StopsWhileClientsWait) {
  for (int i = 0; i < 20; ++i) {
    HttpOptions options;
    options.port = 0;
    auto server = HttpServer::create(std::move(options));
    ASSERT_TRUE(server.ok());
    std::shared_ptr<Responder> kept;
    std::atomic<bool> held{false};
    Route route;
    route.method = "GET";
    route.path = "/never";
    route.on_io_thread = true;
    route.handler = [&](const HttpRequest&, std::shared_ptr<Responder> responder) {
      kept = std::move(responder);
      held = true;
    };
    (*server)->add_route(std::move(route));
    (*server)->start();
    TestClient client((*server)->port());
    client.send(http_request("GET", "/never"));
    ASSERT_TRUE(eventually([&] { return held.load(); }));
    server->reset();
    EXPECT_TRUE(kept->gone());
    EXPECT_TRUE(client.closed_within(5s));
  }
}

}  // namespace
}  // namespace orrery::server
