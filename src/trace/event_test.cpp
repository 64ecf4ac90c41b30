#include "trace/event.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace orrery::trace {
namespace {

TEST(Event, NamesEveryKindAndReasonOnce) {
  std::set<std::string_view> names;
  for (int kind = 1; kind <= kMaxEventKind; ++kind) {
    names.insert(name_of(static_cast<EventKind>(kind)));
  }
  EXPECT_EQ(names.size(), kMaxEventKind);
  EXPECT_EQ(names.count("unknown"), 0U);
  names.clear();
  for (int reason = 1; reason <= kMaxReason; ++reason) {
    names.insert(name_of(static_cast<Reason>(reason)));
  }
  EXPECT_EQ(names.size(), kMaxReason);
  EXPECT_EQ(names.count("unknown"), 0U);
  EXPECT_EQ(name_of(static_cast<EventKind>(kMaxEventKind + 1)), "unknown");
}

}  // namespace
}  // namespace orrery::trace
