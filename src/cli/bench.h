// The benchmarks of `orrery bench`. Each returns an exit code as a command does.
#pragma once

#include "cli/commands.h"

namespace orrery::cli {

int bench_latency_command(Args args);

}  // namespace orrery::cli
