// orrery bench latency: one request alone; prefill and decode beside what the machine allows.
//
// Shared machines drift: read bandwidth by half within a minute. So each round measures the limits,
// then the model, and fractions are of the limits of the same round; the median round is reported.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/thread_pool.h"
#include "cli/bench.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "engine/runner.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/limits.h"

namespace orrery::cli {
namespace {

using kernels::cpu::MachineLimits;

struct Options {
  EngineOptions engine;
  int64_t prompt_tokens = 512, decode_tokens = 32, rounds = 3;
  std::vector<int64_t> depths;
  bool json = false;
};

struct Work {  // of one token, without attention
  double matmul_flops = 0;
  double weight_bytes = 0;
};

struct DepthResult {
  int64_t depth = 0;
  double tokens_per_s = 0, bandwidth_fraction = 0;
};

struct LatencyResult {
  MachineLimits limits{};
  double prefill_tokens_per_s = 0, prefill_flops_fraction = 0, time_to_first_token_s = 0;
  std::vector<DepthResult> decode;
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Every matrix is read once per step; of an untied embedding only a row.
Work work_per_token(const llm::Llm& llm) {
  Work work;
  for (const auto& tensor : llm.checkpoint().tensors()) {
    const bool rows_only =
        tensor.name == "model.embed_tokens.weight" && !llm.model().config().tied_embeddings;
    if (tensor.shape.rank() != 2 || rows_only) continue;
    work.matmul_flops += 2.0 * static_cast<double>(tensor.shape.elements());
    work.weight_bytes += static_cast<double>(tensor.bytes);
  }
  return work;
}

// Multiplications and additions of attention over `context` tokens, for one query token in all
// layers.
double attention_flops(const model::ModelConfig& c, double context) {
  return 4.0 * static_cast<double>(c.n_layers * c.n_heads * c.head_dim) * context;
}

std::vector<int32_t> some_ids(int64_t count, int64_t vocab) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i)
    ids[static_cast<size_t>(i)] = static_cast<int32_t>((i * 7919 + 13) % vocab);
  return ids;
}

Result<double> time_prefill(llm::Llm& llm, engine::Runner& runner, int64_t tokens, int64_t chunk) {
  const auto ids = some_ids(tokens, llm.model().config().vocab_size);
  runner.rewind(0);
  const auto start = std::chrono::steady_clock::now();
  for (int64_t at = 0; at < tokens; at += chunk) {
    const auto part = std::span(ids).subspan(static_cast<size_t>(at),
                                             static_cast<size_t>(std::min(chunk, tokens - at)));
    RETURN_IF_ERROR(runner
                        .append(part, at + chunk >= tokens ? engine::LogitsOf::kLastToken
                                                           : engine::LogitsOf::kNone)
                        .status());
  }
  return seconds_since(start);
}

// Seconds per token at a context of `depth`. What the cache holds there does not matter for time,
// so it is not computed anew.
Result<double> time_decode(engine::Runner& runner, int64_t depth, int64_t tokens) {
  std::vector<double> seconds;
  runner.rewind(depth);
  for (int64_t i = 0; i < tokens; ++i) {
    const int32_t id = 1;
    const auto start = std::chrono::steady_clock::now();
    RETURN_IF_ERROR(runner.append({&id, 1}, engine::LogitsOf::kLastToken).status());
    seconds.push_back(seconds_since(start));
  }
  return median(std::move(seconds));
}

class LatencyBench {
 public:
  LatencyBench(const Options& options, llm::Llm& llm, const kernels::cpu::CpuTable& table)
      : options_(options), llm_(llm), table_(table), work_(work_per_token(llm)) {}

  Result<LatencyResult> run() {
    const int64_t deepest = *std::max_element(options_.depths.begin(), options_.depths.end());
    const int64_t room = std::max(options_.prompt_tokens, deepest + options_.decode_tokens) + 1;
    ASSIGN_OR_RETURN(engine::Runner runner,
                     engine::Runner::create(llm_.model(), llm_.kernels(), llm_.kv_dtype(), room));
    // Warms the scratch memory and fills the cache as deep as decoding will look.
    RETURN_IF_ERROR(
        time_prefill(llm_, runner, std::max(options_.prompt_tokens, deepest), chunk()).status());
    std::vector<std::vector<double>> decode_rates(options_.depths.size()),
        decode_fractions(options_.depths.size());
    std::vector<double> bandwidth, flops, bf16, int8, prefill_rates, prefill_fractions, first_token;
    const auto progress = progress_bar("measuring");
    for (int64_t round = 0; round < options_.rounds; ++round) {
      ASSIGN_OR_RETURN(const MachineLimits limits, kernels::cpu::measure_limits(table_, threads()));
      bandwidth.push_back(limits.read_bytes_per_s);
      flops.push_back(limits.fp32_flops_per_s);
      bf16.push_back(limits.bf16_flops_per_s);
      int8.push_back(limits.int8_ops_per_s);
      for (size_t i = 0; i < options_.depths.size(); ++i) {
        ASSIGN_OR_RETURN(const double seconds,
                         time_decode(runner, options_.depths[i], options_.decode_tokens));
        decode_rates[i].push_back(1 / seconds);
        decode_fractions[i].push_back(bytes_at(options_.depths[i]) / seconds /
                                      limits.read_bytes_per_s);
      }
      ASSIGN_OR_RETURN(const double seconds,
                       time_prefill(llm_, runner, options_.prompt_tokens, chunk()));
      prefill_rates.push_back(static_cast<double>(options_.prompt_tokens) / seconds);
      prefill_fractions.push_back(prefill_flops() / seconds / limits.fp32_flops_per_s);
      first_token.push_back(seconds);
      progress(static_cast<double>(round + 1) / static_cast<double>(options_.rounds));
    }
    LatencyResult result;
    result.limits = {threads(), median(bandwidth), median(flops), median(bf16), median(int8)};
    result.prefill_tokens_per_s = median(prefill_rates);
    result.prefill_flops_fraction = median(prefill_fractions);
    result.time_to_first_token_s = median(first_token);
    for (size_t i = 0; i < options_.depths.size(); ++i) {
      result.decode.push_back(
          {options_.depths[i], median(decode_rates[i]), median(decode_fractions[i])});
    }
    return result;
  }

