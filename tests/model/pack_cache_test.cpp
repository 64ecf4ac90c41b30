// A model whose packed weights come from the cache computes the same bits, whatever happened to the
// cache before.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/random.h"
#include "model/loaded_model.h"

namespace orrery {
namespace {

namespace fs = std::filesystem;

class PackCacheTest : public testing::Test {
 protected:
  PackCacheTest() : folder_(testing::TempDir() + "pack_cache_" + std::to_string(::getpid())) {
    fs::create_directory(folder_);
    options_.folder = folder_ + "/cache";
    options_.min_bytes = 0;
  }
  ~PackCacheTest() override { fs::remove_all(folder_); }

  std::vector<float> logits(const std::string& path, const weights::PackCacheOptions& options,
                            std::optional<DType> quantise_to = {}) {
    const auto kernels = make_kernels_for_test("reference", 1);
    const auto checkpoint = weights::Checkpoint::open(path);
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    auto config = model::parse_model_config(checkpoint->config(), path);
    EXPECT_TRUE(config.ok()) << config.status().message();
    config->max_model_len = 64;
    const auto cache = weights::PackCache::open(*checkpoint, *kernels, quantise_to, options);
    wrote_ = cache != nullptr && cache->writing();
    const auto model =
        model::load_model(*checkpoint, *config, *kernels, {}, quantise_to, cache.get());
    EXPECT_TRUE(model.ok()) << model.status().message();
    source_pages_kb_ = resident_kb(path);
    auto runner = engine::Runner::create(**model, *kernels, DType::kF32, 16);
    EXPECT_TRUE(runner.ok());
    const std::vector<int32_t> ids = {1, 5, 9, 17, 3, 44, 2, 8};
    const auto result = runner->append(ids, engine::LogitsOf::kEveryToken);
    EXPECT_TRUE(result.ok());
    return {result->f32().begin(), result->f32().end()};
  }
  std::vector<float> without(const std::string& path, std::optional<DType> quantise_to = {}) {
    return logits(path, {}, quantise_to);
  }
  std::vector<float> with(const std::string& path, std::optional<DType> quantise_to = {}) {
    return logits(path, options_, quantise_to);
  }

