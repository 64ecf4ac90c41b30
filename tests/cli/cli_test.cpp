// The commands as a user runs them: exit codes, output, and errors that say what is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/json.h"
#include "base/test_data.h"

namespace orrery {
namespace {

using testing::HasSubstr;

struct Outcome {
  int exit_code = -1;
  std::string out, err;
};

std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Runs `orrery ARGUMENTS` through the shell, with `input` on standard input, after the shell's
// command `before`.
Outcome orrery(const std::string& arguments, const std::string& input = "",
               const std::string& before = "") {
  const std::string base = testing::TempDir() + "orrery_cli_" + std::to_string(getpid());
  std::ofstream(base + ".in", std::ios::binary) << input;
  const std::string command = before + std::string(ORRERY_BINARY) + " " + arguments + " < " + base +
                              ".in > " + base + ".out 2> " + base + ".err";
  const int status = std::system(command.c_str());
  Outcome outcome{WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_all(base + ".out"),
                  read_all(base + ".err")};
  for (const char* suffix : {".in", ".out", ".err"}) std::filesystem::remove(base + suffix);
  return outcome;
}

Json json_of(const Outcome& outcome) {
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  auto json = parse_json(outcome.out, "stdout");
  EXPECT_TRUE(json.ok()) << outcome.out;
  return json.ok() ? *json : Json();
}

TEST(Cli, RunPrintsAnAnswerAndTheSameOneEachTime) {
  const Outcome first = orrery("run -p 'Once upon a time' --max-tokens 16");
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_GT(first.out.size(), 10u);
  EXPECT_EQ(orrery("run demo --max-tokens 16 --threads 1", "Once upon a time\n").out, first.out);
}

TEST(Cli, RunJsonHoldsWhatTheContractNames) {
  const Json json = json_of(
      orrery("run -p 'Once upon a time' --max-tokens 5 --json --logprobs 3 --prompt-logprobs 2"));
  EXPECT_EQ(json["token_ids"].size(), 5u);
  EXPECT_EQ(json["finish_reason"], "length");
  ASSERT_EQ(json["logprobs"].size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(json["logprobs"][i]["id"], json["token_ids"][i]);
    EXPECT_EQ(json["logprobs"][i]["id"], json["logprobs"][i]["top"][0]["id"]);  // greedy
    EXPECT_EQ(json["logprobs"][i]["top"].size(), 3u);
    EXPECT_LE(json["logprobs"][i]["logprob"].get<double>(), 0);
  }
  ASSERT_EQ(json["prompt_logprobs"].size(), json["prompt_token_ids"].size());
  EXPECT_TRUE(json["prompt_logprobs"][0].is_null());
  EXPECT_EQ(json["prompt_logprobs"][1]["id"], json["prompt_token_ids"][1]);
}

TEST(Cli, RunStagesShowsTheFourRooms) {
  const Outcome outcome =
      orrery("run -p 'The cat' --max-tokens 3 --stages --temperature 1 --seed 5 --top-k 4");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const char* room :
       {"Tokenizer", "prefill", "Sampler", "decode", "DeTokenizer", "cut by top_k"}) {
    EXPECT_THAT(outcome.out, HasSubstr(room));
  }
}

TEST(Cli, RunRecordsAndReplaySaysIdenticalOrWhereItDiffers) {
  const std::string path = testing::TempDir() + "orrery_cli_recording";
  const std::string ask = "run -p 'Once upon a time' --max-tokens 24 --temperature 1 --seed 4";
  const std::string plain = orrery(ask).out;
  EXPECT_EQ(orrery(ask + " --record " + path).out, plain);
  const Outcome same = orrery("replay " + path + " --threads 1");
  EXPECT_EQ(same.exit_code, 0) << same.err;
  EXPECT_THAT(same.out, HasSubstr("identical: 24 steps"));

  // Another random number in the file: events are 32 bytes after the metadata, with checksums that
  // do not fit any more.
  std::string bytes = read_all(path);
  const size_t at = bytes.size() - 200;
  bytes[at] = static_cast<char>(bytes[at] ^ 1);
  std::ofstream(path, std::ios::binary) << bytes;
  const Outcome damaged = orrery("replay " + path);
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_THAT(damaged.err, HasSubstr("checksum"));

  const Outcome none = orrery("replay " ORRERY_SOURCE_DIR "/README.md");
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_THAT(none.err, HasSubstr("ORREVENT"));
  EXPECT_EQ(orrery("replay").exit_code, 2);
}

TEST(Cli, ActivationsOfEightBitsAreRecordedAndReplayed) {
  const std::string path = testing::TempDir() + "orrery_cli_eight_bits";
  const std::string ask =
      "run -p 'Once upon a time' --max-tokens 24 --temperature 1 --seed 4 --quantization q4_0";
  const std::string coarse = ask + " --logprobs 1 --json --activation-bits 8";
  EXPECT_NE(orrery(coarse).out, orrery(ask + " --logprobs 1 --json").out);
  EXPECT_EQ(orrery(ask + " --activation-bits 8 --record " + path).exit_code, 0);
  EXPECT_THAT(read_all(path), HasSubstr("\"activation_bits\":8"));
  const Outcome same = orrery("replay " + path + " --threads 1");
  EXPECT_EQ(same.exit_code, 0) << same.err;
  EXPECT_THAT(same.out, HasSubstr("identical: 24 steps"));
}

TEST(Cli, StopStringsEndTheText) {
  const std::string text =
      json_of(orrery("run -p 'Once upon a time' --max-tokens 30 --json"))["text"];
  const std::string stop = text.substr(text.size() / 2, 3);
  const Json json =
      json_of(orrery("run -p 'Once upon a time' --max-tokens 30 --json --stop '" + stop + "'"));
  EXPECT_EQ(json["text"], text.substr(0, text.find(stop)));
  EXPECT_EQ(json["finish_reason"], "stop");
}

TEST(Cli, ChatKeepsAConversationAndSlashCommands) {
  const Outcome outcome = orrery("chat --max-tokens 8 --seed 1",
                                 "Hello!\n/history\n/undo\n/history\n/nonsense\n/quit\n");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("user: Hello!"));
  EXPECT_THAT(outcome.out, HasSubstr("unknown command /nonsense"));
}

