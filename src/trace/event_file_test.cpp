#include "trace/event_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "trace/crc32.h"

namespace orrery::trace {
namespace {

using testing::HasSubstr;

class EventFileTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    path_ = testing::TempDir() + "/orrery_" + test->name() + ".events";
  }
  void TearDown() override { std::filesystem::remove(path_); }

  static Event event(int32_t n) {
    return {static_cast<uint64_t>(n), 1, EventKind::kChunk, Reason::kNone, 0, {n, 2, 3, 4}};
  }
  void write(int32_t count, bool close) {
    auto writer = EventFileWriter::create(path_, "{\"model\": \"demo\"}");
    ASSERT_TRUE(writer.ok()) << writer.status().message();
    for (int32_t n = 0; n < count; ++n) ASSERT_TRUE(writer->append(event(n)).ok());
    ASSERT_TRUE((close ? writer->close() : writer->flush()).ok());
  }
  std::vector<char> bytes() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static Result<EventFile> parse(std::span<const char> bytes) {
    return parse_event_file(std::as_bytes(bytes), "file");
  }
  std::string path_;
};

TEST(Crc32, GivesTheKnownAnswer) {
  EXPECT_EQ(crc32(std::as_bytes(std::span("123456789", 9))), 0xCBF43926U);
  EXPECT_EQ(crc32(std::as_bytes(std::span("6789", 4)), crc32(std::as_bytes(std::span("12345", 5)))),
            0xCBF43926U);
}

TEST_F(EventFileTest, ReadsBackWhatWasWritten) {
  write(10'000, true);
  const auto file = read_event_file(path_);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->metadata, "{\"model\": \"demo\"}");
  EXPECT_TRUE(file->complete);
  ASSERT_EQ(file->events.size(), 10'000U);
  for (int32_t n = 0; n < 10'000; ++n) ASSERT_EQ(file->events[n], event(n));
}

TEST_F(EventFileTest, ReadsTheWholeChunksOfAWriterThatWasStopped) {
  write(10, false);
  const auto file = read_event_file(path_);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_FALSE(file->complete);
  EXPECT_EQ(file->events.size(), 10U);
}

TEST_F(EventFileTest, RefusesEveryFileCutInsideAHeaderOrAChunk) {
  write(3, true);
  const std::vector<char> whole = bytes();
  const size_t header = 24 + std::strlen("{\"model\": \"demo\"}");
  const size_t chunk = header + 16 + 3 * sizeof(Event);
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto file = parse(std::span(whole).first(size));
    EXPECT_EQ(file.ok(), size == header || size == chunk) << size;
  }
}

TEST_F(EventFileTest, RefusesEveryFileWithOneByteChanged) {
  write(3, true);
  const std::vector<char> whole = bytes();
  for (size_t at = 0; at < whole.size(); ++at) {
    std::vector<char> broken = whole;
    broken[at] = static_cast<char>(broken[at] ^ 0x11);
    EXPECT_FALSE(parse(broken).ok()) << at;
  }
}

TEST_F(EventFileTest, RefusesBytesAfterTheEndMark) {
  write(3, true);
  std::vector<char> longer = bytes();
  longer.push_back(0);
  const auto file = parse(longer);
  ASSERT_FALSE(file.ok());
  EXPECT_THAT(file.status().message(), HasSubstr("end mark"));
}

TEST_F(EventFileTest, RefusesAnUnknownKindWithTheEventsNumber) {
  auto writer = EventFileWriter::create(path_, "");
  ASSERT_TRUE(writer.ok());
  Event unknown = event(0);
  unknown.kind = static_cast<EventKind>(200);
  ASSERT_TRUE(writer->append(event(0)).ok());
  ASSERT_TRUE(writer->append(unknown).ok());
  ASSERT_TRUE(writer->close().ok());
  const auto file = read_event_file(path_);
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.status().code(), StatusCode::kMalformed);
  EXPECT_THAT(file.status().message(), HasSubstr("event 1"));
}

TEST_F(EventFileTest, SaysWhyAFileCannotBeWritten) {
  const auto writer = EventFileWriter::create("/nonexistent/folder/file", "");
  ASSERT_FALSE(writer.ok());
  EXPECT_EQ(writer.status().code(), StatusCode::kIo);
}

}  // namespace
}  // namespace orrery::trace
