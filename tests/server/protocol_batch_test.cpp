// orrery batch as a user runs it: good and bad lines, and kills at random moments.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "base/json.h"

namespace orrery {
namespace {

using testing::HasSubstr;

std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

size_t size_of(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<size_t>(size);
}

class BatchCommand : public testing::Test {
 protected:
  BatchCommand()
      : base_(testing::TempDir() + "orrery_batch_" + std::to_string(getpid())),
        input_(base_ + ".in"),
        output_(base_ + ".out") {
    remove_files();
  }
  ~BatchCommand() override { remove_files(); }
  void remove_files() {
    for (const std::string& path : {input_, output_, base_ + ".err"}) std::filesystem::remove(path);
  }

  pid_t start(const std::string& output) const {
    const pid_t child = fork();
    if (child != 0) return child;
    const std::string err = base_ + ".err";
    if (std::freopen(err.c_str(), "a", stderr) == nullptr) _exit(9);
    execl(ORRERY_BINARY, "orrery", "batch", "demo", "-i", input_.c_str(), "-o", output.c_str(),
          "--threads", "1", "--max-num-seqs", "8", nullptr);
    _exit(9);
  }
  int finish(pid_t child) const {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  int run() const { return finish(start(output_)); }

  // The results by line; none twice.
  std::map<std::string, OrderedJson> results(const std::string& path) const {
    std::map<std::string, OrderedJson> out;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      auto json = parse_ordered_json(line, "result");
      EXPECT_TRUE(json.ok()) << line;
      if (!json.ok()) continue;
      EXPECT_TRUE(out.emplace((*json)["id"], *json).second) << "twice: " << line;
    }
    return out;
  }

  std::string base_, input_, output_;
};

// Choices and usage: what must not depend on when and beside whom a request ran.
OrderedJson essence(const OrderedJson& result) {
  OrderedJson out = {result["custom_id"], result["error"]};
  if (result["response"].is_null()) return out;
  const OrderedJson& body = result["response"]["body"];
  out.push_back(result["response"]["status_code"]);
  out.push_back(body.contains("choices") ? body["choices"] : body);
  if (body.contains("usage")) {
    out.push_back(body["usage"]["prompt_tokens"]);
    out.push_back(body["usage"]["completion_tokens"]);
  }
  return out;
}

TEST_F(BatchCommand, OneBadLineFailsAlone) {
  std::ofstream(input_)
      << R"({"custom_id":"a","method":"POST","url":"/v1/completions","body":{"prompt":"Once","max_tokens":4}})"
      << "\nnot json\n\n"
      << R"({"custom_id":"c","method":"POST","url":"/v1/embeddings","body":{"input":"x"}})"
      << "\n"
      << R"({"custom_id":"d","method":"POST","url":"/v1/completions","body":{"prompt":"x","top_p":9}})"
      << "\n"
      << R"({"custom_id":"a","method":"POST","url":"/v1/completions","body":{"prompt":"again"}})"
      << "\n"
      << R"({"method":"POST","url":"/v1/completions","body":{"prompt":"x"}})"
      << "\n"
      << R"({"custom_id":"e","method":"GET","url":"/v1/completions","body":{}})"
      << "\n"
      << R"({"custom_id":"f","method":"POST","url":"/v1/completions","body":{"prompt":"x","stream":true}})"
      << "\n"
      << R"({"custom_id":"g","method":"POST","url":"/v1/chat/completions","body":{"model":"demo","messages":[{"role":"user","content":"Hello"}],"max_tokens":5}})";
  ASSERT_EQ(run(), 0) << read_all(base_ + ".err");
  auto done = results(output_);
  ASSERT_EQ(done.size(), 9u);
  EXPECT_EQ(done["batch_req_1"]["response"]["body"]["object"], "text_completion");
  EXPECT_EQ(done["batch_req_1"]["error"], nullptr);
  EXPECT_EQ(done["batch_req_2"]["error"]["code"], "invalid_json");
  EXPECT_EQ(done["batch_req_2"]["response"], nullptr);
  EXPECT_EQ(done["batch_req_4"]["error"]["code"], "invalid_url");
  EXPECT_EQ(done["batch_req_5"]["response"]["status_code"], 400);
  EXPECT_EQ(done["batch_req_5"]["response"]["body"]["error"]["param"], "top_p");
  EXPECT_EQ(done["batch_req_6"]["error"]["code"], "duplicate_custom_id");
  EXPECT_EQ(done["batch_req_7"]["error"]["code"], "invalid_custom_id");
  EXPECT_EQ(done["batch_req_8"]["error"]["code"], "invalid_method");
  EXPECT_EQ(done["batch_req_9"]["error"]["code"], "invalid_body");
  EXPECT_EQ(done["batch_req_10"]["response"]["body"]["object"], "chat.completion");
  // Done is done, also what failed.
  const std::string before = read_all(output_);
  ASSERT_EQ(run(), 0);
  EXPECT_EQ(read_all(output_), before);
}

TEST_F(BatchCommand, AFileThatHoldsAnythingElseIsLeftAlone) {
  std::ofstream(input_) << "{}\n";
  std::ofstream(output_) << "my diary\n";
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(read_all(output_), "my diary\n");
  EXPECT_THAT(read_all(base_ + ".err"), HasSubstr("expected the result of a batch"));
}

// ORRERY_BATCH_KILLS lengthens it.
TEST_F(BatchCommand, SurvivesBeingKilledAtRandomMoments) {
  const char* set = std::getenv("ORRERY_BATCH_KILLS");
  const int kills = set != nullptr ? std::atoi(set) : 5;
  std::ofstream input(input_);
  for (int i = 0; i < 60; ++i) {
    input
        << R"({"custom_id":"r)" << i
        << R"(","method":"POST","url":"/v1/completions","body":{"prompt":"Once upon a time number )"
        << i << R"(","max_tokens":)" << 8 + i % 24 << R"(,"temperature":1.0,"logprobs":1}})"
        << "\n";
    if (i % 20 == 7) input << "broken " << i << "\n";
  }
  input.close();
  const std::string calm = base_ + ".calm";
  ASSERT_EQ(finish(start(calm)), 0) << read_all(base_ + ".err");
  const size_t whole = std::filesystem::file_size(calm);

  std::mt19937 random(std::random_device{}());
  std::set<size_t> sizes;
  for (int i = 0; i < kills; ++i) {
    const pid_t child = start(output_);
    // At some moment after so much of the output is there.
    const size_t share = whole * static_cast<size_t>(i) / static_cast<size_t>(kills);
    bool ended = false;
    while (!ended && size_of(output_) <= share) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      ended = waitpid(child, nullptr, WNOHANG) != 0;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));
    if (!ended) {
      kill(child, SIGKILL);
      finish(child);
    }
    sizes.insert(size_of(output_));
    // What a kill within a write, or a lost page, leaves behind.
    if (i % 2 == 1) std::ofstream(output_, std::ios::app) << R"({"id":"batch_req_9","custom)";
  }
  ASSERT_EQ(run(), 0) << read_all(base_ + ".err");
  const auto expected = results(calm), got = results(output_);
  std::filesystem::remove(calm);
  EXPECT_GE(sizes.size(), 3u) << "no kill came between two results";
  ASSERT_EQ(got.size(), expected.size());
  for (const auto& [id, result] : expected) {
    ASSERT_TRUE(got.contains(id)) << id;
    EXPECT_EQ(essence(got.at(id)), essence(result));
  }
}

}  // namespace
}  // namespace orrery
