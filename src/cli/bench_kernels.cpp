// orrery bench kernels: matmul in every weight format and attention, beside what the machine
// allows.
//
// Cases run format by format. In each round of a format the limits are measured first, then its
// cases; a fraction is of the limits of its own round, and the median round counts, since shared
// machines drift. Weights of one case take several times the last-level cache, in turns, so that
// each call reads them from memory.
#include <algorithm>
#include <chrono>
#include <numeric>

#include "base/thread_pool.h"
#include "cli/bench.h"
#include "cli/terminal.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/limits.h"
#include "kernels/packed.h"

namespace orrery::cli {
namespace {

using kernels::KvCache;
using kernels::cpu::MachineLimits;
using Clock = std::chrono::steady_clock;

struct Options {
  int64_t threads = 0, rounds = 3;
  double seconds = 0.05;  // of a case and round
  std::string cpu_isa, filter;
  int64_t activation_bits = 16;
  bool json = false;
};

struct KernelCase {
  std::string name, shape;
  double bytes = 0;             // read from memory
  double flops = 0;             // multiplications and additions
  DType weights = DType::kF32;  // of a matmul
  std::function<void()> call;
};

struct CaseResult {
  std::string name, shape;
  double seconds = 0, fraction = 0;
  bool reading = false;  // what limits it: reading, or multiplying
};

// Any two or four of these bytes are a small number in every format.
void fill_with_numbers(std::span<std::byte> bytes) {
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::byte>(0x10 + ((i * 2654435761U) >> 13 & 0xF));
}

std::vector<float> numbers(int64_t n) {
  std::vector<float> out(static_cast<size_t>(n));
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<float>(i * 40503U >> 5 & 1023) / 512 - 1;
  return out;
}

Tensor view(std::vector<float>& data, Shape shape) { return {DType::kF32, shape, data.data()}; }

// What a CPU multiplies weights of a format at: of block formats, 8-bit codes by activations of two
// bytes or one with 8-bit dot products, or with the 16-bit multiply-adds that are twice the fp32
// ones; bf16 by bf16 or, as other plain formats, by fp32 (kernels/activations.h).
double multiply_limit(const MachineLimits& limits, DType weights, int64_t activation_bits) {
  const bool byte = activation_bits == 8;
  if (is_quantised(weights))
    return limits.int8_ops_per_s > 0 ? limits.int8_ops_per_s / (byte ? 1 : 2)
                                     : 2 * limits.fp32_flops_per_s;
  const bool dots = weights == DType::kBF16 && byte && limits.bf16_flops_per_s > 0;
  return dots ? std::max(limits.bf16_flops_per_s, limits.fp32_flops_per_s)  // the faster is used
              : limits.fp32_flops_per_s;
}

// Matrices of one format, gate or up projections of Llama-3.2-1B, many times the cache together.
class MatmulCases {
 public:
  static constexpr int64_t kN = 8192, kK = 2048, kBytes = int64_t{128} << 20;

  static Result<std::unique_ptr<MatmulCases>> create(DType dtype, kernels::Kernels& kernels) {
    auto cases = std::make_unique<MatmulCases>(dtype, kernels);
    std::vector<std::byte> source(static_cast<size_t>(row_bytes(dtype, kK)));
    fill_with_numbers(source);
    const auto same_row = [&](int64_t) { return source.data(); };
    ASSIGN_OR_RETURN(kernels::PackedMatrix first, kernels.pack({dtype, kN, kK, same_row}));
    const auto bytes = static_cast<int64_t>(first.data.size());
    for (int64_t copies = kBytes / bytes; copies > 0; --copies) {
      kernels::PackedMatrix copy{dtype, kN, kK, {}};
      ASSIGN_OR_RETURN(copy.data, Buffer::allocate(first.data.size()));
      std::ranges::copy(first.data.bytes(), copy.data.data());
      cases->matrices_.push_back(std::move(copy));
    }
    cases->matrices_.push_back(std::move(first));
    return cases;
  }

  MatmulCases(DType dtype, kernels::Kernels& kernels) : dtype_(dtype), kernels_(kernels) {}

  std::vector<KernelCase> cases() {
    std::vector<KernelCase> list;
    for (const int64_t rows : {1, 4, 16, 192}) {
      list.push_back(
          {fmt::format("matmul {}", name(dtype_)), fmt::format("{}x{} by {}x{}", rows, kK, kK, kN),
           static_cast<double>(matrices_[0].data.size()), 2.0 * static_cast<double>(rows * kN * kK),
           dtype_, [this, rows] { run(rows); }});
    }
    return list;
  }

 private:
  void run(int64_t rows) {
    kernels_.matmul(view(x_, {rows, kK}), matrices_[next_++ % matrices_.size()], {},
                    view(out_, {rows, kN}));
  }

  DType dtype_;
  kernels::Kernels& kernels_;
  std::vector<kernels::PackedMatrix> matrices_;
  size_t next_ = 0;
  std::vector<float> x_ = numbers(192 * kK), out_ = numbers(192 * kN);
};

// One request whose context lies in the cache in order, with the heads of Llama-3.2-1B.
class AttentionCases {
 public:
  static constexpr int64_t kHeads = 32, kKvHeads = 8, kHeadDim = 64, kContext = 16384;

