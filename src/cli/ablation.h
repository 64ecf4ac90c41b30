// Ablation: what each technique of the engine is worth, off and on, with the same model, memory and
// requests.
//
// Ratios are beside those that were published for the technique. A ratio that does not reproduce
// is reported as that, with the cause where the run shows it. What depends on time runs in pairs,
// off and on in turn, since shared machines drift, and the median pair is reported.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "model/model.h"

namespace orrery::cli {

// The figures of a paper.
struct Published {
  double ratio = 0;  // the least that it claims; "up to" for a limit
  std::string text;
};

struct AblationRow {
  std::string technique;
  std::string measure;
  std::string unit;    // "", "%", "tokens/s", "ms", "bytes", ...
  std::string basis;   // "time", "steps" or "count"; the last two do not depend on speed
  std::string driver;  // "model", or "scheduler": alone, in the published setting
  bool more_is_better = true;
  double off = 0, on = 0;
  double ratio = 1;  // how many times better with the technique
  std::optional<Published> published;
  std::string note;    // why it does not reproduce, or what to know
  int64_t rounds = 1;  // of which this is the median

  // Comes to at least nine tenths of what was published.
  bool reproduces() const { return !published || ratio >= 0.9 * published->ratio; }
};

// How much is run. Lengths are tokens.
struct AblationSizes {
  // Paging: exponential lengths, in memory for `pieces` requests of max_model_len.
  int64_t max_model_len, paging_requests, paging_prompt, paging_output;
  double pieces = 7.66;  // as OPT-13B has on an A100 of 40 GB: 15.7 k tokens in pieces of 2,048
  // Static batches: so many full batches, exponential outputs of this mean.
  int64_t num_batches, batch_output;
  // KV cache.
  int64_t kv_requests, kv_prompt, kv_output;
  // Prefix cache: groups of requests with a common beginning.
  int64_t prefix_groups, prefix_members, prefix_shared, prefix_own, prefix_output;
  // Attention: one long prompt.
  int64_t attention_prompt, attention_output;
  // The scheduler alone.
  int64_t scheduler_requests = 2000, scheduler_batches = 200;

  // That fits five minutes on two cores.
  static AblationSizes for_model(const model::ModelConfig& config);
};

struct AblationModel {
  const model::Model& model;
  kernels::Kernels& flash;
  kernels::Kernels& materialised;  // the same packed weights
  DType kv_dtype;
};

// Spends about `seconds`, and at least one round of everything. Errors: those of the engine.
Result<std::vector<AblationRow>> run_ablation(const AblationModel& model,
                                              const AblationSizes& sizes, double seconds,
                                              const std::function<void(double)>& progress);
// The part that needs no model.
Result<std::vector<AblationRow>> run_ablation_of_scheduler(const AblationSizes& sizes);

OrderedJson ablation_json(const std::vector<AblationRow>& rows);
// At most 100 columns.
std::string ablation_table(const std::vector<AblationRow>& rows);
// An SVG document.
std::string ablation_plot(const std::vector<AblationRow>& rows, const std::string& title);
// "1,234", "0.56", "12.3 MB": a value as tables show it.
std::string ablation_value(double value, const std::string& unit);

}  // namespace orrery::cli