  // Of the mapping of a file, what this process has touched (/proc/self/smaps).
  static int64_t resident_kb(const std::string& path) {
    std::ifstream maps("/proc/self/smaps");
    bool inside = false;
    int64_t sum = 0;
    for (std::string line; std::getline(maps, line);) {
      if (line.find(" r--p ") != std::string::npos || line.find(" rw-p ") != std::string::npos)
        inside = line.ends_with(path);
      if (inside && line.starts_with("Rss:")) sum += std::stoll(line.substr(4));
    }
    return sum;
  }
  std::vector<std::string> files() const {
    std::vector<std::string> paths;
    for (const auto& entry : fs::directory_iterator(options_.folder))
      paths.push_back(entry.path().string());
    return paths;
  }
  // A process of its own that loads the model with the cache. It ends with 0 if the logits are
  // `expected`.
  pid_t start_another(const std::string& path, const std::vector<float>& expected) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(with(path) == expected ? 0 : 1);
    return child;
  }
  static int wait_for(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::string folder_;
  weights::PackCacheOptions options_;
  bool wrote_ = false;
  int64_t source_pages_kb_ = 0;
};

const std::string kGguf = golden_models_dir() + "/gguf/llama2-q4_0.gguf";

TEST_F(PackCacheTest, GivesTheSameBitsWhenWrittenAndWhenMapped) {
  const std::pair<std::string, std::optional<DType>> kCases[] = {
      {kGguf, {}},
      {golden_models_dir() + "/gguf/mistral-q8_0-00001-of-00002.gguf", {}},
      {golden_models_dir() + "/gguf/qwen2_5-bf16.gguf", DType::kQ4_0},
      {golden_models_dir() + "/qwen3", {}},
      {golden_models_dir() + "/qwen3", DType::kQ8_0},
  };
  size_t num_files = 0;
  for (const auto& [path, quantise_to] : kCases) {
    SCOPED_TRACE(path);
    const std::vector<float> expected = without(path, quantise_to);
    EXPECT_FALSE(wrote_);
    EXPECT_EQ(with(path, quantise_to), expected);
    EXPECT_TRUE(wrote_);
    EXPECT_EQ(files().size(), ++num_files);
    EXPECT_EQ(with(path, quantise_to), expected);
    EXPECT_FALSE(wrote_);
    EXPECT_EQ(files().size(), num_files);
  }
}

TEST_F(PackCacheTest, AMappedModelDoesNotReadTheCheckpointsWeights) {
  const std::string path = golden_models_dir() + "/gguf/llama_linear-f32.gguf";  // 796 kB
  with(path);
  ASSERT_TRUE(wrote_);
  EXPECT_GT(source_pages_kb_, 600);
  with(path);
  ASSERT_FALSE(wrote_);
  EXPECT_LT(source_pages_kb_, 300);
}

TEST_F(PackCacheTest, IsWrittenAnewWhenTheCheckpointChanges) {
  const std::string path = folder_ + "/model.gguf";
  fs::copy_file(kGguf, path);
  with(path);
  const auto time = fs::last_write_time(path);
  {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(-1000, std::ios::end);  // scales and numbers of the last tensor
    for (int i = 0; i < 900; ++i) file.put(static_cast<char>(i % 16));
  }
  fs::last_write_time(path, time);  // same size, same time of modification
  const std::vector<float> expected = without(path);
  EXPECT_NE(expected, without(kGguf));
  EXPECT_EQ(with(path), expected);
  EXPECT_TRUE(wrote_);
  EXPECT_EQ(with(path), expected);
  EXPECT_FALSE(wrote_);
  EXPECT_EQ(files().size(), 1u);
}

TEST_F(PackCacheTest, IsWrittenAnewWhenItIsDamaged) {
  const std::vector<float> expected = with(kGguf);
  const std::string pack = files().at(0);
  const auto size = static_cast<int64_t>(fs::file_size(pack));
  for (const int64_t at : {int64_t{0}, int64_t{9}, int64_t{20}, size - 1}) {
    {
      std::fstream file(pack, std::ios::binary | std::ios::in | std::ios::out);
      file.seekg(at);
      const int byte = file.get();
      file.seekp(at);
      file.put(static_cast<char>(byte ^ 1));
    }
    EXPECT_EQ(with(kGguf), expected) << at;
    EXPECT_TRUE(wrote_) << at;
  }
  for (const int64_t left : {int64_t{0}, size / 2, size - 1}) {
    fs::resize_file(pack, static_cast<uintmax_t>(left));
    EXPECT_EQ(with(kGguf), expected) << left;
    EXPECT_TRUE(wrote_) << left;
  }
  EXPECT_EQ(with(kGguf), expected);
  EXPECT_FALSE(wrote_);
}

TEST_F(PackCacheTest, AKillAtAnyMomentLeavesNothingThatHarms) {
  const std::vector<float> expected = without(kGguf);
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(wait_for(start_another(kGguf, expected)), 0);
  const auto whole = std::chrono::steady_clock::now() - start;
  int killed = 0;
  for (uint64_t i = 0; i < 25; ++i) {
    for (const std::string& path : files())
      if (path.ends_with(".pack")) fs::remove(path);
    const pid_t child = start_another(kGguf, expected);
    std::this_thread::sleep_for(whole * uniform_double(1, i));
    ::kill(child, SIGKILL);
    killed += wait_for(child) == -1 ? 1 : 0;
    const bool exists = fs::exists(options_.folder);
    EXPECT_LE(exists ? files().size() : 0, 1u);  // whole, or half and aside
    EXPECT_EQ(with(kGguf), expected);
    EXPECT_EQ(files().size(), 1u);
    EXPECT_TRUE(files().at(0).ends_with(".pack"));
  }
  EXPECT_GT(killed, 0);
}

TEST_F(PackCacheTest, ProcessesThatStartAtOnceWriteOneFile) {
  const std::vector<float> expected = without(kGguf);
  for (int round = 0; round < 5; ++round) {
    fs::remove_all(options_.folder);
    std::vector<pid_t> children;
    for (int i = 0; i < 4; ++i) children.push_back(start_another(kGguf, expected));
    for (const pid_t child : children) EXPECT_EQ(wait_for(child), 0);
    EXPECT_EQ(files().size(), 1u);
    EXPECT_EQ(with(kGguf), expected);
    EXPECT_FALSE(wrote_);
  }
}

TEST_F(PackCacheTest, WithoutAUsableFolderTheModelLoadsAllTheSame) {
  const std::vector<float> expected = without(kGguf);
  fs::create_directory(options_.folder);
  fs::permissions(options_.folder, fs::perms::all);  // anyone may write
  EXPECT_EQ(with(kGguf), expected);
  EXPECT_TRUE(files().empty());
  fs::remove(options_.folder);
  std::ofstream(options_.folder) << "a file";
  EXPECT_EQ(with(kGguf), expected);
  options_.folder = "/proc/orrery";
  EXPECT_EQ(with(kGguf), expected);
}

TEST_F(PackCacheTest, KeepsToItsBoundAndLeavesSmallModelsAlone) {
  const std::vector<float> expected = with(kGguf);
  const std::string first = files().at(0);
  const auto size = static_cast<int64_t>(fs::file_size(first));
  options_.max_bytes = size / 2;
  fs::remove(first);
  EXPECT_EQ(with(kGguf), expected);
  EXPECT_TRUE(files().empty());
  options_.max_bytes = 3 * size / 2;  // room for one
  with(kGguf);
  ASSERT_EQ(files().size(), 1u);
  with(golden_models_dir() + "/gguf/llama2-q4_1.gguf");
  EXPECT_EQ(files().size(), 1u);
  EXPECT_NE(files().at(0), first);
  options_.min_bytes = 100 * size;
  with(kGguf);
  EXPECT_FALSE(wrote_);
}

}  // namespace
}  // namespace orrery
