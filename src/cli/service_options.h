// Flags of commands that run many requests at once: serve, ...
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "llm/service.h"

namespace orrery::cli {

// --max-num-seqs, --kv-cache-memory, --scheduling-policy, ...
struct ServiceFlags {
  engine::MemoryOptions memory;
  int64_t max_num_seqs = 256;
  std::string scheduling_policy = "fcfs";
  bool enable_prefix_caching = true;
  bool enable_chunked_prefill = true;
  std::optional<int64_t> seed;
  std::vector<std::string> served_model_names;

  std::vector<Flag> flags();
  llm::ServiceOptions service_options(const EngineOptions& engine) const;
  // The names that requests may use; the model's own if none is given.
  std::vector<std::string> names(const EngineOptions& engine) const;
};

}  // namespace orrery::cli
