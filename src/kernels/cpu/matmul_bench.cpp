// Matmul in every format and attention, with the machine's limits measured in the same run.
// Counters: bytes of weights (or of the cache) a second and FLOPs a second, each also as a fraction
// of the limit. ORRERY_CPU_ISA forces a table, ORRERY_THREADS the number of threads (default: all
// CPUs); with ORRERY_ACTIVATIONS=8 activations have 8 bits.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <thread>

#include "kernels/attention_for_tests.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/limits.h"
#include "kernels/packed.h"
#include "kernels/weights_for_tests.h"

namespace orrery::kernels::cpu {
namespace {

int num_threads() {
  const char* set = std::getenv("ORRERY_THREADS");
  return set != nullptr ? std::max(1, std::atoi(set))
                        : static_cast<int>(std::thread::hardware_concurrency());
}

const CpuTable& table() { return **choose_table(""); }

const MachineLimits& limits() {
  static const MachineLimits measured = measure_limits(table(), num_threads()).value();
  return measured;
}

Kernels& kernels() {
  const char* set = std::getenv("ORRERY_ACTIVATIONS");
  const bool byte = set != nullptr && std::string_view(set) == "8";
  static const auto object = make_cpu_kernels(
      table(), num_threads(), {.activations = byte ? Activations::kByte : Activations::kTwoBytes});
  return *object;
}

void report(benchmark::State& state, double bytes, double flops) {
  using benchmark::Counter;
  constexpr auto kRate = Counter::kIsIterationInvariantRate;
  state.counters["B/s"] = Counter(bytes, kRate);
  state.counters["of_read"] = Counter(bytes / limits().read_bytes_per_s, kRate);
  state.counters["FLOP/s"] = Counter(flops, kRate);
  state.counters["of_fma"] = Counter(flops / limits().fp32_flops_per_s, kRate);
}

// Decode cycles through matrices of 256 MB together, so that each is read from memory.
void matmul(benchmark::State& state, DType dtype) {
  const int64_t rows = state.range(0), n = 4096, k = 4096;
  const TestWeights weights(dtype, 32, k, 1);
  std::vector<PackedMatrix> matrices;
  const int64_t bytes = num_panels(n) * panel_bytes(dtype, k);
  const int64_t copies = rows >= 32 ? 1 : (int64_t{256} << 20) / bytes + 1;
  for (int64_t i = 0; i < copies; ++i)
    matrices.push_back(
        kernels().pack({dtype, n, k, [&](int64_t r) { return weights.row(r % 32); }}).value());
  std::vector<float> x = TestRandom(2).floats(rows * k), out(static_cast<size_t>(rows * n));
  size_t next = 0;
  for (auto _ : state) {
    kernels().matmul(view(x, {rows, k}), matrices[next++ % matrices.size()], {},
                     view(out, {rows, n}));
    benchmark::DoNotOptimize(out.data());
  }
  report(state, static_cast<double>(bytes), 2.0 * static_cast<double>(rows * n * k));
}

// range(0): tokens of context, range(1): query rows at its end. 8 kv heads of 128, 2 query heads
// each.
void attention(benchmark::State& state, DType dtype) {
  const auto context = static_cast<int32_t>(state.range(0));
  const auto queries = static_cast<int32_t>(state.range(1));
  TestAttention attention({8, 2, 128, dtype}, {{context, queries}}, 1);
  attention.run(kernels());
  for (auto _ : state) attention.attend(kernels());
  const double pairs = (context - queries / 2.0) * queries * 16;
  const int64_t head_bytes = KvCache{dtype, 1, 1, 128, nullptr, nullptr}.head_bytes();
  report(state, 2.0 * context * 8 * static_cast<double>(head_bytes) / KvCache::kBlockSize,
         4.0 * 128 * pairs);
}

// One thread is timed by the processor's clock, which a busy machine disturbs less.
void set_clock(benchmark::internal::Benchmark& bench) {
  bench.Unit(benchmark::kMicrosecond);
  if (num_threads() > 1) bench.UseRealTime();
}

void register_all() {
  for (const DType dtype : kWeightFormats) {
    auto* bench = benchmark::RegisterBenchmark(("matmul/" + std::string(name(dtype))).c_str(),
                                               [dtype](benchmark::State& s) { matmul(s, dtype); });
    for (const int64_t rows : {1, 2, 4, 16, 32, 64, 192}) bench->Arg(rows);
    set_clock(*bench);
  }
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kI8, DType::kF8E4M3}) {
    auto* bench =
        benchmark::RegisterBenchmark(("attention/" + std::string(name(dtype))).c_str(),
                                     [dtype](benchmark::State& s) { attention(s, dtype); });
    bench->Args({16384, 1})->Args({16384, 4})->Args({1024, 1024});
    set_clock(*bench);
  }
}

[[maybe_unused]] const bool kRegistered = [] {
  register_all();
  benchmark::AddCustomContext("table", table().name);
  benchmark::AddCustomContext("threads", std::to_string(num_threads()));
  benchmark::AddCustomContext("read GB/s", std::to_string(limits().read_bytes_per_s / 1e9));
  benchmark::AddCustomContext("fma GFLOP/s", std::to_string(limits().fp32_flops_per_s / 1e9));
  return true;
}();

}  // namespace
}  // namespace orrery::kernels::cpu
