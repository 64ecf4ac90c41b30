// The instruction sets that CPU kernels are built for, and which of them this CPU can run.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "kernels/cpu/table.h"

namespace orrery::kernels::cpu {

struct Isa {
  std::string_view
      name;  // "amx", "avx512bf16", "avx512vnni", "avx512", "avxvnni", "avx2", "scalar"
  const CpuTable* table;
  std::string_view needs;  // CPU features, for messages
  bool usable;             // the CPU has them and the operating system saves their registers
};

// Every table that is built in, the best first; "scalar" is last and always usable. Asks the CPU
// once; safe from any thread.
std::span<const Isa> isas();

// The table named, or for an empty name the one that the environment variable ORRERY_CPU_ISA names,
// or else the best usable one. Errors: kInvalidArgument for an unknown name; kUnsupported for a
// table that this CPU cannot run.
Result<const CpuTable*> choose_table(std::string_view name);

}  // namespace orrery::kernels::cpu
