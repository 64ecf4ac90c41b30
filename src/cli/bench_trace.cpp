// orrery bench throughput --trace FILE: the arrivals and lengths of a real service.
#include <algorithm>

#include "base/thread_pool.h"
#include "cli/bench_throughput.h"
#include "cli/terminal.h"
#include "cli/workload.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/limits.h"

namespace orrery::cli {
namespace {

constexpr double kDefaultKvBytes = 1 << 30;

OrderedJson spread(const std::vector<double>& values) {
  return {{"mean", mean(values)},
          {"p50", percentile(values, 50)},
          {"p90", percentile(values, 90)},
          {"p99", percentile(values, 99)}};
}

struct TraceRun {
  Workload workload;
  FittedWorkload fitted;
  int64_t max_len = 0;
  int32_t num_blocks = 0;
  RunStats stats;
};

double hit_rate(const RunStats& s) {
  return static_cast<double>(s.cached_tokens) /
         static_cast<double>(std::max<int64_t>(1, s.prompt_tokens));
}

double arrival_span_s(const TraceRun& run) { return run.fitted.work.back().arrival_s; }

OrderedJson to_json(const TraceOptions& options, OrderedJson json, const TraceRun& run) {
  const RunStats& s = run.stats;
  json["trace"] = {{"file", options.file},
                   {"format", run.workload.format},
                   {"requests", run.fitted.work.size()},
                   {"arrivals_span_s", arrival_span_s(run)},
                   {"rate_scale", options.rate_scale},
                   {"length_scale", options.length_scale},
                   {"max_len", run.max_len},
                   {"requests_clipped", run.fitted.num_clipped},
                   {"tokens_clipped", run.fitted.num_clipped_tokens},
                   {"tokens", run.fitted.num_tokens}};
  json["seconds"] = s.seconds;
  json["prompt_tokens"] = s.prompt_tokens;
  json["output_tokens"] = s.all.output_tokens;
  json["output_tokens_per_s"] = static_cast<double>(s.all.output_tokens) / s.seconds;
  json["total_tokens_per_s"] =
      static_cast<double>(s.prompt_tokens + s.all.output_tokens) / s.seconds;
  json["time_to_first_token_s"] = spread(s.first_token_s);
  json["time_between_tokens_s"] = spread(s.between_tokens_s);
  json["prefix_hit_rate"] = hit_rate(s);
  json["preemptions"] = s.preemptions;
  json["refused"] = s.refused;
  json["requests_at_once"] = {{"mean", s.all.mean_held()}, {"max", s.max_held}};
  json["kv"] = {{"blocks", run.num_blocks},
                {"block_size", engine::kBlockSize},
                {"in_use_mean", s.all.reserved_of_pool()},
                {"in_use_peak", static_cast<double>(s.peak_slots) /
                                    (static_cast<double>(run.num_blocks) * engine::kBlockSize)},
                {"filled_of_reserved", s.all.filled_of_reserved()}};
  return json;
}

void print_spread(const char* name, const std::vector<double>& values) {
  fmt::print("{:<22}{:>9.3f} {:>9.3f} {:>9.3f} {:>9.3f}\n", name, mean(values),
             percentile(values, 50), percentile(values, 90), percentile(values, 99));
}

void print(const TraceOptions& options, const OrderedJson& header, const TraceRun& run) {
  const RunStats& s = run.stats;
  fmt::print("{}  {}, {} threads, {}\n", header["model"].get<std::string>(),
             header["format"].get<std::string>(), header["threads"].get<int64_t>(),
             header["isa"].get<std::string>());
  fmt::print("{} ({}): {} requests over {:.1f} s", options.file, run.workload.format,
             run.fitted.work.size(), arrival_span_s(run));
  if (options.rate_scale == 0) fmt::print(", here all at once");
  if (options.rate_scale != 0 && options.rate_scale != 1) {
    fmt::print(", {:g} times as fast as recorded", options.rate_scale);
  }
  if (options.length_scale != 1) fmt::print(", lengths times {:g}", options.length_scale);
  fmt::print("\n");
  if (run.fitted.num_clipped > 0) {
    fmt::print(
        "clipped: {} of {} requests are longer than {} tokens and lost {:.0f} % of all tokens; "
        "--length-scale shortens all alike\n",
        run.fitted.num_clipped, run.fitted.work.size(), run.max_len,
        100.0 * static_cast<double>(run.fitted.num_clipped_tokens) /
            static_cast<double>(run.fitted.num_tokens));
  }
  if (s.refused > 0) fmt::print("refused: {} requests, larger than the KV cache\n", s.refused);
  fmt::print("\n{:<22}{:>9.1f} in {:.1f} s ({} prompt, {} output)\n", "tokens/s",
             static_cast<double>(s.prompt_tokens + s.all.output_tokens) / s.seconds, s.seconds,
             s.prompt_tokens, s.all.output_tokens);
  fmt::print("{:<22}{:>9.1f}\n", "output tokens/s",
             static_cast<double>(s.all.output_tokens) / s.seconds);
  fmt::print("{:<22}{:>9} {:>9} {:>9} {:>9}\n", "seconds", "mean", "p50", "p90", "p99");
  print_spread("  to first token", s.first_token_s);
  print_spread("  between tokens", s.between_tokens_s);
  fmt::print("{:<22}{:>9.1f} %  of prompt tokens\n", "prefix hit rate", 100 * hit_rate(s));
  fmt::print("{:<22}{:>9.1f} mean, {} at most\n", "requests at once", s.all.mean_held(),
             s.max_held);
  fmt::print("{:<22}{:>9}\n", "preemptions", s.preemptions);
  fmt::print(
      "{:<22}{:>9.1f} %  of {} blocks on average, {:.1f} % at most; {:.1f} % of it holds tokens\n",
      "KV cache in use", 100 * s.all.reserved_of_pool(), run.num_blocks,
      100.0 * static_cast<double>(s.peak_slots) /
          (static_cast<double>(run.num_blocks) * engine::kBlockSize),
      100 * s.all.filled_of_reserved());
}

}  // namespace

Status bench_trace(const EngineOptions& engine_options, const TraceOptions& options, bool json) {
  TraceRun run;
  ASSIGN_OR_RETURN(run.workload, read_workload(options.file, {options.limit, 0}));
  ASSIGN_OR_RETURN(const auto* table, kernels::cpu::choose_table(engine_options.cpu_isa));
  ASSIGN_OR_RETURN(const auto llm, load_llm(engine_options));
  ASSIGN_OR_RETURN(const auto limits,
                   kernels::cpu::measure_limits(*table, static_cast<int>(engine_options.threads)));
  const model::ModelConfig& config = llm->model().config();
  run.max_len = options.max_len.value_or(config.max_model_len);
  if (run.max_len > config.max_model_len) {
    return invalid_argument("--max-len: expected at most the model's {} tokens, got {}",
                            config.max_model_len, run.max_len);
  }
  run.fitted = fit(run.workload,
                   {options.rate_scale, options.length_scale, run.max_len, config.vocab_size, 0});
  const auto max_len = static_cast<int32_t>(run.max_len);
  const double block_bytes = static_cast<double>(
      engine::kBlockSize * engine::KvMemory::bytes_per_token(config, llm->kv_dtype()));
  run.num_blocks = static_cast<int32_t>(options.num_kv_blocks.value_or(
      std::max<int64_t>(engine::blocks_for(max_len) + 1,
                        static_cast<int64_t>(std::min(kDefaultKvBytes / block_bytes, 1e6)))));

  engine::EngineOptions drive_options;
  drive_options.kv_dtype = llm->kv_dtype();
  drive_options.scheduler.max_model_len = max_len;
  drive_options.scheduler.max_num_seqs = static_cast<int32_t>(options.max_num_seqs);
  drive_options.scheduler.max_num_batched_tokens = static_cast<int32_t>(
      std::max(engine_options.llm.max_num_batched_tokens, options.max_num_seqs));
  drive_options.scheduler.kv.num_blocks = run.num_blocks;
  StepLog log;
  ASSIGN_OR_RETURN(const auto drivable,
                   drive_engine(llm->model(), llm->kernels(), drive_options, log));
  ASSIGN_OR_RETURN(run.stats, drive(*drivable, log, run.fitted.work,
                                    {.count_refused = true, .progress = progress_bar("serving")}));
  const OrderedJson header = bench_header(engine_options, *llm, limits);
  if (json) {
    fmt::print("{}\n", dump_json(to_json(options, header, run)));
  } else {
    print(options, header, run);
  }
  return {};
}

}  // namespace orrery::cli
