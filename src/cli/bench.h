// The benchmarks of `orrery bench`. Each returns an exit code as a command does.
#pragma once

#include <string>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "kernels/cpu/limits.h"

namespace orrery::cli {

int bench_kernels_command(Args args);
int bench_latency_command(Args args);
int bench_throughput_command(Args args);
int bench_serve_command(Args args);
int bench_ablation_command(Args args);

// The dtype that most of the weights have, in lower case: "bf16", "q4_k".
std::string bench_format(const llm::Llm& llm);

// Of a list that is not empty; of an even number, the upper one of the two in the middle.
double median(std::vector<double> values);

// null for dot products that the CPU has not.
OrderedJson limits_json(const kernels::cpu::MachineLimits& limits);

// What every benchmark's JSON begins with: model, format, threads, isa, limits.
OrderedJson bench_header(const EngineOptions& options, const llm::Llm& llm,
                         const kernels::cpu::MachineLimits& limits);

}  // namespace orrery::cli