TEST(Cli, TokenizeGoesBothWays) {
  const Outcome ids = orrery("tokenize demo", "Hello, 世界 🌍");
  EXPECT_EQ(ids.exit_code, 0) << ids.err;
  EXPECT_EQ(orrery("tokenize demo --no-add-special", "Hello, 世界 🌍").out.size() < ids.out.size(),
            true);
  EXPECT_THAT(orrery("tokenize demo --decode", ids.out).out, HasSubstr("Hello, 世界 🌍"));
}

TEST(Cli, TemplateRendersAFileOrTheModelsOwn) {
  const std::string base = testing::TempDir() + "orrery_template";
  std::ofstream(base + ".jinja") << "{{ strftime_now('%Y') }} {{ name }}";
  std::ofstream(base + ".json") << R"({"name": "x"})";
  EXPECT_EQ(orrery("template " + base + ".jinja --context " + base + ".json --now 0").out,
            "1970 x");
  std::ofstream(base + ".json")
      << R"({"messages": [{"role": "user", "content": "hi"}], "add_generation_prompt": true})";
  EXPECT_THAT(orrery("template demo --context " + base + ".json").out, HasSubstr("hi"));
}

TEST(Cli, InspectSaysWhatIsThereAndWhetherItFits) {
  const Json json = json_of(orrery("inspect demo --json --tensors"));
  EXPECT_EQ(json["format"], "safetensors");
  EXPECT_EQ(json["architecture"]["model_type"], "llama");
  EXPECT_TRUE(json["memory"]["fits"].get<bool>());
  EXPECT_EQ(json["tensor_list"].size(), json["tensors"].get<size_t>());
  EXPECT_THAT(orrery("inspect demo").out, HasSubstr("fits"));
}

TEST(Cli, EveryCheckpointOfTheSharedDataIsInspectedAndRun) {
  SKIP_WITHOUT_DATA();
  const std::string models = test_data_dir() + "/models/";
  std::vector<std::string> runnable = {models + "tinystories-656k"};
  for (const auto& entry : std::filesystem::directory_iterator(models + "tinystories-656k/gguf"))
    runnable.push_back(entry.path());
  for (const std::string& model : runnable) {
    EXPECT_TRUE(json_of(orrery("inspect --json '" + model + "'"))["supported"].get<bool>())
        << model;
    EXPECT_EQ(
        json_of(orrery("run '" + model + "' -p 'Lily' --max-tokens 4 --json"))["token_ids"].size(),
        4u)
        << model;
  }
  for (const auto& entry : std::filesystem::directory_iterator(models + "safetensors-tiny")) {
    EXPECT_GT(
        json_of(orrery("inspect --json '" + entry.path().string() + "'"))["tensors"].get<int>(), 0)
        << entry.path();
    EXPECT_EQ(orrery("run '" + entry.path().string() + "' -p x").exit_code, 1) << entry.path();
  }
}

