#include "cli/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/test_data.h"

namespace orrery::cli {
namespace {

using testing::HasSubstr;

// A folder of files that goes when the test ends.
class Workloads : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("workload_test_" +
               std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string file(const std::string& name, const std::string& text) {
    const std::string path = (folder_ / name).string();
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  static std::string error_of(const std::string& path) {
    const auto read = read_workload(path, {});
    return read.ok() ? "no error" : read.status().message();
  }

  std::filesystem::path folder_;
};

constexpr const char* kAzureHeader = "TIMESTAMP,ContextTokens,GeneratedTokens\n";

TEST_F(Workloads, ReadAzureAcrossMidnight) {
  const auto read = read_workload(
      file("a.csv", std::string(kAzureHeader) + "2023-11-30 23:59:59.5000000,4808,10\r\n"
                                                "2023-12-01 00:00:01.2500000,110,27\n"),
      {});
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->format, "azure");
  ASSERT_EQ(read->requests.size(), 2U);
  EXPECT_EQ(read->requests[0].arrival_s, 0);
  EXPECT_EQ(read->requests[0].prompt_tokens, 4808);
  EXPECT_NEAR(read->requests[1].arrival_s, 1.75, 1e-6);
  EXPECT_EQ(read->requests[1].output_tokens, 27);
}

TEST_F(Workloads, ErrorsNameFileLineExpectedAndFound) {
  const std::string header = kAzureHeader;
  EXPECT_THAT(error_of(file("a.csv", header + "2023-11-30 23:59:59,1\n")),
              HasSubstr("a.csv: line 2: expected 3 fields"));
  EXPECT_THAT(error_of(file("a.csv", header + "2023-11-31 23:59:59,1,1\n")),
              HasSubstr("TIMESTAMP: expected as 2023-11-16"));
  EXPECT_THAT(
      error_of(file("a.csv", header + "\n2023-11-30 23:59:59,many,1\n")),
      HasSubstr(
          "line 3: ContextTokens: expected a number of tokens from 0 to 16777216, got \"many\""));
  EXPECT_THAT(error_of(file("a.csv", header)), HasSubstr("expected at least one request"));
  EXPECT_THAT(error_of(file("a.txt", "hello\n")), HasSubstr("line 1: expected Azure's header"));
  EXPECT_THAT(error_of(file("empty", "")), HasSubstr("line 1: expected Azure's header"));
  EXPECT_THAT(error_of((folder_ / "missing").string()), HasSubstr("missing"));
  EXPECT_THAT(error_of(folder_.string()), HasSubstr("expected ServeGen's chunk-N-trace.csv"));
}

TEST_F(Workloads, MooncakeErrorsNameLineAndKey) {
  const auto error = [&](const std::string& line) {
    return error_of(file("m.jsonl",
                         "{\"timestamp\":0,\"input_length\":1,\"output_length\":1,\"hash_ids\":[7]}"
                         "\n" +
                             line + "\n"));
  };
  EXPECT_THAT(error("{\"timestamp\":5"), HasSubstr("m.jsonl: line 2"));
  EXPECT_THAT(error("[]"), HasSubstr("line 2: expected a JSON object"));
  EXPECT_THAT(error("{\"timestamp\":5,\"input_length\":0}"),
              HasSubstr("line 2: input_length: expected an integer from 1 to 16777216, got 0"));
  EXPECT_THAT(error("{\"timestamp\":18446744073709551615}"),
              HasSubstr("timestamp: expected an integer from 0"));
  EXPECT_THAT(error("{\"timestamp\":5,\"input_length\":513,\"output_length\":1,\"hash_ids\":[1]}"),
              HasSubstr("hash_ids: expected 2 integers, one for each 512 of 513 tokens, got 1"));
  EXPECT_THAT(
      error("{\"timestamp\":5,\"input_length\":5,\"output_length\":1,\"hash_ids\":[\"x\"]}"),
      HasSubstr("hash_ids[0]: expected an integer, got \"x\""));
}

TraceRequest hashed(int64_t prompt, std::vector<int64_t> hashes) {
  return {0, prompt, 4, std::move(hashes)};
}

size_t common_prefix(const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                             a.begin());
}

TEST_F(Workloads, EqualHashesBecomeEqualTokensAtEveryScale) {
  const Workload workload{
      "mooncake", {hashed(1500, {1, 2, 3}), hashed(2000, {1, 2, 9, 10}), hashed(600, {4, 2})}};
  for (const double scale : {1.0, 0.25, 0.1}) {
    const FittedWorkload fitted = fit(workload, {1, scale, 1 << 20, 32'000, 0});
    const auto& work = fitted.work;
    EXPECT_EQ(fitted.num_clipped, 0);
    EXPECT_EQ(static_cast<double>(work[0].prompt.size()), 1500 * scale);
    // Ids of the third block may agree by chance, not more than one or two.
    EXPECT_NEAR(static_cast<double>(common_prefix(work[0].prompt, work[1].prompt)), 1024 * scale,
                2);
    EXPECT_LE(common_prefix(work[0].prompt, work[2].prompt), 1U);
  }
}

TEST_F(Workloads, PromptsWithoutHashesShareNothing) {
  const Workload workload{"azure", {{0, 64, 1, {}}, {0, 64, 1, {}}}};
  const FittedWorkload fitted = fit(workload, {1, 1, 128, 32'000, 0});
  EXPECT_LE(common_prefix(fitted.work[0].prompt, fitted.work[1].prompt), 1U);
}

TEST_F(Workloads, ClippingKeepsBothPartsAndIsCounted) {
  const Workload workload{
      "azure", {{1, 90, 5, {}}, {2, 1000, 5, {}}, {3, 10, 1000, {}}, {4, 1000, 1000, {}}}};
  const FittedWorkload fitted = fit(workload, {2, 1, 100, 32'000, 0});
  EXPECT_EQ(fitted.num_clipped, 3);
  EXPECT_EQ(fitted.num_tokens, 4110);
  EXPECT_EQ(fitted.num_clipped_tokens, 905 + 910 + 1900);
  const auto lengths = [&](size_t i) {
    return std::pair(static_cast<int>(fitted.work[i].prompt.size()), fitted.work[i].output_tokens);
  };
  EXPECT_EQ(lengths(0), std::pair(90, 5));
  EXPECT_EQ(lengths(1), std::pair(95, 5));
  EXPECT_EQ(lengths(2), std::pair(10, 90));
  EXPECT_EQ(lengths(3), std::pair(50, 50));
  EXPECT_EQ(fitted.work[3].arrival_s, 2);  // at twice the rate
}

constexpr const char* kDataset =
    R"({"0": {"input_tokens": "{}", "output_tokens": "{}"},
        "21600": {"input_tokens": "{10: 0.5, 30: 0.5}", "output_tokens": "{7: 1.0}"}})";

TEST_F(Workloads, ServeGenDrawsAtTheRateAndFromTheLengthsOfTheHour) {
  file("chunk-3-dataset.json", kDataset);
  const std::string trace = file("chunk-3-trace.csv",
                                 "21600,0,0,,0,0\n22200,2,1.5,Weibull,0.7,0.1\n"
                                 "22800,4,0.5,Gamma,4,0.0625\n23400,0,0,,0,0\n");
  const auto read = read_workload(trace, {1'000'000, 0});
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->format, "servegen");
  int64_t short_prompts = 0, early = 0;
  for (const TraceRequest& r : read->requests) {
    EXPECT_TRUE(r.prompt_tokens == 10 || r.prompt_tokens == 30);
    EXPECT_EQ(r.output_tokens, 7);
    short_prompts += r.prompt_tokens == 10 ? 1 : 0;
    early += r.arrival_s < 600 ? 1 : 0;
  }
  const auto total = static_cast<int64_t>(read->requests.size());
  EXPECT_NEAR(static_cast<double>(early), 1200, 200);  // five deviations of this Weibull
  EXPECT_NEAR(static_cast<double>(total - early), 2400, 150);
  EXPECT_NEAR(static_cast<double>(short_prompts) / static_cast<double>(total), 0.5, 0.05);
  EXPECT_LT(read->requests.back().arrival_s, 1200);
  const auto some = read_workload(folder_.string(), {10, 0});
  ASSERT_TRUE(some.ok());
  ASSERT_EQ(some->requests.size(), 10U);
  EXPECT_EQ(some->requests[9].arrival_s, read->requests[9].arrival_s);
}

TEST_F(Workloads, ServeGenErrorsNameWhatIsWrong) {
  const auto error = [&](const std::string& trace, const std::string& dataset) {
    file("chunk-3-dataset.json", dataset);
    return error_of(file("chunk-3-trace.csv", trace));
  };
  const std::string good = "0,0,0,,0,0\n22200,2,1.5,Weibull,0.7,0.1\n";
  EXPECT_EQ(error(good, kDataset), "no error");
  EXPECT_THAT(error("0,0,0,,0\n", kDataset), HasSubstr("chunk-3-trace.csv: line 1: expected 6"));
  EXPECT_THAT(error("0,0,0,,0,0\n600,1,1,Cauchy,1,1\n", kDataset),
              HasSubstr("line 2: distribution of gaps: expected Gamma or Weibull, got \"Cauchy\""));
  EXPECT_THAT(error("600,0,0,,0,0\n600,0,0,,0,0\n", kDataset),
              HasSubstr("line 2: expected a start after 600, got 600"));
  EXPECT_THAT(error("0,0,0,,0,0\n600,1,1,Gamma,1,1\n", kDataset),
              HasSubstr("expected lengths for second 600"));
  EXPECT_THAT(error(good, R"({"0": {"input_tokens": "{10 0.5}", "output_tokens": "{}"}})"),
              HasSubstr("0: input_tokens: expected a dictionary"));
  EXPECT_THAT(error(good, R"({"0": {"input_tokens": "{10: 0.5}", "output_tokens": "{}"}})"),
              HasSubstr("probabilities: expected a sum of 1, got 0.5"));
  EXPECT_THAT(error(good, "[]"), HasSubstr("chunk-3-dataset.json: expected a JSON object"));
}

TEST_F(Workloads, ThePublishedTracesAreRead) {
  SKIP_WITHOUT_DATA();
  const std::string data = test_data_dir() + "/workloads/";
  const auto azure = read_workload(data + "azure2023/AzureLLMInferenceTrace_code.csv", {10'000, 0});
  ASSERT_TRUE(azure.ok()) << azure.status().message();
  EXPECT_EQ(azure->requests.size(), 8819U);
  EXPECT_NEAR(azure->requests.back().arrival_s, 3435.95, 0.1);
  const auto mooncake = read_workload(data + "mooncake/conversation_trace.jsonl", {500, 0});
  ASSERT_TRUE(mooncake.ok()) << mooncake.status().message();
  EXPECT_EQ(mooncake->requests.size(), 500U);
  EXPECT_EQ(mooncake->requests[0].block_hashes.size(), 14U);
  const auto servegen = read_workload(data + "servegen-deepseek-r1", {1000, 0});
  ASSERT_TRUE(servegen.ok()) << servegen.status().message();
  EXPECT_EQ(servegen->requests.size(), 1000U);
}

}  // namespace
}  // namespace orrery::cli