  static Result<std::unique_ptr<AttentionCases>> create(DType dtype, kernels::Kernels& kernels) {
    auto cases = std::make_unique<AttentionCases>(dtype, kernels);
    KvCache& cache = cases->cache_;
    const auto bytes = static_cast<size_t>(cache.num_blocks * cache.block_bytes());
    ASSIGN_OR_RETURN(cases->memory_, Buffer::allocate(2 * bytes));
    cache.keys = cases->memory_.data();
    cache.values = cache.keys + bytes;
    cases->fill();
    return cases;
  }

  AttentionCases(DType dtype, kernels::Kernels& kernels)
      : kernels_(kernels),
        cache_{dtype, kContext / KvCache::kBlockSize, kKvHeads, kHeadDim, nullptr, nullptr},
        table_(kContext / KvCache::kBlockSize + 1) {
    std::iota(table_.begin(), table_.end() - 1, 0);
  }

  std::vector<KernelCase> cases() {
    return {attention(kContext, 1), attention(2048, 1), attention(1024, 512)};
  }

 private:
  // With numbers as large as a model's: the exponential of a difference below 2^-63 is slow, since
  // its square is subnormal.
  void fill() {
    constexpr int64_t kTokens = 512;
    const Shape shape{kTokens, kKvHeads, kHeadDim};
    std::vector<float> kv = numbers(shape.elements());
    std::vector<int64_t> slots(kTokens);
    for (int64_t begin = 0; begin < kContext; begin += kTokens) {
      std::iota(slots.begin(), slots.end(), begin);
      kernels_.store_kv(view(kv, shape), view(kv, shape), slots, cache_);
    }
  }

  KernelCase attention(int32_t context, int32_t queries) {
    const double positions = (context - (queries - 1) / 2.0) * queries;
    return {fmt::format("attention {}", name(cache_.dtype)),
            fmt::format("{} x {} heads of {} over {}", queries, kHeads, kHeadDim, context),
            2.0 * context / KvCache::kBlockSize * static_cast<double>(cache_.block_bytes()),
            4.0 * positions * static_cast<double>(kHeads * kHeadDim),
            DType::kF32,
            [this, context, queries] { run(context, queries); }};
  }

  void run(int32_t context, int32_t queries) {
    const int32_t starts[] = {0, queries};
    const Shape shape{queries, kHeads, kHeadDim};
    kernels_.paged_attention(view(q_, shape), cache_,
                             {starts, {&context, 1}, table_, std::ssize(table_)}, 0.125F, 0,
                             view(out_, shape));
  }

  kernels::Kernels& kernels_;
  KvCache cache_;
  Buffer memory_;
  std::vector<int32_t> table_;
  std::vector<float> q_ = numbers(512 * kHeads * kHeadDim), out_ = q_;
};

// The least time of a call, among as many as fill `budget` seconds.
double time_call(const std::function<void()>& call, double budget) {
  double best = 1e30, all = 0;
  do {
    const auto start = Clock::now();
    call();
    const std::chrono::duration<double> taken = Clock::now() - start;
    best = std::min(best, taken.count());
    all += taken.count();
  } while (all < budget);
  return best;
}

class KernelBench {
 public:
  KernelBench(const Options& options, const kernels::cpu::CpuTable& table)
      : options_(options),
        table_(table),
        kernels_(kernels::cpu::make_cpu_kernels(
            table, static_cast<int>(options.threads),
            {.activations = activations_of(options.activation_bits)})) {}

  Status run() {
    constexpr DType kWeights[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0,
                                  DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                                  DType::kQ4_K, DType::kQ5_K, DType::kQ6_K, DType::kQ3_K,
                                  DType::kQ2_K};
    constexpr DType kCaches[] = {DType::kF32, DType::kBF16, DType::kI8, DType::kF8E4M3};
    const auto progress = progress_bar("measuring");
    double done = 0;
    const auto step = [&] { progress(++done / (std::size(kWeights) + std::size(kCaches))); };
    for (const DType dtype : kWeights) {
      RETURN_IF_ERROR(measure<MatmulCases>("matmul", dtype));
      step();
    }
    for (const DType dtype : kCaches) {
      RETURN_IF_ERROR(measure<AttentionCases>("attention", dtype));
      step();
    }
    if (results_.empty())
      return invalid_argument("no kernel's name has '{}' in it", options_.filter);
    return {};
  }

  const std::vector<CaseResult>& results() const { return results_; }

  MachineLimits limits() const {
    const auto median_of = [&](double MachineLimits::*limit) {
      std::vector<double> values;
      for (const MachineLimits& l : limits_) values.push_back(l.*limit);
      return median(std::move(values));
    };
    return {static_cast<int>(options_.threads), median_of(&MachineLimits::read_bytes_per_s),
            median_of(&MachineLimits::fp32_flops_per_s),
            median_of(&MachineLimits::bf16_flops_per_s), median_of(&MachineLimits::int8_ops_per_s)};
  }

