// orrery bench NAME: one benchmark a file; here what they share.
#include "cli/bench.h"

#include <algorithm>
#include <map>

namespace orrery::cli {
namespace {

struct Benchmark {
  std::string_view name;
  int (*run)(Args);
};
constexpr Benchmark kBenchmarks[] = {{"latency", bench_latency_command},
                                     {"throughput", bench_throughput_command},
                                     {"serve", bench_serve_command},
                                     {"ablation", bench_ablation_command}};

}  // namespace

std::string bench_format(const llm::Llm& llm) {
  std::map<std::string, int64_t> bytes;
  for (const auto& tensor : llm.checkpoint().tensors()) bytes[tensor.dtype_name] += tensor.bytes;
  std::string best;
  for (const auto& [name, size] : bytes) {
    if (best.empty() || size > bytes[best]) best = name;
  }
  std::transform(best.begin(), best.end(), best.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return best;
}

OrderedJson bench_header(const EngineOptions& options, const llm::Llm& llm,
                         const kernels::cpu::MachineLimits& limits) {
  OrderedJson json;
  json["model"] = options.llm.model;
  json["format"] = bench_format(llm);
  json["threads"] = options.threads;
  json["isa"] = llm.kernels().name();
  // null: no table of kernels has such instructions.
  json["limits"] = {{"read_bytes_per_s", limits.read_bytes_per_s},
                    {"flops_f32", limits.fp32_flops_per_s},
                    {"flops_bf16", nullptr},
                    {"ops_int8", nullptr}};
  return json;
}

int bench_command(Args args) {
  if (args.empty() || args[0] == "--help" || args[0] == "-h") {
    fmt::print(
        "usage: orrery bench {{latency|throughput|serve|ablation}} [MODEL] [flags]   (orrery bench "
        "latency "
        "--help)\n");
    return args.empty() ? kUsage : kDone;
  }
  std::vector<std::string> names;
  for (const Benchmark& benchmark : kBenchmarks) {
    if (benchmark.name == args[0]) return benchmark.run(args.subspan(1));
    names.emplace_back(benchmark.name);
  }
  return report("bench",
                invalid_argument("expected one of {}, got \"{}\"", fmt::join(names, ", "), args[0]),
                kUsage);
}

}  // namespace orrery::cli
