#include "trace/event_ring.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace orrery::trace {
namespace {

Event numbered(int32_t n) {
  return {static_cast<uint64_t>(n), 7, EventKind::kChunk, Reason::kNone, 0, {n, n, n, n}};
}

TEST(EventRing, KeepsNothingWhileNobodyReads) {
  EventRing ring(8);
  EXPECT_FALSE(ring.wanted());
  ring.write(numbered(1));
  EventRing::Reader reader = ring.reader();
  EXPECT_TRUE(ring.wanted());
  std::vector<Event> out(8);
  EXPECT_EQ(reader.read(out).count, 0U);
}

TEST(EventRing, IsNotWantedAfterItsLastReaderLeft) {
  EventRing ring(8);
  {
    EventRing::Reader first = ring.reader();
    EventRing::Reader moved = std::move(first);
    EXPECT_TRUE(ring.wanted());
  }
  EXPECT_FALSE(ring.wanted());
}

TEST(EventRing, GivesEachReaderAllEventsInOrder) {
  EventRing ring(8);
  EventRing::Reader a = ring.reader();
  ring.write(numbered(1));
  EventRing::Reader b = ring.reader();
  ring.write(numbered(2));
  std::vector<Event> out(8);
  ASSERT_EQ(a.read(out).count, 2U);
  EXPECT_EQ(out[0], numbered(1));
  EXPECT_EQ(out[1], numbered(2));
  ASSERT_EQ(b.read(out).count, 1U);
  EXPECT_EQ(out[0], numbered(2));
  EXPECT_EQ(b.read(out).count, 0U);
}

TEST(EventRing, TellsALaggingReaderHowManyEventsItLost) {
  EventRing ring(8);
  EventRing::Reader reader = ring.reader();
  for (int32_t n = 1; n <= 20; ++n) ring.write(numbered(n));
  std::vector<Event> out(32);
  const auto read = reader.read(out);
  EXPECT_EQ(read.lost, 12U);
  ASSERT_EQ(read.count, 8U);
  EXPECT_EQ(out[0], numbered(13));
  EXPECT_EQ(out[7], numbered(20));
}

// Torn events would have unequal fields; a miscount would not add up.
TEST(EventRing, NeverGivesATornEventToAReaderOnAnotherThread) {
  EventRing ring(64);
  EventRing::Reader reader = ring.reader();
  constexpr int32_t kEvents = 200'000;
  std::thread producer([&ring] {
    for (int32_t n = 1; n <= kEvents; ++n) ring.write(numbered(n));
  });
  std::vector<Event> out(16);
  int64_t seen = 0;
  int64_t lost = 0;
  while (seen + lost < kEvents) {
    const auto read = reader.read(out);
    lost += static_cast<int64_t>(read.lost);
    for (size_t i = 0; i < read.count; ++i) {
      ++seen;
      ASSERT_EQ(out[i], numbered(static_cast<int32_t>(seen + lost)));
    }
  }
  producer.join();
  EXPECT_EQ(seen + lost, kEvents);
}

TEST(Tracer, AddsTheStep) {
  EventList list;
  Tracer trace(list);
  trace.set_step(5);
  trace(EventKind::kWaiting, 3, {10, 4}, Reason::kBlocks);
  ASSERT_EQ(list.events().size(), 1U);
  EXPECT_EQ(list.events()[0],
            (Event{5, 3, EventKind::kWaiting, Reason::kBlocks, 0, {10, 4, 0, 0}}));
}

}  // namespace
}  // namespace orrery::trace
