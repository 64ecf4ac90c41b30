// Kernels on the CPU: a table for one instruction set and a pool of threads.
#pragma once

#include <memory>
#include <string_view>

#include "base/status.h"
#include "kernels/cpu/paged_attention.h"
#include "kernels/cpu/table.h"
#include "kernels/kernels.h"

namespace orrery::kernels::cpu {

// `isa` as choose_table (isa.h): "" is the best that this CPU can run, or what ORRERY_CPU_ISA says.
// `num_threads` counts the caller; 0 is one per CPU that this process may use. Results do not
// depend on either. Errors: those of choose_table; kInvalidArgument for a negative or absurd number
// of threads.
//
struct CpuOptions {
  Activations activations = Activations::kTwoBytes;
  // kMaterialised is there to be measured: the same packed weights, and attention within rounding
  // of the definition instead of bit for bit.
  AttentionMethod attention = AttentionMethod::kFlash;
  bool bind_threads = false;  // each to a CPU (ThreadPool)
};
Result<std::unique_ptr<Kernels>> make_cpu_kernels(std::string_view isa, int num_threads,
                                                  const CpuOptions& options = {});

// The same with a table given, which the CPU must be able to run.
std::unique_ptr<Kernels> make_cpu_kernels(const CpuTable& table, int num_threads,
                                          const CpuOptions& options = {});

}  // namespace orrery::kernels::cpu
