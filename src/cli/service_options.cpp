#include "cli/service_options.h"

#include <algorithm>
#include <limits>

namespace orrery::cli {

std::vector<Flag> ServiceFlags::flags() {
  std::vector<Flag> own = {
      {"--served-model-name", 0, "NAME", "what `model` may be in requests; may be repeated",
       append_text(served_model_names)},
      {"--max-num-seqs", 0, "N", "sequences at once in the engine (default 256)",
       set_int(max_num_seqs, 1, 4096)},
      {"--scheduling-policy",
       0,
       "NAME",
       "fcfs, priority or fair (default fcfs)",
       set_text(scheduling_policy),
       {"fcfs", "priority", "fair"}},
      {"--enable-prefix-caching", 0, "", "share the keys and values of equal prefixes (default)",
       set_switch(enable_prefix_caching)},
      {"--no-enable-prefix-caching", 0, "", "do not", set_switch(enable_prefix_caching, false)},
      {"--enable-chunked-prefill", 0, "", "compute long prompts in pieces (default)",
       set_switch(enable_chunked_prefill)},
      {"--no-enable-chunked-prefill", 0, "", "do not", set_switch(enable_chunked_prefill, false)},
      {"--seed", 0, "S", "of requests without one (default: another at each start)",
       set_optional_int(seed, 0, std::numeric_limits<int64_t>::max())},
  };
  return join(std::move(own), kv_memory_flags(memory));
}

llm::ServiceOptions ServiceFlags::service_options(const EngineOptions& engine) const {
  llm::ServiceOptions options;
  options.scheduler.max_num_seqs = static_cast<int32_t>(max_num_seqs);
  options.scheduler.max_num_batched_tokens =
      static_cast<int32_t>(std::max(engine.llm.max_num_batched_tokens, max_num_seqs));
  options.scheduler.policy = scheduling_policy == "priority" ? engine::PolicyKind::kPriority
                             : scheduling_policy == "fair"   ? engine::PolicyKind::kFair
                                                             : engine::PolicyKind::kFcfs;
  options.scheduler.chunked_prefill = enable_chunked_prefill;
  options.scheduler.kv.enable_prefix_caching = enable_prefix_caching;
  options.scheduler.kv.num_blocks = static_cast<int32_t>(memory.num_kv_blocks.value_or(0));
  options.kv_cache_memory_bytes = memory.kv_cache_memory_bytes.value_or(0);
  if (seed) options.seed = static_cast<uint64_t>(*seed);
  return options;
}

std::vector<std::string> ServiceFlags::names(const EngineOptions& engine) const {
  if (served_model_names.empty()) return {engine.llm.model};
  return served_model_names;
}

}  // namespace orrery::cli
