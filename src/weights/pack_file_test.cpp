#include "weights/pack_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "weights/pack_folder.h"

namespace orrery::weights {
namespace {

constexpr PackKey kKey = {7, 9};

class PackFileTest : public testing::Test {
 protected:
  PackFileTest() : path_(testing::TempDir() + "pack_" + std::to_string(::getpid())) {
    for (size_t i = 0; i < matrix_.size(); ++i) matrix_[i] = static_cast<std::byte>(i * 7);
    write();
  }
  ~PackFileTest() override { ::unlink(path_.c_str()); }

  void write() {
    const Descriptor file(::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600));
    PackFileWriter writer(file.get());
    EXPECT_TRUE(writer.add("a.weight", DType::kQ4_0, 32, 32, matrix_).ok());
    EXPECT_TRUE(writer.add("b.bias", DType::kF32, 3, 0, std::span(matrix_).first(12)).ok());
    EXPECT_TRUE(writer.finish(kKey).ok());
  }
  std::string read() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void put(size_t at, char value) const {
    std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(value);
  }
  Status open(const PackKey& key = kKey) const { return PackFile::open(path_, key).status(); }

  std::string path_;
  std::vector<std::byte> matrix_ = std::vector<std::byte>(576);
};

TEST_F(PackFileTest, GivesBackWhatWasAdded) {
  const auto file = PackFile::open(path_, kKey);
  ASSERT_TRUE(file.ok()) << file.status().message();
  const PackedTensor* matrix = file->find("a.weight");
  ASSERT_NE(matrix, nullptr);
  EXPECT_EQ(matrix->dtype, DType::kQ4_0);
  EXPECT_EQ(matrix->n, 32);
  EXPECT_EQ(matrix->k, 32);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(matrix->bytes.data()) % 4096, 0u);
  EXPECT_TRUE(
      std::equal(matrix_.begin(), matrix_.end(), matrix->bytes.begin(), matrix->bytes.end()));
  ASSERT_NE(file->find("b.bias"), nullptr);
  EXPECT_EQ(file->find("b.bias")->bytes.size(), 12u);
  EXPECT_EQ(file->find("c"), nullptr);
  EXPECT_TRUE(file->verify().ok());
}

// Bytes of files in this process's memory.
int64_t resident_file_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t kib = 0;
    if (word == "RssFile:" && status >> kib) return kib * 1024;
  }
  return 0;
}

TEST_F(PackFileTest, IsBroughtIntoThisProcessButForWhatTheTokenizerNeedsForAMoment) {
  constexpr int64_t kBytes = int64_t{16} << 20, kLeft = PackFile::kLeftBytes;
  matrix_.resize(kBytes + kLeft);
  write();
  auto file = PackFile::open(path_, kKey);
  ASSERT_TRUE(file.ok()) << file.status().message();
  const int64_t before = resident_file_bytes();
  file->prefetch();
  int64_t populated = 0;
  for (int tries = 0; tries < 500 && populated < kBytes; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    populated = resident_file_bytes() - before;
  }
  EXPECT_GE(populated, kBytes);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_LT(resident_file_bytes() - before, kBytes + kLeft / 2);
}

TEST_F(PackFileTest, RefusesEveryTruncation) {
  for (size_t size = read().size(); size-- > 0;) {
    ASSERT_EQ(::truncate(path_.c_str(), static_cast<off_t>(size)), 0);
    ASSERT_EQ(open().code(), StatusCode::kMalformed) << size;
  }
}

TEST_F(PackFileTest, RefusesEveryFlippedByteOfHeaderAndTable) {
  const std::string whole = read();
  const size_t table = 4096 + 4096 + 12;  // behind two tensors
  ASSERT_EQ(whole.size(), table + 2 * 48 + std::string("a.weightb.bias").size());
  for (size_t at = 0; at < whole.size(); at = at == 79 ? table : at + 1) {
    put(at, static_cast<char>(whole[at] ^ 0x10));
    ASSERT_EQ(open().code(), StatusCode::kMalformed) << at;
    put(at, whole[at]);
  }
  EXPECT_TRUE(open().ok());
}

TEST_F(PackFileTest, RefusesAnotherKeyAndWhatIsNotOne) {
  EXPECT_EQ(open({7, 10}).code(), StatusCode::kMalformed);
  EXPECT_EQ(open({8, 9}).code(), StatusCode::kMalformed);
  std::ofstream(path_, std::ios::binary) << std::string(20000, 'x');
  EXPECT_EQ(open().code(), StatusCode::kMalformed);
  ::unlink(path_.c_str());
  EXPECT_EQ(open().code(), StatusCode::kNotFound);
}

TEST_F(PackFileTest, AFlippedBitOfATensorIsFoundByVerify) {
  put(4096 + 100, static_cast<char>(read()[4096 + 100] ^ 1));
  const auto file = PackFile::open(path_, kKey);
  ASSERT_TRUE(file.ok());
  EXPECT_NE(file->verify().message().find("a.weight"), std::string::npos);
}

}  // namespace
}  // namespace orrery::weights