 private:
  int threads() const { return static_cast<int>(options_.engine.threads); }
  int64_t chunk() const { return options_.engine.llm.max_num_batched_tokens; }
  double bytes_at(int64_t depth) const {
    return work_.weight_bytes +
           static_cast<double>(
               depth * engine::KvMemory::bytes_per_token(llm_.model().config(), llm_.kv_dtype()));
  }
  double prefill_flops() const {
    const auto tokens = static_cast<double>(options_.prompt_tokens);
    const model::ModelConfig& c = llm_.model().config();
    const double head =
        2.0 * static_cast<double>(c.vocab_size *
                                  c.hidden_size);  // only the last token's logits are computed
    return tokens * (work_.matmul_flops - head + attention_flops(c, tokens / 2)) + head;
  }

  const Options& options_;
  llm::Llm& llm_;
  const kernels::cpu::CpuTable& table_;
  Work work_;
};

OrderedJson to_json(const Options& options, const llm::Llm& llm, const LatencyResult& r) {
  OrderedJson json = bench_header(options.engine, llm, r.limits);
  json["prompt_tokens"] = options.prompt_tokens;
  json["prefill_tokens_per_s"] = r.prefill_tokens_per_s;
  json["prefill_flops_fraction"] = r.prefill_flops_fraction;
  json["decode"] = OrderedJson::array();
  for (const DepthResult& d : r.decode) {
    json["decode"].push_back({{"depth", d.depth},
                              {"decode_tokens_per_s", d.tokens_per_s},
                              {"decode_bandwidth_fraction", d.bandwidth_fraction}});
  }
  json["decode_tokens_per_s"] = r.decode.front().tokens_per_s;
  json["decode_bandwidth_fraction"] = r.decode.front().bandwidth_fraction;
  json["time_to_first_token_s"] = r.time_to_first_token_s;
  json["load_s"] = llm.load_seconds();
  return json;
}

void print(const Options& options, const llm::Llm& llm, const LatencyResult& r) {
  fmt::print("{}  {}, {} threads, {}\n", options.engine.llm.model, bench_format(llm),
             options.engine.threads, llm.kernels().name());
  fmt::print("limits    read {:.1f} GB/s, fp32 {:.0f} GFLOP/s\n", r.limits.read_bytes_per_s / 1e9,
             r.limits.fp32_flops_per_s / 1e9);
  fmt::print("load      {:.2f} s\n", llm.load_seconds());
  fmt::print(
      "prefill   {:>6} tokens   {:>9.1f} tokens/s   {:.2f} of fp32 peak   first token after {:.3f} "
      "s\n",
      options.prompt_tokens, r.prefill_tokens_per_s, r.prefill_flops_fraction,
      r.time_to_first_token_s);
  for (const DepthResult& d : r.decode) {
    fmt::print("decode    at depth {:>5} {:>9.1f} tokens/s   {:.2f} of read bandwidth\n", d.depth,
               d.tokens_per_s, d.bandwidth_fraction);
  }
}

Status bench(Options& options) {
  ASSIGN_OR_RETURN(const auto* table, kernels::cpu::choose_table(options.engine.cpu_isa));
  if (options.engine.threads == 0) options.engine.threads = ThreadPool(0).num_threads();
  ASSIGN_OR_RETURN(const auto llm, load_llm(options.engine));
  if (options.depths.empty()) options.depths = {0};
  ASSIGN_OR_RETURN(const LatencyResult result, LatencyBench(options, *llm, *table).run());
  if (options.json) {
    fmt::print("{}\n", dump_json(to_json(options, *llm, result)));
  } else {
    print(options, *llm, result);
  }
  return {};
}

}  // namespace

int bench_latency_command(Args args) {
  Options options;
  std::vector<Flag> flags = {
      {"--prompt-tokens", 0, "N", "tokens of the prefill (default 512)",
       set_int(options.prompt_tokens, 1, 1 << 20)},
      {"--decode-tokens", 0, "N", "tokens decoded per round (default 32)",
       set_int(options.decode_tokens, 1, 1 << 16)},
      {"--depth", 0, "N", "context at which decoding is measured; may be repeated (default 0)",
       [&options](std::string_view value) -> Status {
         int64_t depth = 0;
         RETURN_IF_ERROR(set_int(depth, 0, 1 << 20)(value));
         options.depths.push_back(depth);
         return {};
       }},
      {"--rounds", 0, "N", "rounds, of which the median counts (default 3)",
       set_int(options.rounds, 1, 1000)},
      {"--json", 0, "", "one JSON object", set_switch(options.json)},
  };
  std::vector<std::string> positional;
  flags = join(std::move(flags), options.engine.flags());
  const auto code = parse_command_line("bench latency", "bench latency [MODEL] [flags]", args,
                                       std::move(flags), 1, positional);
  if (code) return *code;
  if (!positional.empty()) options.engine.llm.model = positional[0];
  const Status status = bench(options);
  return status.ok() ? kDone : report("bench latency", status);
}

}  // namespace orrery::cli
