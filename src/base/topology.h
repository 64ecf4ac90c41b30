// Which CPUs and which memory the process may use.
//
// On a machine whose sockets have memory of their own (NUMA), a page lies on the node of the thread
// that touched it first, or that read it from the disk. Weights are read in by one thread, and any
// thread takes any part of them later (ThreadPool): a single node's channels would serve all. Pages
// in turn on every node use the channels of all of them.
#pragma once

#include <string>
#include <vector>

namespace orrery {

// Numbers of the CPUs that the calling thread may run on; empty where the system does not say.
std::vector<int> usable_cpus();

// Nodes that have at least one of the CPUs, in order. `folder` is laid out as Linux's
// /sys/devices/system/node (node0/cpu3); empty where there is none.
std::vector<int> nodes_of(const std::vector<int>& cpus,
                          const std::string& folder = "/sys/devices/system/node");

// Has pages that the calling thread touches first, or brings into the page cache, lie on these
// nodes in turn; threads that it starts from now on inherit that. Returns whether that is so now:
// not with fewer than two nodes, where the thread has a policy already (numactl), or where the
// system refuses, which is logged.
bool interleave_memory(const std::vector<int>& nodes);

}  // namespace orrery