TEST(Cli, BenchmarksPrintWhatTheContractNames) {
  const Json latency =
      json_of(orrery("bench latency demo --rounds 1 --prompt-tokens 32 --decode-tokens 4 --depth 0 "
                     "--depth 64 --json"));
  for (const char* key : {"model", "format", "threads", "isa", "limits", "prefill_tokens_per_s",
                          "prefill_flops_fraction", "decode_tokens_per_s",
                          "decode_bandwidth_fraction", "time_to_first_token_s", "load_s"}) {
    EXPECT_TRUE(latency.contains(key)) << key;
  }
  EXPECT_GT(latency["limits"]["read_bytes_per_s"].get<double>(), 1e8);
  EXPECT_EQ(latency["decode"].size(), 2u);
  const Json kernels = json_of(orrery("bench kernels --filter q4_0 --rounds 1 --seconds 0 --json"));
  EXPECT_GT(kernels["limits"]["flops_f32"].get<double>(), 1e7);
  EXPECT_TRUE(kernels["limits"].contains("flops_bf16"));
  EXPECT_TRUE(kernels["limits"].contains("ops_int8"));
  ASSERT_EQ(kernels["kernels"].size(), 4u);
  EXPECT_EQ(kernels["kernels"][0]["name"], "matmul q4_0");
  for (const Json& kernel : kernels["kernels"]) {
    EXPECT_EQ(kernel["isa"], kernels["isa"]);
    EXPECT_GT(kernel["seconds"].get<double>(), 0);
    EXPECT_GT(kernel["fraction_of_limit"].get<double>(), 0);
  }
  const Json throughput =
      json_of(orrery("bench throughput demo --rounds 1 --prompt-tokens 16 --output-tokens 8 "
                     "--batch 1 --batch 5 --json"));
  ASSERT_EQ(throughput["throughput"].size(), 2u);
  EXPECT_EQ(throughput["throughput"][1]["batch"], 5);
  EXPECT_GT(throughput["throughput"][1]["total_tokens_per_s"].get<double>(), 0);
}

TEST(Cli, BenchThroughputServesATraceAndSaysWhatItClipped) {
  const std::string trace = testing::TempDir() + "orrery_trace_" + std::to_string(getpid());
  std::ofstream(trace) << R"({"timestamp":0,"input_length":520,"output_length":4,"hash_ids":[1,2]})"
                       << "\n"
                       << R"({"timestamp":9,"input_length":600,"output_length":4,"hash_ids":[1,3]})"
                       << "\n"
                       << R"({"timestamp":9,"input_length":10,"output_length":900,"hash_ids":[4]})"
                       << "\n";
  const Json json = json_of(
      orrery("bench throughput demo --json --length-scale 0.125 --max-len 80 --trace " + trace));
  EXPECT_EQ(json["trace"]["format"], "mooncake");
  EXPECT_EQ(json["trace"]["requests"], 3);
  EXPECT_EQ(json["trace"]["requests_clipped"], 1);
  EXPECT_EQ(json["trace"]["tokens_clipped"], 34);
  EXPECT_EQ(json["prompt_tokens"], 65 + 75 + 1);
  EXPECT_EQ(json["output_tokens"], 1 + 1 + 79);
  EXPECT_NEAR(json["prefix_hit_rate"].get<double>(), 64.0 / 141, 1e-9);
  EXPECT_EQ(json["preemptions"], 0);
  for (const char* key : {"time_to_first_token_s", "time_between_tokens_s"}) {
    EXPECT_GT(json[key]["p50"].get<double>(), 0) << key;
    EXPECT_GE(json[key]["p99"], json[key]["p50"]) << key;
  }
  EXPECT_GT(json["kv"]["in_use_peak"].get<double>(), 0);
  std::filesystem::remove(trace);
}

struct BadCase {
  std::string arguments;
  int exit_code;
  std::string message;
};