 private:
  template <typename Cases>
  Status measure(std::string_view kind, DType dtype) {
    if (fmt::format("{} {}", kind, name(dtype)).find(options_.filter) == std::string::npos)
      return {};
    ASSIGN_OR_RETURN(const auto cases, Cases::create(dtype, *kernels_));
    std::vector<KernelCase> list = cases->cases();
    std::vector<std::vector<double>> seconds(list.size()), fractions(list.size());
    std::vector<CaseResult> found(list.size());
    for (int64_t round = 0; round < options_.rounds; ++round) {
      ASSIGN_OR_RETURN(const MachineLimits limits,
                       kernels::cpu::measure_limits(table_, static_cast<int>(options_.threads)));
      limits_.push_back(limits);
      for (size_t i = 0; i < list.size(); ++i) {
        const KernelCase& one = list[i];
        const double taken = time_call(one.call, options_.seconds);
        const double reading = one.bytes / limits.read_bytes_per_s;
        const double multiplying =
            one.flops / multiply_limit(limits, one.weights, options_.activation_bits);
        seconds[i].push_back(taken);
        fractions[i].push_back(std::max(reading, multiplying) / taken);
        found[i] = {one.name, one.shape, 0, 0, reading > multiplying};
      }
    }
    for (size_t i = 0; i < found.size(); ++i) {
      found[i].seconds = median(seconds[i]);
      found[i].fraction = median(fractions[i]);
      results_.push_back(found[i]);
    }
    return {};
  }

  const Options& options_;
  const kernels::cpu::CpuTable& table_;
  std::unique_ptr<kernels::Kernels> kernels_;
  std::vector<MachineLimits> limits_;
  std::vector<CaseResult> results_;
};

void print_json(const Options& options, std::string_view isa, const KernelBench& bench) {
  OrderedJson json;
  json["model"] = nullptr;
  json["format"] = nullptr;
  json["threads"] = options.threads;
  json["isa"] = isa;
  json["activation_bits"] = options.activation_bits;
  json["limits"] = limits_json(bench.limits());
  json["kernels"] = OrderedJson::array();
  for (const CaseResult& r : bench.results())
    json["kernels"].push_back({{"name", r.name},
                               {"shape", r.shape},
                               {"isa", isa},
                               {"seconds", r.seconds},
                               {"fraction_of_limit", r.fraction},
                               {"limit", r.reading ? "read" : "multiply"}});
  fmt::print("{}\n", dump_json(json));
}

void print(const Options& options, std::string_view isa, const KernelBench& bench) {
  const MachineLimits limits = bench.limits();
  fmt::print("{} threads, {}, activations of {} bits\n", options.threads, isa,
             options.activation_bits);
  fmt::print("limits    read {:.1f} GB/s, fp32 {:.0f} GFLOP/s", limits.read_bytes_per_s / 1e9,
             limits.fp32_flops_per_s / 1e9);
  if (limits.bf16_flops_per_s > 0)
    fmt::print(", bf16 {:.0f} GFLOP/s", limits.bf16_flops_per_s / 1e9);
  if (limits.int8_ops_per_s > 0) fmt::print(", int8 {:.0f} Gop/s", limits.int8_ops_per_s / 1e9);
  fmt::print("\n");
  for (const CaseResult& r : bench.results())
    fmt::print("{:<18} {:<34} {:>10.1f} us   {:.2f} of {}\n", r.name, r.shape, r.seconds * 1e6,
               r.fraction, r.reading ? "reading" : "multiplying");
}

Status bench(Options& options) {
  ASSIGN_OR_RETURN(const auto* table, kernels::cpu::choose_table(options.cpu_isa));
  if (options.threads == 0) options.threads = ThreadPool(0).num_threads();
  KernelBench kernels(options, *table);
  RETURN_IF_ERROR(kernels.run());
  if (options.json)
    print_json(options, table->name, kernels);
  else
    print(options, table->name, kernels);
  return {};
}

}  // namespace

int bench_kernels_command(Args args) {
  Options options;
  const std::vector<Flag> flags = {
      {"--filter", 0, "TEXT", "only kernels with this in their names, as q4_0 (default all)",
       set_text(options.filter)},
      {"--rounds", 0, "N", "rounds, of which the median counts (default 3)",
       set_int(options.rounds, 1, 1000)},
      {"--seconds", 0, "S", "time of a case in a round (default 0.05)",
       set_double(options.seconds, 0, 3600)},
      {"--threads", 0, "N", "threads (default: one per CPU)", set_int(options.threads, 0, 1024)},
      {"--cpu-isa", 0, "NAME",
       "kernels: amx, avx512bf16, avx512vnni, avx512, avxvnni, avx2, scalar",
       set_text(options.cpu_isa)},
      activation_bits_flag(options.activation_bits),
      {"--json", 0, "", "one JSON object", set_switch(options.json)},
  };
  std::vector<std::string> positional;
  const auto code =
      parse_command_line("bench kernels", "bench kernels [flags]", args, flags, 0, positional);
  if (code) return *code;
  const Status status = bench(options);
  return status.ok() ? kDone : report("bench kernels", status);
}

}  // namespace orrery::cli
