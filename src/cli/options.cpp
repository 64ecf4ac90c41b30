#include "cli/options.h"

#include <array>
#include <limits>

#include "base/topology.h"
#include "cli/terminal.h"
#include "kernels/cpu/cpu_kernels.h"

namespace orrery::cli {
namespace {

constexpr int64_t kMaxInt32 = std::numeric_limits<int32_t>::max();

std::function<Status(std::string_view)> set_i32(int32_t& target, int64_t low, int64_t high) {
  return [&target, low, high](std::string_view value) -> Status {
    int64_t parsed = 0;
    RETURN_IF_ERROR(set_int(parsed, low, high)(value));
    target = static_cast<int32_t>(parsed);
    return {};
  };
}

std::function<Status(std::string_view)> set_optional_i32(std::optional<int32_t>& target,
                                                         int64_t low, int64_t high) {
  return [&target, low, high](std::string_view value) -> Status {
    int64_t parsed = 0;
    RETURN_IF_ERROR(set_int(parsed, low, high)(value));
    target = static_cast<int32_t>(parsed);
    return {};
  };
}

}  // namespace

Flag activation_bits_flag(int64_t& target) {
  return {"--activation-bits",
          0,
          "N",
          "of what meets block formats: 16, or 8, coarser; bf16 for bf16",
          set_int(target, 8, 16),
          {"8", "16"}};
}

kernels::Activations activations_of(int64_t bits) {
  return bits == 8 ? kernels::Activations::kByte : kernels::Activations::kTwoBytes;
}

Flag kv_cache_dtype_flag(std::string& target) {
  return {"--kv-cache-dtype",
          0,
          "TYPE",
          "auto, float32, bfloat16, int8 or fp8",
          set_text(target),
          {"auto", "float32", "bfloat16", "bf16", "int8", "fp8", "fp8_e4m3"}};
}

std::vector<Flag> kv_memory_flags(engine::MemoryOptions& target) {
  return {
      {"--kv-cache-memory", 0, "BYTES", "of the KV blocks, e.g. 2GiB (default: by the machine)",
       [&target](std::string_view value) -> Status {
         ASSIGN_OR_RETURN(target.kv_cache_memory_bytes, engine::parse_bytes(value));
         return {};
       }},
      {"--num-kv-blocks", 0, "N", "KV blocks of 16 tokens, instead of bytes",
       set_optional_int(target.num_kv_blocks, 1, kMaxInt32 / kernels::KvCache::kBlockSize)},
      {"--block-size", 0, "N", "tokens of a KV block: 16, the only one there is",
       [](std::string_view value) -> Status {
         int64_t tokens = 0;
         return set_int(tokens, kernels::KvCache::kBlockSize, kernels::KvCache::kBlockSize)(value);
       }},
  };
}

engine::MemoryOptions service_memory(const EngineOptions& engine, engine::MemoryOptions pool,
                                     int64_t max_num_seqs) {
  pool.max_model_len = engine.llm.max_model_len;
  pool.max_num_seqs = max_num_seqs;
  pool.max_num_batched_tokens = std::max(engine.llm.max_num_batched_tokens, max_num_seqs);
  return pool;
}

std::vector<Flag> EngineOptions::flags() {
  return {
      {"--max-model-len", 0, "N", "tokens of prompt and answer together (default: the model's)",
       set_optional_int(llm.max_model_len, 1, kMaxInt32)},
      {"--max-num-batched-tokens", 0, "N", "tokens of a prefill chunk (default 512)",
       set_int(llm.max_num_batched_tokens, 1, 1 << 20)},
      kv_cache_dtype_flag(llm.kv_cache_dtype),
      {"--dtype",
       0,
       "TYPE",
       "auto, float32 or bfloat16",
       set_text(llm.dtype),
       {"auto", "float32", "bfloat16"}},
      {"--quantization",
       0,
       "FORMAT",
       "quantise on loading: q8_0, q4_0 or q4_k (default auto: do not)",
       set_text(llm.quantization),
       {"auto", "none", "q8_0", "q4_0", "q4_k"}},
      {"--load-format",
       0,
       "FORMAT",
       "the checkpoint must be: auto, safetensors or gguf",
       set_text(llm.load_format),
       {"auto", "safetensors", "gguf"}},
      {"--generation-config", 0, "FOLDER",
       "sampling defaults: auto (the checkpoint's), none, or a folder's",
       set_text(llm.generation_config)},
      {"--threads", 0, "N", "threads of the kernels (default: one per CPU)",
       set_int(threads, 0, 4096)},
      {"--bind-threads", 0, "", "each to a CPU of its own: where other processes are busy",
       set_switch(bind_threads)},
      {"--cpu-isa", 0, "NAME",
       "kernels: amx, avx512bf16, avx512vnni, avx512, avxvnni, avx2, scalar", set_text(cpu_isa)},
      activation_bits_flag(activation_bits),
      {"--pack-cache", 0, "FOLDER",
       "keeps repacked weights (default: large ones in ~/.cache/orrery)", set_text(pack_cache)},
      {"--pack-cache-gib", 0, "N", "that folder's bound, beside half of the disk (default 100)",
       set_int(pack_cache_gib, 1, 1 << 20)},
      {"--no-pack-cache", 0, "", "repack at each start, keep nothing",
       set_switch(use_pack_cache, false)},
      {"--tokenizer", 0, "PATH", "a tokenizer file or folder instead of the model's",
       set_text(llm.tokenizer)},
      {"--chat-template", 0, "FILE", "a chat template instead of the model's",
       set_text(llm.chat_template)},
  };
}

std::vector<Flag> SamplingOptions::flags() {
  sampler::SamplingParams& s = params.sampling;
  return {
      {"--max-tokens", 'n', "N", "tokens to generate at most (default 128)",
       set_int(params.max_tokens, 1, kMaxInt32)},
      {"--min-tokens", 0, "N", "tokens before it may end", set_i32(s.min_tokens, 0, kMaxInt32)},
      {"--temperature", 0, "T", "0: greedy (default 0 for run, 1 for chat)",
       set_double(s.temperature, 0, 100)},
      {"--top-k", 0, "K", "keep the K most probable tokens", set_i32(s.top_k, -1, kMaxInt32)},
      {"--top-p", 0, "P", "keep the most probable tokens up to P", set_double(s.top_p, 0, 1)},
      {"--min-p", 0, "P", "keep tokens with at least P of the best one's probability",
       set_double(s.min_p, 0, 1)},
      {"--typical-p", 0, "P", "keep the most typical tokens up to P",
       set_double(s.typical_p, 0, 1)},
      {"--repetition-penalty", 0, "X", "divide logits of tokens seen before",
       set_double(s.repetition_penalty, 0.001, 1000)},
      {"--frequency-penalty", 0, "X", "subtract per occurrence in the answer",
       set_double(s.frequency_penalty, -2, 2)},
      {"--presence-penalty", 0, "X", "subtract once if in the answer",
       set_double(s.presence_penalty, -2, 2)},
      {"--seed", 0, "S", "of the random draws (default 0)",
       set_optional_int(s.seed, 0, std::numeric_limits<int64_t>::max())},
      {"--stop", 0, "S", "end before this text; may be repeated", append_text(params.stop)},
      {"--ignore-eos", 0, "", "go on after the end-of-sequence token",
       set_switch(params.ignore_eos)},
      {"--logprobs", 0, "K", "log-probabilities of the K best per token",
       set_optional_i32(s.logprobs, 0, kMaxInt32)},
      {"--prompt-logprobs", 0, "K", "the same for the prompt",
       set_optional_i32(s.prompt_logprobs, 0, kMaxInt32)},
  };
}

weights::PackCacheOptions EngineOptions::pack_cache_options() const {
  weights::PackCacheOptions cache;
  if (!use_pack_cache) return cache;
  cache.folder = pack_cache.empty() ? weights::default_pack_cache_folder() : pack_cache;
  cache.max_bytes = pack_cache_gib << 30;
  if (!pack_cache.empty()) cache.min_bytes = 0;
  return cache;
}

Result<std::unique_ptr<llm::Llm>> load_llm(const EngineOptions& options) {
  interleave_memory(nodes_of(usable_cpus()));  // before there is a thread or a weight
  ASSIGN_OR_RETURN(auto kernels, kernels::cpu::make_cpu_kernels(
                                     options.cpu_isa, static_cast<int>(options.threads),
                                     {.activations = activations_of(options.activation_bits),
                                      .bind_threads = options.bind_threads}));
  llm::LlmOptions llm = options.llm;
  llm.pack_cache = options.pack_cache_options();
  return llm::Llm::load(llm, std::move(kernels), progress_bar("packing weights"));
}

std::vector<Flag> join(std::vector<Flag> a, std::vector<Flag> b) {
  a.insert(a.end(), std::make_move_iterator(b.begin()), std::make_move_iterator(b.end()));
  return a;
}

}  // namespace orrery::cli