TEST(Cli, BadInputGetsAnExitCodeAndAMessage) {
  const std::string pickle = testing::TempDir() + "orrery_pickle";
  std::filesystem::create_directories(pickle);
  std::ofstream(pickle + "/pytorch_model.bin") << "x";
  std::ofstream(pickle + "/config.json") << "{}";
  const std::vector<BadCase> cases = {
      {"", 2, "usage"},
      {"runn", 2, "did you mean run?"},
      {"run --max-token 3", 2, "did you mean --max-tokens?"},
      {"run --max_tokens 0", 2, "expected an integer from 1"},
      {"run --temperature nan", 2, "--temperature"},
      {"run a b", 2, "expected at most 1 argument"},
      {"run --json --stages -p x", 2, "expected --json or --stages"},
      {"run /no/such/model -p x", 1, "/no/such/model"},
      {"run " + pickle + " -p x", 1, "safetensors"},
      {"run -p x --cpu-isa sse9", 1, "sse9"},
      {"run -p x --activation-bits 4", 2, "expected one of 8, 16"},
      {"run -p '' --json", 0, ""},  // the tokenizer adds a first token
      {"run -p x --max-model-len 1", 1, "max_model_len"},
      {"run -p x --top-p 0", 1, "top_p"},
      {"run synthetic:no-such -p x", 1, "llama-3.2-1b"},
      {"run -p x --chat-template /no/such", 1, "/no/such"},
      {"inspect /dev/null", 1, "/dev/null"},
      {"template", 2, "--context"},
      {"bench nonsense", 2, "latency, throughput"},
      {"bench kernels --filter nothing", 1, "nothing"},
      {"bench throughput --batch 0", 2, "--batch"},
      {"bench throughput --trace /dev/null", 1, "/dev/null"},
      {"bench throughput --trace /no/such", 1, "/no/such"},
      {"bench ablation --seconds -1", 2, "--seconds"},
      {"tokenize --decode /no/such", 1, "/no/such"},
  };
  for (const BadCase& c : cases) {
    const Outcome outcome = orrery(c.arguments);
    EXPECT_EQ(outcome.exit_code, c.exit_code) << c.arguments << "\n" << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(c.message)) << c.arguments;
  }
}

TEST(Cli, APromptThatIsTooLongIsRefusedWithTheNumbers) {
  std::string prompt;
  for (int i = 0; i < 5000; ++i) prompt += "word ";
  const Outcome outcome = orrery("run", prompt);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("max_model_len"));
}

TEST(Cli, InvalidUtf8IsReadAsReplacementCharacters) {
  const Outcome outcome = orrery("run --json --max-tokens 2", "ab\xFF\xC0");
  const Json json = json_of(outcome);
  EXPECT_EQ(json["token_ids"].size(), 2u);
}

TEST(Cli, DecodingIdsOutsideTheVocabularyIsAnError) {
  for (const char* ids : {"[-1]", "[2147483647]", "[9223372036854775808]", "[1, x]"}) {
    EXPECT_EQ(orrery("tokenize demo --decode", ids).exit_code, 1) << ids;
  }
}

// --- the cache of packed weights ---

constexpr const char* kModelOnDisk = ORRERY_SOURCE_DIR "/models/demo";

std::vector<std::filesystem::path> files_in(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none))
    paths.push_back(entry.path());
  return paths;
}

struct PackCacheFolder {
  std::string path = testing::TempDir() + "orrery_packs_" + std::to_string(getpid());
  std::string run(const std::string& flags = "", const std::string& before = "") {
    const Outcome outcome = orrery(fmt::format("run {} -p 'Once upon' --max-tokens 8 --json "
                                               "--logprobs 2 --pack-cache {} {}",
                                               kModelOnDisk, path, flags),
                                   "", before);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    err = outcome.err;
    return outcome.out;
  }
  ~PackCacheFolder() { std::filesystem::remove_all(path); }
  std::string err;
};

TEST(Cli, KeepsPackedWeightsAndAnswersTheSameFromThem) {
  PackCacheFolder folder;
  const std::string expected = folder.run("--no-pack-cache");
  EXPECT_FALSE(std::filesystem::exists(folder.path));
  EXPECT_EQ(folder.run(), expected);
  ASSERT_EQ(files_in(folder.path).size(), 1u);
  const auto file = files_in(folder.path)[0];
  EXPECT_EQ(std::filesystem::status(file).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(folder.run(), expected);
  EXPECT_EQ(folder.err, "");

  const std::string inspect =
      fmt::format("inspect {} --pack-cache {} --verify", kModelOnDisk, folder.path);
  EXPECT_EQ(json_of(orrery(inspect + " --json"))["packed"]["file"], file.string());
  {
    std::fstream bytes(file, std::ios::binary | std::ios::in | std::ios::out);
    bytes.seekp(5000);
    bytes.put('?');
  }
  EXPECT_EQ(orrery(inspect).exit_code, 1);
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  EXPECT_EQ(folder.run(), expected);
  EXPECT_EQ(orrery(inspect).exit_code, 0);
}

TEST(Cli, AFullDiskCostsOnlyThePackedWeights) {
  PackCacheFolder folder;
  const std::string expected = folder.run("--no-pack-cache");
  EXPECT_EQ(folder.run("", "ulimit -f 200;"), expected);  // 100 kB
  EXPECT_THAT(folder.err, HasSubstr("not kept"));
  EXPECT_TRUE(files_in(folder.path).empty());
}

}  // namespace
}  // namespace orrery
