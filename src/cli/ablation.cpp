// The techniques with the model: off and on in turn.
#include "cli/ablation.h"

#include <algorithm>
#include <chrono>

#include "cli/ablation_workloads.h"

namespace orrery::cli {
namespace {

using engine::KvReservation;
using engine::SchedulerOptions;
using Clock = std::chrono::steady_clock;

constexpr int32_t kMaxNumSeqs = 256;
constexpr int64_t kMaxRounds = 7;

size_t place(std::string_view technique) {
  constexpr std::string_view kOrder[] = {"paging",       "flash attention",     "KV cache",
                                         "prefix cache", "continuous batching", "all together"};
  return static_cast<size_t>(std::find(std::begin(kOrder), std::end(kOrder), technique) -
                             std::begin(kOrder));
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

using Variant = std::function<Result<RunStats>()>;
using Metric = std::function<double(const RunStats&)>;

// Runs of each variant, round after round, in alternating order.
struct Rounds {
  std::vector<std::vector<RunStats>> runs;  // [round][variant]

  static Result<Rounds> of(const std::vector<Variant>& variants, double seconds) {
    Rounds rounds;
    const auto start = Clock::now();
    for (int64_t n = 0; n < kMaxRounds; ++n) {
      // Odd numbers of rounds have a median among them.
      const double spent = seconds_since(start);
      if (n % 2 == 1 && spent + 2 * spent / static_cast<double>(n) > seconds) break;
      std::vector<RunStats> round(variants.size());
      for (size_t i = 0; i < variants.size(); ++i) {
        const size_t v = n % 2 == 0 ? i : variants.size() - 1 - i;
        ASSIGN_OR_RETURN(round[v], variants[v]());
      }
      rounds.runs.push_back(std::move(round));
    }
    return rounds;
  }
};

// What a row says besides its numbers.
struct Label {
  std::string technique, measure, unit, basis;
  bool more_is_better = true;
  std::optional<Published> published = {};
  std::string note = {};
};

class Ablation {
 public:
  Ablation(const AblationModel& model, const AblationSizes& sizes, double seconds,
           const std::function<void(double)>& progress)
      : m_(model), sizes_(sizes), seconds_(seconds), progress_(progress) {}

  Result<std::vector<AblationRow>> run() {
    ASSIGN_OR_RETURN(const auto scheduler_rows, run_ablation_of_scheduler(sizes_));
    rows_ = scheduler_rows;
    RETURN_IF_ERROR(attention(share(0.10)));  // first: kernels remember their peak memory
    RETURN_IF_ERROR(paging(share(0.32)));
    RETURN_IF_ERROR(kv_cache(share(0.08)));
    RETURN_IF_ERROR(prefix_cache(share(0.14)));
    for (const int32_t batch : {4, 8, 16, 32}) RETURN_IF_ERROR(batching(batch, share(0.09)));
    std::stable_sort(rows_.begin(), rows_.end(), [](const AblationRow& a, const AblationRow& b) {
      return place(a.technique) < place(b.technique);
    });
    return std::move(rows_);
  }

 private:
  // A part of the time, for one experiment; reports the progress so far.
  double share(double part) {
    if (progress_) progress_(std::min(0.99, shared_));
    shared_ += part;
    return part * seconds_;
  }

  Variant engine_run(kernels::Kernels& kernels, const SchedulerOptions& scheduler,
                     const std::vector<Work>& work, bool until_all_admitted = false) const {
    return [this, &kernels, scheduler, &work, until_all_admitted]() -> Result<RunStats> {
      StepLog log;
      ASSIGN_OR_RETURN(const auto drivable,
                       drive_engine(m_.model, kernels, {scheduler, m_.kv_dtype}, log));
      return drive(*drivable, log, work, {.until_all_admitted = until_all_admitted});
    };
  }

  // Every option as the engine has it by default, but for the prefix cache, which some baselines
  // cannot have, so that none shall.
  SchedulerOptions scheduler(int64_t num_blocks) const {
    SchedulerOptions options;
    options.max_model_len = static_cast<int32_t>(sizes_.max_model_len);
    options.max_num_seqs = kMaxNumSeqs;
    options.max_num_batched_tokens = 512;
    options.kv.num_blocks = static_cast<int32_t>(num_blocks);
    options.kv.enable_prefix_caching = false;
    return options;
  }
  int64_t blocks_for_requests(double requests) const {
    const auto piece = engine::blocks_for(static_cast<int32_t>(sizes_.max_model_len));
    return static_cast<int64_t>(requests * piece);
  }
  int64_t vocab() const { return m_.model.config().vocab_size; }

  // The median round by ratio.
  void add_row(const Label& label, const Rounds& rounds, size_t off, size_t on,
               const Metric& metric) {
    std::vector<AblationRow> candidates;
    for (const std::vector<RunStats>& round : rounds.runs) {
      AblationRow row;
      row.technique = label.technique;
      row.measure = label.measure;
      row.unit = label.unit;
      row.basis = label.basis;
      row.driver = "model";
      row.more_is_better = label.more_is_better;
      row.published = label.published;
      row.off = metric(round[off]);
      row.on = metric(round[on]);
      row.ratio = row.more_is_better ? row.on / row.off : row.off / row.on;
      candidates.push_back(std::move(row));
    }
    std::sort(candidates.begin(), candidates.end(),
              [](const AblationRow& a, const AblationRow& b) { return a.ratio < b.ratio; });
    AblationRow& row = candidates[candidates.size() / 2];
    row.rounds = static_cast<int64_t>(candidates.size());
    if (!row.published || !row.reproduces()) row.note = label.note;
    rows_.push_back(std::move(row));
  }

  // Milliseconds of a step that decodes for `low` to `high` requests.
  static double step_ms(const RunStats& stats, int32_t low, int32_t high) {
    double seconds = 0;
    int64_t count = 0;
    for (const StepRecord& step : stats.steps) {
      if (step.num_tokens != step.num_requests || step.num_requests < low ||
          step.num_requests > high) {
        continue;
      }
      seconds += step.seconds;
      ++count;
    }
    return count == 0 ? 0 : seconds / static_cast<double>(count) * 1000;
  }

  Status paging(double seconds);
  Status attention(double seconds);
  Status kv_cache(double seconds);
  Status prefix_cache(double seconds);
  Status batching(int32_t batch, double seconds);

  const AblationModel& m_;
  const AblationSizes& sizes_;
  double seconds_;
  const std::function<void(double)>& progress_;
  double shared_ = 0;
  std::vector<AblationRow> rows_;
};

double output_rate(const RunStats& s) { return s.all.output_tokens_per_s(); }
double first_token_ms(const RunStats& s) { return 1000 * mean(s.first_token_s); }

// Contiguous reservation against blocks; and against both, the loop that has neither blocks nor
// continuous batches.
Status Ablation::paging(double seconds) {
  const auto work = exponential_requests(sizes_.paging_requests, sizes_.paging_prompt,
                                         sizes_.paging_output, sizes_.max_model_len, vocab());
  const SchedulerOptions paged = scheduler(blocks_for_requests(sizes_.pieces));
  SchedulerOptions contiguous = paged;
  contiguous.kv.reservation = KvReservation::kContiguous;
  SchedulerOptions naive = contiguous;
  naive.static_batches = true;
  ASSIGN_OR_RETURN(const Rounds rounds, Rounds::of({engine_run(m_.flash, naive, work),
                                                    engine_run(m_.flash, contiguous, work),
                                                    engine_run(m_.flash, paged, work)},
                                                   seconds));
  const RunStats& on = rounds.runs.front()[2];
  const auto many = static_cast<int32_t>(on.busy.mean_held());
  const auto few = static_cast<int32_t>(sizes_.pieces);
  const std::string cost = fmt::format(
      "A step takes {:.1f} ms with {}–{} requests and {:.1f} ms with {}–{}: where arithmetic is "
      "the "
      "limit and not memory bandwidth, more requests at once gain less.",
      step_ms(rounds.runs.front()[1], few - 1, few), few - 1, few, step_ms(on, many - 4, many + 4),
      many - 4, many + 4);
  add_row({"paging", "requests at once, this model", "", "count"}, rounds, 1, 2,
          [](const RunStats& s) { return s.busy.mean_held(); });
  add_row({"paging", "KV memory in use of reserved, this model", "%", "count"}, rounds, 1, 2,
          [](const RunStats& s) { return 100 * s.busy.filled_of_reserved(); });
  const auto token_bytes =
      static_cast<double>(engine::KvMemory::bytes_per_token(m_.model.config(), m_.kv_dtype));
  add_row({"paging", "KV memory wasted: reserved, unused", "bytes", "count", false}, rounds, 1, 2,
          [token_bytes](const RunStats& s) { return token_bytes * s.busy.mean_unfilled(); });
  add_row({"paging", "throughput", "tokens/s", "time", true, {}, cost}, rounds, 1, 2, output_rate);
  add_row({"paging", "time to first token", "ms", "time", false}, rounds, 1, 2, first_token_ms);
  const double in_steps =
      on.all.output_tokens_per_step() / rounds.runs.front()[0].all.output_tokens_per_step();
  add_row(
      {"all together", "throughput", "tokens/s", "time", true,
       Published{23, "23 × (OPT-13B, A100)"}, fmt::format("{:.1f} × in steps. {}", in_steps, cost)},
      rounds, 0, 2, output_rate);
  add_row({"all together", "tokens a step", "", "steps"}, rounds, 0, 2,
          [](const RunStats& s) { return s.all.output_tokens_per_step(); });
  add_row({"all together", "time to first token", "ms", "time", false}, rounds, 0, 2,
          first_token_ms);
  return {};
}

Status Ablation::attention(double seconds) {
  const auto work = equal_requests(1, sizes_.attention_prompt, sizes_.attention_output, vocab());
  const auto length = static_cast<int32_t>(sizes_.attention_prompt + sizes_.attention_output);
  SchedulerOptions options = scheduler(engine::blocks_for(length) + 1);
  options.max_model_len = length;
  // The prompt in one chunk: all of its scores at once.
  options.max_num_batched_tokens =
      static_cast<int32_t>(std::max<int64_t>(kMaxNumSeqs, sizes_.attention_prompt));
  ASSIGN_OR_RETURN(const Rounds rounds, Rounds::of({engine_run(m_.materialised, options, work),
                                                    engine_run(m_.flash, options, work)},
                                                   seconds));
  AblationRow row;
  row.technique = "flash attention";
  row.measure = fmt::format("peak memory of attention, {} tokens", sizes_.attention_prompt);
  row.unit = "bytes";
  row.basis = "count";
  row.driver = "model";
  row.more_is_better = false;
  row.off = static_cast<double>(m_.materialised.attention_scratch_bytes());
  row.on = static_cast<double>(m_.flash.attention_scratch_bytes());
  row.ratio = row.off / row.on;
  rows_.push_back(row);
  add_row({"flash attention", "time to first token", "ms", "time", false}, rounds, 0, 1,
          first_token_ms);
  add_row({"flash attention", "time between tokens", "ms", "time", false}, rounds, 0, 1,
          [](const RunStats& s) { return 1000 * percentile(s.between_tokens_s, 50); });
  return {};
}

Status Ablation::kv_cache(double seconds) {
  const auto work = equal_requests(sizes_.kv_requests, sizes_.kv_prompt, sizes_.kv_output, vocab());
  const SchedulerOptions kept =
      scheduler(blocks_for_requests(static_cast<double>(sizes_.kv_requests)));
  SchedulerOptions recomputed = kept;
  recomputed.recompute_each_step = true;
  ASSIGN_OR_RETURN(const Rounds rounds, Rounds::of({engine_run(m_.flash, recomputed, work),
                                                    engine_run(m_.flash, kept, work)},
                                                   seconds));
  add_row(
      {"KV cache", fmt::format("tokens computed, {} + {} each", sizes_.kv_prompt, sizes_.kv_output),
       "", "count", false},
      rounds, 0, 1, [](const RunStats& s) { return static_cast<double>(s.computed_tokens); });
  add_row({"KV cache", "throughput", "tokens/s", "time"}, rounds, 0, 1, output_rate);
  add_row({"KV cache", "time between tokens", "ms", "time", false}, rounds, 0, 1,
          [](const RunStats& s) { return 1000 * percentile(s.between_tokens_s, 50); });
  return {};
}

Status Ablation::prefix_cache(double seconds) {
  const auto work = grouped_requests(sizes_, vocab());
  const SchedulerOptions none = scheduler(
      blocks_for_requests(static_cast<double>(sizes_.prefix_groups * sizes_.prefix_members)));
  SchedulerOptions cached = none;
  cached.kv.enable_prefix_caching = true;
  ASSIGN_OR_RETURN(
      const Rounds rounds,
      Rounds::of({engine_run(m_.flash, none, work), engine_run(m_.flash, cached, work)}, seconds));
  add_row({"prefix cache",
           fmt::format("tokens computed, {} × {} share {} of {}", sizes_.prefix_groups,
                       sizes_.prefix_members, sizes_.prefix_shared,
                       sizes_.prefix_shared + sizes_.prefix_own),
           "", "count", false},
          rounds, 0, 1, [](const RunStats& s) { return static_cast<double>(s.computed_tokens); });
  add_row(
      {"prefix cache", "throughput", "tokens/s", "time", true, Published{5, "up to 5–6 ×"},
       "The published ratio is that of the most favourable of its workloads; the tokens computed "
       "bound this one."},
      rounds, 0, 1, output_rate);
  add_row({"prefix cache", "time to first token", "ms", "time", false}, rounds, 0, 1,
          first_token_ms);
  return {};
}

Status Ablation::batching(int32_t batch, double seconds) {
  const auto work = exponential_requests(sizes_.num_batches * batch, 0, sizes_.batch_output,
                                         sizes_.max_model_len, vocab());
  SchedulerOptions options = scheduler(blocks_for_requests(batch));
  options.max_num_seqs = batch;
  SchedulerOptions waiting = options;
  waiting.static_batches = true;
  ASSIGN_OR_RETURN(const Rounds rounds, Rounds::of({engine_run(m_.flash, waiting, work),
                                                    engine_run(m_.flash, options, work, true)},
                                                   seconds));
  const RunStats& off = rounds.runs.front()[0];
  const RunStats& on = rounds.runs.front()[1];
  const int32_t few = std::max(1, batch / 8);
  double h = 0;
  for (int i = 1; i <= batch; ++i) h += 1.0 / i;
  const double in_steps = on.all.output_tokens_per_step() / off.all.output_tokens_per_step();
  add_row(
      {"continuous batching", fmt::format("throughput, batch {}", batch), "tokens/s", "time", true,
       Published{h, fmt::format("H{} = {:.1f}", batch, h)},
       fmt::format(
           "{:.1f} × in steps for these {} requests, but a step takes {:.1f} ms with {} and "
           "{:.1f} ms with {}: a batch that empties gets cheaper.",
           in_steps, work.size(), step_ms(off, 1, few),
           few == 1 ? "1 request" : fmt::format("1–{}", few), step_ms(on, batch, batch), batch)},
      rounds, 0, 1, output_rate);
  if (batch == 32) {
    add_row({"continuous batching", "time to first token, batch 32", "ms", "time", false}, rounds,
            0, 1, first_token_ms);
  }
  return {};
}

// Multiplications of a token's matrices, roughly.
double weights_of(const model::ModelConfig& c) {
  const double attention = static_cast<double>(c.hidden_size * c.head_dim) *
                           static_cast<double>(2 * c.n_heads + 2 * c.n_kv_heads);
  const double mlp = 3.0 * static_cast<double>(c.hidden_size * c.intermediate_size);
  return static_cast<double>(c.n_layers) * (attention + mlp) +
         static_cast<double>(c.vocab_size * c.hidden_size);
}

}  // namespace

AblationSizes AblationSizes::for_model(const model::ModelConfig& config) {
  // Two cores compute a few thousand tokens a second with 15 M weights, tens with 600 M.
  constexpr double kLarge = 1e8;
  AblationSizes s{};
  s.pieces = 7.66;
  s.scheduler_requests = 2000;
  s.scheduler_batches = 200;
  if (weights_of(config) < kLarge) {
    s.max_model_len = std::min<int64_t>(256, config.max_model_len);
    s.paging_requests = 192;
    s.paging_prompt = 20;
    s.paging_output = 42;
    s.num_batches = 12;
    s.batch_output = 24;
    s.kv_requests = 4;
    s.kv_prompt = s.max_model_len / 4;
    s.kv_output = s.max_model_len / 4;
    s.prefix_groups = 4;
    s.prefix_members = 12;
    s.prefix_shared = s.max_model_len * 3 / 4;
    s.prefix_own = 4;
    s.prefix_output = 8;
    s.attention_prompt = s.max_model_len - 32;
    s.attention_output = 32;
  } else {
    s.max_model_len = std::min<int64_t>(128, config.max_model_len);
    s.paging_requests = 32;
    s.paging_prompt = 10;
    s.paging_output = 21;
    s.num_batches = 3;
    s.batch_output = 6;
    s.kv_requests = 1;
    s.kv_prompt = 16;
    s.kv_output = 16;
    s.prefix_groups = 1;
    s.prefix_members = 10;
    s.prefix_shared = s.max_model_len * 3 / 4;
    s.prefix_own = 2;
    s.prefix_output = 3;
    s.attention_prompt = std::min<int64_t>(384, config.max_model_len - 8);
    s.attention_output = 8;
  }
  return s;
}

Result<std::vector<AblationRow>> run_ablation(const AblationModel& model,
                                              const AblationSizes& sizes, double seconds,
                                              const std::function<void(double)>& progress) {
  auto rows = Ablation(model, sizes, seconds, progress).run();
  if (progress) progress(1);
  return rows;
}

}  // namespace orrery::cli
