// Flags that several commands share.
#pragma once

#include <memory>
#include <vector>

#include "cli/flags.h"
#include "engine/memory_plan.h"
#include "kernels/activations.h"
#include "llm/llm.h"

namespace orrery::cli {

// How to load a model: --max-model-len, --dtype, --threads, --cpu-isa, ...
struct EngineOptions {
  llm::LlmOptions llm;
  int64_t threads = 0;  // 0: one per CPU
  bool bind_threads = false;
  std::string cpu_isa;  // empty: the best
  int64_t activation_bits = 16;
  std::string pack_cache;  // folder; empty: the user's own
  bool use_pack_cache = true;
  int64_t pack_cache_gib = 100;

  std::vector<Flag> flags();
  weights::PackCacheOptions pack_cache_options() const;
};

// How to sample: --max-tokens, --temperature, --top-p, --stop, ...
struct SamplingOptions {
  llm::GenerationParams params;
  std::vector<Flag> flags();
};

// --activation-bits.
Flag activation_bits_flag(int64_t& target);
kernels::Activations activations_of(int64_t bits);

// --kv-cache-dtype.
Flag kv_cache_dtype_flag(std::string& target);
// How large the pool of KV blocks is: --kv-cache-memory, --num-kv-blocks.
std::vector<Flag> kv_memory_flags(engine::MemoryOptions& target);

// What must fit beside the weights for a service of so many sequences with a pool as in `pool`.
engine::MemoryOptions service_memory(const EngineOptions& engine, engine::MemoryOptions pool,
                                     int64_t max_num_seqs);

// Builds the kernels and loads the model with a progress bar on stderr.
Result<std::unique_ptr<llm::Llm>> load_llm(const EngineOptions& options);

// Joins tables of flags.
std::vector<Flag> join(std::vector<Flag> a, std::vector<Flag> b);

}  // namespace orrery::cli
