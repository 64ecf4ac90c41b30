// orrery bench NAME: one benchmark a file; here what they share.
#include "cli/bench.h"

#include <algorithm>
#include <map>

namespace orrery::cli {
std::span<const Command> benchmarks() {
  static constexpr Command kBenchmarks[] = {
      {"kernels", bench_kernels_command, "every kernel beside this machine's limits"},
      {"latency", bench_latency_command, "prefill and decoding of one request"},
      {"throughput", bench_throughput_command, "many requests at once, or those of a trace"},
      {"serve", bench_serve_command, "a running server under load"},
      {"ablation", bench_ablation_command, "what each technique is worth"}};
  return kBenchmarks;
}

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

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

OrderedJson limits_json(const kernels::cpu::MachineLimits& limits) {
  const auto or_null = [](double limit) { return limit > 0 ? OrderedJson(limit) : OrderedJson(); };
  return {{"read_bytes_per_s", limits.read_bytes_per_s},
          {"flops_f32", limits.fp32_flops_per_s},
          {"flops_bf16", or_null(limits.bf16_flops_per_s)},
          {"ops_int8", or_null(limits.int8_ops_per_s)}};
}

OrderedJson bench_header(const EngineOptions& options, const llm::Llm& llm,
                         const kernels::cpu::MachineLimits& limits) {
  OrderedJson json;
  json["model"] = options.llm.model;
  json["format"] = bench_format(llm);
  json["threads"] = options.threads;
  json["isa"] = llm.kernels().name();
  json["activation_bits"] = kernels::bits(llm.kernels().activations());
  json["limits"] = limits_json(limits);
  return json;
}

int bench_command(Args args) {
  std::vector<std::string_view> names;
  for (const Command& benchmark : benchmarks()) names.push_back(benchmark.name);
  const std::string_view name = args.empty() ? "" : args[0];
  if (name == "--help" || name == "-h") {
    return show_help(fmt::format("bench {{{}}} [MODEL] [flags]   (orrery bench {} --help)",
                                 fmt::join(names, "|"), names[0]),
                     {}, benchmarks());
  }
  if (const Command* benchmark = find_command(benchmarks(), name)) {
    return benchmark->run(args.subspan(1));
  }
  return report("bench",
                invalid_argument("expected one of {}, got \"{}\"", fmt::join(names, ", "), name),
                kUsage);
}

}  // namespace orrery::cli
