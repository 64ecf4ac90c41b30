#include "base/topology.h"

#include <gtest/gtest.h>
#include <linux/mempolicy.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace orrery {
namespace {

namespace fs = std::filesystem;

// A folder as /sys/devices/system/node: nodes 0 and 10 have two CPUs each, node 2 has memory alone.
class Topology : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) / ("orrery_nodes_" + std::to_string(getpid()));
    for (const char* name : {"node0/cpu0", "node0/cpu1", "node10/cpu2", "node10/cpu3", "node2",
                             "node/cpu0", "nodes/cpu0", "node-1/cpu0", "node1x/cpu0", "power"})
      fs::create_directories(root_ / name);
    std::ofstream(root_ / "online") << "0,2,10\n";
  }
  void TearDown() override { fs::remove_all(root_); }

  std::vector<int> of(const std::vector<int>& cpus) { return nodes_of(cpus, root_.string()); }
  fs::path root_;
};

TEST_F(Topology, NodesAreThoseWhoseCpusAreUsed) {
  EXPECT_EQ(of({0, 1, 2, 3}), (std::vector<int>{0, 10}));
  EXPECT_EQ(of({1}), std::vector<int>{0});
  EXPECT_EQ(of({2, 3}), std::vector<int>{10});
  EXPECT_TRUE(of({}).empty());
  EXPECT_TRUE(of({7}).empty());
  EXPECT_TRUE(nodes_of({0}, (root_ / "missing").string()).empty());
}

TEST(TopologyOfThisMachine, EveryNodeFoundIsListedBySysfs) {
  const std::vector<int> cpus = usable_cpus();
  ASSERT_FALSE(cpus.empty());
  for (const int node : nodes_of(cpus))
    EXPECT_TRUE(fs::exists("/sys/devices/system/node/node" + std::to_string(node)));
}

// The calling thread's policy and its first nodes; mode -1 where the system does not say.
struct Policy {
  int mode = -1;
  unsigned long nodes[16] = {};
};
Policy policy_now() {
  Policy policy;
  if (syscall(SYS_get_mempolicy, &policy.mode, policy.nodes, sizeof(policy.nodes) * 8, nullptr,
              0) != 0)
    policy.mode = -1;
  return policy;
}

// Runs `body` on a thread of its own, whose policy ends with it.
template <typename Body>
void on_a_thread(const Body& body) {
  std::thread(body).join();
}

TEST(InterleaveMemory, OneNodeIsLeftAsItIs) {
  on_a_thread([] {
    const int before = policy_now().mode;
    EXPECT_FALSE(interleave_memory({}));
    EXPECT_FALSE(interleave_memory({0}));
    EXPECT_EQ(policy_now().mode, before);
  });
}

// Node 1,000 does not exist: the system leaves it out, so that this runs on a machine with one.
TEST(InterleaveMemory, ThreadsStartedAfterwardsInheritIt) {
  const int before = policy_now().mode;
  on_a_thread([] {
    if (policy_now().mode != MPOL_DEFAULT) GTEST_SKIP() << "no policies here, or one is set";
    if (!interleave_memory({0, 1000})) GTEST_SKIP() << "the system refuses";
    on_a_thread([] {
      const Policy inherited = policy_now();
      EXPECT_EQ(inherited.mode, MPOL_INTERLEAVE);
      EXPECT_EQ(inherited.nodes[0], 1u);
    });
  });
  EXPECT_EQ(policy_now().mode, before) << "of the thread that asked alone";
}

TEST(InterleaveMemory, APolicyFromOutsideStays) {
  on_a_thread([] {
    const unsigned long node0 = 1;
    if (syscall(SYS_set_mempolicy, MPOL_BIND, &node0, sizeof(node0) * 8) != 0)
      GTEST_SKIP() << "the system refuses";
    EXPECT_FALSE(interleave_memory({0, 1000}));
    EXPECT_EQ(policy_now().mode, MPOL_BIND);
  });
}

TEST(InterleaveMemory, NodesThatDoNotExistAreRefused) {
  on_a_thread([] {
    const int before = policy_now().mode;
    EXPECT_FALSE(interleave_memory({1000, 1001}));
    EXPECT_EQ(policy_now().mode, before);
  });
}

}  // namespace
}  // namespace orrery
