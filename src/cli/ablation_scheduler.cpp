// The scheduler and the KV manager alone, in the settings of the papers: what is held, wasted and
// waited for, in steps. No model, so that OPT-13B's memory and long lengths cost nothing.
#include <cmath>

#include "cli/ablation.h"
#include "cli/ablation_workloads.h"

namespace orrery::cli {
namespace {

using engine::KvReservation;
using engine::SchedulerOptions;

constexpr int32_t kOptMaxModelLen = 2048;
constexpr int32_t kOptBlocks = 15'700 / engine::kBlockSize;  // beside OPT-13B on an A100 of 40 GB
constexpr int64_t kVocab = 32'000;

Result<RunStats> run(const SchedulerOptions& options, const std::vector<Work>& work,
                     bool until_all_admitted) {
  StepLog log;
  ASSIGN_OR_RETURN(const auto drivable, drive_scheduler(options, log));
  return drive(*drivable, log, work, {.until_all_admitted = until_all_admitted});
}

SchedulerOptions opt_13b(KvReservation reservation) {
  SchedulerOptions options;
  options.max_model_len = kOptMaxModelLen;
  options.max_num_seqs = 512;
  options.kv.num_blocks = kOptBlocks;
  options.kv.reservation = reservation;
  options.kv.enable_prefix_caching = false;
  return options;
}

AblationRow row(std::string technique, std::string measure, std::string unit, double off, double on,
                Published published, std::string note) {
  AblationRow r;
  r.technique = std::move(technique);
  r.measure = std::move(measure);
  r.unit = std::move(unit);
  r.basis = r.technique == "continuous batching" ? "steps" : "count";
  r.driver = "scheduler";
  r.off = off;
  r.on = on;
  r.ratio = on / off;
  r.published = std::move(published);
  r.note = std::move(note);
  return r;
}

// Lengths of the means that the paging paper gives for its two data sets (arXiv:2309.06180).
struct DataSet {
  std::string_view name;
  int64_t prompt, output;
};
constexpr DataSet kShareGpt{"ShareGPT", 161, 338}, kAlpaca{"Alpaca", 19, 58};

struct OffOn {
  RunStats off, on;
};

Result<OffOn> page(const DataSet& lengths, int64_t num_requests) {
  const auto work =
      exponential_requests(num_requests, lengths.prompt, lengths.output, kOptMaxModelLen, kVocab);
  OffOn runs;
  ASSIGN_OR_RETURN(runs.off, run(opt_13b(KvReservation::kContiguous), work, true));
  ASSIGN_OR_RETURN(runs.on, run(opt_13b(KvReservation::kPaged), work, true));
  return runs;
}

Status paging_rows(const AblationSizes& sizes, std::vector<AblationRow>& rows) {
  ASSIGN_OR_RETURN(const OffOn share_gpt, page(kShareGpt, sizes.scheduler_requests));
  rows.push_back(row("paging", "requests at once, OPT-13B, ShareGPT lengths", "",
                     share_gpt.off.busy.mean_held(), share_gpt.on.busy.mean_held(),
                     {30.4 / 7.0, "7.0 → 30.4"}, ""));
  const StepSums& on = share_gpt.on.busy;
  rows.push_back(
      row("paging", "KV memory in use of reserved, ShareGPT", "%",
          100 * share_gpt.off.busy.filled_of_reserved(), 100 * on.filled_of_reserved(),
          {96.0 / 38.0, "20–38 → > 96"},
          fmt::format("Blocks that are not full yet waste {:.1f} %; {:.1f} % are reserved for "
                      "requests that come back from their last allowed preemption, with all that "
                      "they can need.",
                      100 * (1 - on.filled_of_reserved() - on.ahead_of_reserved()),
                      100 * on.ahead_of_reserved())));
  ASSIGN_OR_RETURN(const OffOn alpaca, page(kAlpaca, sizes.scheduler_requests));
  rows.push_back(row("paging", "requests at once, OPT-13B, Alpaca lengths", "",
                     alpaca.off.busy.mean_held(), alpaca.on.busy.mean_held(),
                     {132.4 / 7.0, "7.0 → 132.4"},
                     "Here requests always wait; the paper's came at 30 a second and did not fill "
                     "the memory."));
  return {};
}

// Orca's baseline: a batch that waits for its longest request takes the maximum of b lengths; the
// mean of that is H_b = 1 + 1/2 + … + 1/b times the mean length if lengths are exponential.
Status batching_rows(const AblationSizes& sizes, std::vector<AblationRow>& rows) {
  for (const int32_t batch : {4, 8, 16, 32}) {
    constexpr int64_t kMaxLen = 4096, kMeanOutput = 100;
    const auto work =
        exponential_requests(sizes.scheduler_batches * batch, 0, kMeanOutput, kMaxLen, kVocab);
    SchedulerOptions options;
    options.max_model_len = kMaxLen;
    options.max_num_seqs = batch;
    options.kv.num_blocks = batch * (engine::blocks_for(kMaxLen) + 1);
    options.kv.enable_prefix_caching = false;
    ASSIGN_OR_RETURN(const RunStats on, run(options, work, true));
    options.static_batches = true;
    ASSIGN_OR_RETURN(const RunStats off, run(options, work, false));
    double h = 0;
    for (int i = 1; i <= batch; ++i) h += 1.0 / i;
    rows.push_back(row("continuous batching", fmt::format("tokens a step, batch {}", batch), "",
                       off.all.output_tokens_per_step(), on.all.output_tokens_per_step(),
                       {h, fmt::format("H{} = {:.1f}", batch, h)}, ""));
  }
  return {};
}

}  // namespace

Result<std::vector<AblationRow>> run_ablation_of_scheduler(const AblationSizes& sizes) {
  std::vector<AblationRow> rows;
  RETURN_IF_ERROR(paging_rows(sizes, rows));
  RETURN_IF_ERROR(batching_rows(sizes, rows));
  return rows;
}

}  // namespace orrery::cli
