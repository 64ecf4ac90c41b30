// orrery replay: runs a recording again and checks that the same happens, bit for bit.
#include "engine/replay.h"

#include <cstdio>

#include "cli/commands.h"
#include "cli/options.h"
#include "engine/recording.h"
#include "llm/identity.h"
#include "trace/event_file.h"
#include "weights/memory_limits.h"

namespace orrery::cli {
namespace {

constexpr std::string_view kUsage_ = "replay FILE [flags]";

struct ReplayOptions {
  std::string model;
  int64_t threads = 0;

  std::vector<Flag> flags() {
    return {
        {"--model", 0, "MODEL", "where the model is now, if not where it was recorded",
         set_text(model)},
        {"--threads", 0, "N", "threads of the kernels (default: one per CPU)",
         set_int(threads, 0, 4096)},
    };
  }
};

// The model as it was loaded for the recording.
Result<EngineOptions> loading_options(const Json& metadata, const ReplayOptions& options) {
  EngineOptions engine;
  const auto text = [&](const char* key, std::string& target) -> Status {
    if (!metadata.contains(key) || !metadata[key].is_string())
      return malformed("metadata: {}: expected a text", key);
    target = metadata[key].get<std::string>();
    return {};
  };
  RETURN_IF_ERROR(text("model", engine.llm.model));
  RETURN_IF_ERROR(text("isa", engine.cpu_isa));
  RETURN_IF_ERROR(text("dtype", engine.llm.dtype));
  RETURN_IF_ERROR(text("kv_cache_dtype", engine.llm.kv_cache_dtype));
  RETURN_IF_ERROR(text("quantization", engine.llm.quantization));
  const Json bits = metadata.value("activation_bits", Json(16));
  if (bits != 8 && bits != 16) return malformed("metadata: activation_bits: expected 8 or 16");
  engine.activation_bits = bits.get<int64_t>();
  if (!metadata.contains("max_model_len") || !metadata["max_model_len"].is_number_unsigned())
    return malformed("metadata: max_model_len: expected a number");
  engine.llm.max_model_len = metadata["max_model_len"].get<int64_t>();
  if (!options.model.empty()) engine.llm.model = options.model;
  engine.threads = options.threads;
  return engine;
}

// A file may ask for any pool.
Status check_pool(const model::ModelConfig& config, const engine::EngineOptions& options) {
  ASSIGN_OR_RETURN(const weights::MemoryLimits limits, weights::read_memory_limits());
  const int64_t bytes_per_block =
      engine::kBlockSize * engine::KvMemory::bytes_per_token(config, options.kv_dtype);
  const int64_t num_blocks = options.scheduler.kv.num_blocks;
  if (num_blocks > limits.available_bytes() / bytes_per_block) {
    return resource_exhausted("KV cache of {} blocks of {}: there are {}", num_blocks,
                              weights::format_bytes(bytes_per_block),
                              weights::format_bytes(limits.available_bytes()));
  }
  return {};
}

Result<engine::ReplayResult> replay(const std::string& path, const ReplayOptions& options,
                                    bool& complete) {
  ASSIGN_OR_RETURN(const trace::EventFile file, trace::read_event_file(path));
  ASSIGN_OR_RETURN(const Json metadata, parse_json(file.metadata, path + ": metadata"));
  if (!metadata.is_object() || !metadata.contains("recording") || !metadata.contains("engine"))
    return malformed("{}: metadata: expected the settings of an engine", path);
  ASSIGN_OR_RETURN(const engine::EngineOptions engine_options,
                   engine::engine_options_from_json(metadata["engine"]));
  ASSIGN_OR_RETURN(const EngineOptions loading, loading_options(metadata, options));
  ASSIGN_OR_RETURN(const auto llm, load_llm(loading));
  const std::string identity = llm::model_identity(llm->checkpoint());
  if (metadata.value("identity", Json()) != identity) {
    return invalid_argument("{}: expected the model that was recorded, {}, got another, {}",
                            loading.llm.model, dump_json(metadata.value("identity", Json())),
                            identity);
  }
  RETURN_IF_ERROR(check_pool(llm->model().config(), engine_options));
  complete = file.complete;
  return engine::replay(llm->model(), llm->kernels(), engine_options, file.events, file.complete);
}

}  // namespace

int replay_command(Args args) {
  ReplayOptions options;
  std::vector<std::string> positional;
  if (const auto code = parse_command_line("replay", kUsage_, args, options.flags(), 1, positional))
    return *code;
  if (positional.empty()) return report("replay", invalid_argument("expected a recording"), kUsage);
  bool complete = true;
  const auto result = replay(positional[0], options, complete);
  if (!result.ok()) return report("replay", result.status());
  if (result->difference) {
    fmt::print("differs: {}\n", to_string(*result->difference));
    return kFailed;
  }
  fmt::print("identical: {} steps, {} events compared{}\n", result->num_steps, result->num_events,
             complete ? "" : "; the recording was cut off");
  return kDone;
}

}  // namespace orrery::cli
