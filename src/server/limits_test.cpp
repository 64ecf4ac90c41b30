#include "server/limits.h"

#include <gtest/gtest.h>

#include "server/health.h"
#include "server/http_auth.h"

namespace orrery::server {
namespace {

using namespace std::chrono_literals;
using Verdict = Admission::Verdict;
const Admission::Clock::time_point kStart = Admission::Clock::time_point(1h);

TEST(Admission, HoldsTheServerAndEachKeyToTheirLimits) {
  Admission admission({.max_requests = 3, .max_requests_per_key = 2});
  EXPECT_EQ(admission.enter(1, kStart).verdict, Verdict::kAdmitted);
  EXPECT_EQ(admission.enter(1, kStart).verdict, Verdict::kAdmitted);
  EXPECT_EQ(admission.enter(1, kStart).verdict, Verdict::kKeyFull);
  EXPECT_EQ(admission.enter(2, kStart).verdict, Verdict::kAdmitted);
  EXPECT_EQ(admission.enter(2, kStart).verdict, Verdict::kServerFull);
  admission.leave(1);
  EXPECT_EQ(admission.enter(2, kStart).verdict, Verdict::kAdmitted);
  EXPECT_EQ(admission.num_requests(), 3);
}

TEST(Admission, LetsAMinutesRequestsComeAtOnceAndThenAtTheirRate) {
  Admission admission({.requests_per_minute_per_key = 6});
  int admitted = 0;
  while (admission.enter(1, kStart).verdict == Verdict::kAdmitted) {
    admission.leave(1);
    ++admitted;
  }
  EXPECT_EQ(admitted, 6);
  EXPECT_EQ(admission.check(1, kStart).retry_after_seconds, 10);
  EXPECT_EQ(admission.check(1, kStart + 9s).verdict, Verdict::kKeyTooFast);
  EXPECT_EQ(admission.enter(1, kStart + 10s).verdict, Verdict::kAdmitted);
  EXPECT_EQ(admission.check(1, kStart + 10s).verdict, Verdict::kKeyTooFast);
  EXPECT_EQ(admission.check(2, kStart).verdict, Verdict::kAdmitted);
}

TEST(EngineHealth, TellsAFrozenEngineFromABusyOneAndAnIdleOne) {
  EngineHealth health(10s);
  health.observe(5, false, kStart);
  health.observe(5, false, kStart + 1h);  // idle
  EXPECT_TRUE(health.alive());
  for (int i = 0; i < 100; ++i)
    health.observe(6 + static_cast<uint64_t>(i), true, kStart + 1h + i * 9s);
  EXPECT_TRUE(health.alive());  // busy
  health.observe(105, true, kStart + 2h);
  EXPECT_FALSE(health.alive());
  health.observe(106, true, kStart + 2h + 1s);  // and back
  EXPECT_TRUE(health.alive());
}

TEST(KeyRing, FindsKeysAndNothingElse) {
  const auto ring = KeyRing::from_text("# two\nfirst-key-1\r\n\nsecond-key\n", "keys");
  ASSERT_TRUE(ring.ok()) << ring.status().message();
  EXPECT_EQ(ring->find("Bearer first-key-1"), 1u);
  EXPECT_EQ(ring->find("bearer second-key"), 2u);
  EXPECT_EQ(ring->find("Basic dXNlcjpzZWNvbmQta2V5"), 2u);  // user:second-key
  for (const char* wrong :
       {"", "Bearer", "Bearer ", "first-key-1", "Basic first-key-1", "Basic",
        "Basic ====", "Basic dXNlcg==", "Bearer first-key-", "Bearer first-key-11",
        "Bearer FIRST-KEY-1", "Bearer  first-key-1", "Bearer # two", "Digest first-key-1"}) {
    EXPECT_EQ(ring->find(wrong), 0u) << wrong;
  }
}

TEST(KeyRing, RefusesKeysThatProtectNothing) {
  EXPECT_FALSE(KeyRing::from_text("", "keys").ok());
  EXPECT_FALSE(KeyRing::from_text("# only\n", "keys").ok());
  EXPECT_FALSE(KeyRing::from_text("short\n", "keys").ok());
  EXPECT_FALSE(KeyRing::from_text("with a blank\n", "keys").ok());
}

}  // namespace
}  // namespace orrery::server
