// orrery bench ablation: each technique off and on.
#include <chrono>

#include "base/thread_pool.h"
#include "cli/ablation.h"
#include "cli/bench.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/limits.h"

namespace orrery::cli {
namespace {

struct Options {
  EngineOptions engine;
  int64_t seconds = 150;
  std::string plot;
  bool json = false;
};

Status bench(Options& options) {
  const auto start = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(const auto* table, kernels::cpu::choose_table(options.engine.cpu_isa));
  if (options.engine.threads == 0) options.engine.threads = ThreadPool(0).num_threads();
  const int threads = static_cast<int>(options.engine.threads);
  ASSIGN_OR_RETURN(const auto llm, load_llm(options.engine));
  ASSIGN_OR_RETURN(
      const auto materialised,
      kernels::cpu::make_cpu_kernels(options.engine.cpu_isa, threads,
                                     {.activations = activations_of(options.engine.activation_bits),
                                      .attention = kernels::cpu::AttentionMethod::kMaterialised}));
  ASSIGN_OR_RETURN(const auto limits, kernels::cpu::measure_limits(*table, threads));
  const AblationModel model{llm->model(), llm->kernels(), *materialised, llm->kv_dtype()};
  ASSIGN_OR_RETURN(const std::vector<AblationRow> rows,
                   run_ablation(model, AblationSizes::for_model(llm->model().config()),
                                static_cast<double>(options.seconds), progress_bar("measuring")));
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const std::string subject =
      fmt::format("{}, {}, {} threads, {}", options.engine.llm.model, bench_format(*llm),
                  options.engine.threads, llm->kernels().name());
  if (!options.plot.empty()) {
    RETURN_IF_ERROR(write_file(options.plot, ablation_plot(rows, subject)));
  }
  if (options.json) {
    OrderedJson json = bench_header(options.engine, *llm, limits);
    json["seconds"] = seconds;
    json["ablation"] = ablation_json(rows);
    fmt::print("{}\n", dump_json(json));
  } else {
    fmt::print("{}; {:.0f} s\n\n{}", subject, seconds, ablation_table(rows));
  }
  return {};
}

}  // namespace

int bench_ablation_command(Args args) {
  Options options;
  std::vector<Flag> flags = {
      {"--seconds", 0, "N", "time to spend; at least one round of everything (default 150)",
       set_int(options.seconds, 0, 86'400)},
      {"--plot", 0, "FILE", "write a picture, as SVG", set_text(options.plot)},
      {"--json", 0, "", "one JSON object", set_switch(options.json)},
  };
  std::vector<std::string> positional;
  flags = join(std::move(flags), options.engine.flags());
  const auto code = parse_command_line("bench ablation", "bench ablation [MODEL] [flags]", args,
                                       std::move(flags), 1, positional);
  if (code) return *code;
  if (!positional.empty()) options.engine.llm.model = positional[0];
  const Status status = bench(options);
  return status.ok() ? kDone : report("bench ablation", status);
}

}  // namespace orrery::cli
