// Does a model fit into this machine's memory? The numbers behind the verdict of `inspect`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "tensor/dtype.h"
#include "weights/checkpoint.h"

namespace orrery::weights {

// What this process may still use.
struct MemoryLimits {
  int64_t system_bytes = 0;             // MemAvailable of /proc/meminfo
  std::optional<int64_t> cgroup_bytes;  // the tightest limit above this process, less what is used
  int64_t available_bytes() const;      // the smaller one
  std::string source() const;           // which one that is, for messages
};
// Reads /proc and /sys/fs/cgroup (v1 and v2) below `root`. Errors: kIo, kMalformed (meminfo).
Result<MemoryLimits> read_memory_limits(const std::string& root = "/");

// What one token leaves in the KV cache.
struct KvShape {
  int64_t num_layers = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  DType dtype = DType::kBF16;
  int64_t bytes_per_token() const;  // keys and values of all layers
};

struct MemoryPlan {
  struct Weights {
    std::string dtype;  // as in the file
    int64_t tensors = 0;
    int64_t bytes = 0;
  };
  std::vector<Weights> weights;  // largest first
  int64_t weight_bytes = 0;
  int64_t kv_bytes_per_token = 0;
  int64_t context_tokens = 0;
  int64_t kv_bytes = 0;      // of one sequence of context_tokens
  int64_t needed_bytes = 0;  // weights and that
  int64_t available_bytes = 0;
  int64_t max_tokens = 0;  // of KV cache that fit beside the weights
  bool fits = false;
  std::string verdict;  // one sentence with the numbers
};

// Weights are repacked into memory of their own at about their size in the file; the mapped file
// itself can be dropped by the system and does not count.
MemoryPlan plan_memory(const Checkpoint& checkpoint, const KvShape& kv, int64_t context_tokens,
                       const MemoryLimits& limits);

// "1.5 GiB", "304 KiB"
std::string format_bytes(int64_t bytes);

}  // namespace orrery::weights
