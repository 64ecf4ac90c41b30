// orrery bench NAME: one benchmark a file.
#include "cli/bench.h"

#include "cli/commands.h"

namespace orrery::cli {

int bench_command(Args args) {
  if (args.empty() || args[0] == "--help" || args[0] == "-h") {
    fmt::print("usage: orrery bench latency [MODEL] [flags]   (orrery bench latency --help)\n");
    return args.empty() ? kUsage : kDone;
  }
  if (args[0] == "latency") return bench_latency_command(args.subspan(1));
  return report("bench",
                invalid_argument("expected the name of a benchmark (latency), got \"{}\"", args[0]),
                kUsage);
}

}  // namespace orrery::cli
