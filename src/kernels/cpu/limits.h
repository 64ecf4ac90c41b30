// What this machine can do at most with a table's instructions, measured in the run: the
// denominators of "fraction of the limit".
#pragma once

#include <cstdint>

#include "base/status.h"
#include "kernels/cpu/table.h"

namespace orrery::kernels::cpu {

struct MachineLimits {
  int num_threads;
  double read_bytes_per_s;  // from memory, all threads together
  double fp32_flops_per_s;  // fused multiply-adds (2 each) in registers, all threads together
  // Of the table's dot products of bf16 and of 8-bit numbers, likewise; 0 where it has none.
  double bf16_flops_per_s = 0;
  double int8_ops_per_s = 0;
};

// Takes some 0.4 s. `buffer_bytes` is read from front to back by all threads, each its own share,
// and should be several times the last-level cache; the best of a few rounds counts, so that a busy
// neighbour lowers the result less. The table must be one that the CPU can run. Errors:
// kInvalidArgument (no threads), kResourceExhausted (the buffer).
Result<MachineLimits> measure_limits(const CpuTable& table, int num_threads,
                                     int64_t buffer_bytes = int64_t{256} << 20);

}  // namespace orrery::kernels::cpu
