#include "trace/recorder.h"

#include <gtest/gtest.h>

namespace orrery::trace {
namespace {

Event event(uint64_t step) {
  Event e;
  e.step = step;
  return e;
}

TEST(Recorder, WritesWhatSeveralThreadsPutIntoTheRing) {
  const std::string path = testing::TempDir() + "recorder_test_threads";
  EventRing ring(1 << 14);
  ring.write(event(99));  // nobody reads yet
  auto recorder = Recorder::start(ring, path, "{}");
  ASSERT_TRUE(recorder.ok()) << recorder.status().message();
  std::vector<std::thread> producers;
  constexpr uint64_t kEach = 2000;
  for (uint32_t id = 1; id <= 4; ++id) {
    producers.emplace_back([&ring, id] {
      for (uint64_t i = 0; i < kEach; ++i) {
        Event e = event(i);
        e.request = id;
        e.value = {static_cast<int32_t>(i), static_cast<int32_t>(id)};
        ring.write(e);
      }
    });
  }
  for (std::thread& producer : producers) producer.join();
  ASSERT_TRUE((*recorder)->stop().ok());
  const auto file = read_event_file(path);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_TRUE(file->complete);
  ASSERT_EQ(file->events.size(), 4 * kEach);
  std::array<uint64_t, 5> next = {};
  for (const Event& e : file->events) {
    EXPECT_EQ(e.step, next[e.request]++);
    EXPECT_EQ(e.value[0], static_cast<int32_t>(e.step));
    EXPECT_EQ(e.value[1], static_cast<int32_t>(e.request));
  }
}

TEST(Recorder, EndsTheFileBeforeAGap) {
  const std::string path = testing::TempDir() + "recorder_test_gap";
  EventRing ring(16);
  auto recorder = Recorder::start(ring, path, "{}");
  ASSERT_TRUE(recorder.ok());
  // Faster than the recorder looks, whatever the machine does: many times the ring.
  for (uint64_t i = 0; i < 200'000; ++i) ring.write(event(i));
  const Status status = (*recorder)->stop();
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.message();
  const auto file = read_event_file(path);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_FALSE(file->complete);
  for (size_t i = 0; i < file->events.size(); ++i) EXPECT_EQ(file->events[i].step, i);
}

}  // namespace
}  // namespace orrery::trace
