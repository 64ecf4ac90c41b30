// orrery inspect: what is in a checkpoint, and whether it fits into this machine's memory.
#include <cstdio>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "engine/kv_memory.h"
#include "engine/memory_plan.h"
#include "kernels/packed.h"
#include "llm/model_files.h"
#include "model/registry.h"
#include "weights/memory_limits.h"
#include "weights/pack_cache.h"

namespace orrery::cli {
namespace {

struct Report {
  const weights::Checkpoint& checkpoint;
  Result<model::ModelConfig> config;
  Result<std::unique_ptr<tokenizer::Tokenizer>> tokenizer;
  std::optional<engine::MemoryPlan> plan;
  std::optional<weights::PackFile> packed;  // what a start without --quantization would use
};

std::string_view name_of(weights::Checkpoint::Format format) {
  switch (format) {
    case weights::Checkpoint::Format::kSafetensors:
      return "safetensors";
    case weights::Checkpoint::Format::kGguf:
      return "gguf";
    case weights::Checkpoint::Format::kSynthetic:
      return "synthetic";
  }
  return "";
}

struct Options {
  bool json = false, tensors = false, verify = false;
  std::string pack_cache;
  std::string kv_cache_dtype = "auto";
  engine::MemoryOptions memory;

  std::vector<Flag> flags() {
    std::vector<Flag> own = {
        {"--tensors", 0, "", "list every tensor", set_switch(tensors)},
        {"--json", 0, "", "one JSON object", set_switch(json)},
        {"--pack-cache", 0, "FOLDER", "where repacked weights may lie (default ~/.cache/orrery)",
         set_text(pack_cache)},
        {"--verify", 0, "", "compare the sums of all bytes of the repacked weights",
         set_switch(verify)},
        {"--max-model-len", 0, "N",
         "of a request in the memory plan (default: as trained, or what fits)",
         set_optional_int(memory.max_model_len, 1, INT32_MAX)},
        {"--max-num-batched-tokens", 0, "N", "tokens of a step in the memory plan (default 2048)",
         set_int(memory.max_num_batched_tokens, 1, 1 << 20)},
        {"--max-num-seqs", 0, "N", "requests at once in the memory plan (default 256)",
         set_int(memory.max_num_seqs, 1, 1 << 20)},
        kv_cache_dtype_flag(kv_cache_dtype),
    };
    return join(std::move(own), kv_memory_flags(memory));
  }
};

Result<Report> examine(const weights::Checkpoint& checkpoint, const Options& options) {
  Report report{checkpoint,
                model::parse_model_config(checkpoint.config(), checkpoint.name()),
                llm::load_tokenizer(checkpoint),
                {},
                {}};
  const std::string folder =
      options.pack_cache.empty() ? weights::default_pack_cache_folder() : options.pack_cache;
  auto packed = weights::open_pack(checkpoint, kernels::kPanelLayout, {}, folder);
  if (packed.ok()) report.packed = std::move(packed).value();
  if (report.packed && options.verify) RETURN_IF_ERROR(report.packed->verify());
  if (!report.config.ok()) return report;
  const model::ModelConfig& c = *report.config;
  ASSIGN_OR_RETURN(const auto limits, weights::read_memory_limits());
  engine::MemoryOptions memory = options.memory;
  memory.kv_dtype = engine::kv_dtype_from_name(options.kv_cache_dtype)
                        .value_or(c.torch_dtype == "float32" ? DType::kF32 : DType::kBF16);
  report.plan = engine::plan_memory(checkpoint, c, memory, limits);
  return report;
}

OrderedJson architecture_json(const model::ModelConfig& c) {
  return {{"model_type", c.model_type},
          {"hidden_size", c.hidden_size},
          {"intermediate_size", c.intermediate_size},
          {"num_hidden_layers", c.n_layers},
          {"num_attention_heads", c.n_heads},
          {"num_key_value_heads", c.n_kv_heads},
          {"head_dim", c.head_dim},
          {"vocab_size", c.vocab_size},
          {"max_position_embeddings", c.max_position_embeddings},
          {"tie_word_embeddings", c.tied_embeddings}};
}

OrderedJson memory_json(const engine::MemoryPlan& p) {
  return {{"fits", p.fits},
          {"weight_bytes", p.weight_bytes},
          {"activation_bytes", p.activation_bytes},
          {"kv_cache_dtype", name(p.kv_dtype)},
          {"kv_bytes_per_token", p.kv_bytes_per_token},
          {"kv_bytes_per_block", p.kv_bytes_per_block},
          {"num_kv_blocks", p.num_kv_blocks},
          {"kv_bytes", p.kv_bytes},
          {"max_model_len", p.max_model_len},
          {"full_requests", p.full_requests()},
          {"needed_bytes", p.needed_bytes},
          {"available_bytes", p.available_bytes},
          {"verdict", p.verdict}};
}

OrderedJson to_json(const Report& r, bool tensors) {
  OrderedJson json = {{"model", r.checkpoint.name()}, {"format", name_of(r.checkpoint.format())}};
  if (r.config.ok()) {
    json["architecture"] = architecture_json(*r.config);
    json["supported"] = true;
  } else {
    json["architecture"] = nullptr;
    json["supported"] = false;
    json["error"] = r.config.status().message();
  }
  int64_t parameters = 0, bytes = 0;
  OrderedJson dtypes = OrderedJson::object(), list = OrderedJson::array();
  for (const auto& tensor : r.checkpoint.tensors()) {
    parameters += tensor.shape.elements();
    bytes += tensor.bytes;
    dtypes[tensor.dtype_name] = dtypes.value(tensor.dtype_name, 0) + 1;
    std::vector<int64_t> shape;
    for (int i = 0; i < tensor.shape.rank(); ++i) shape.push_back(tensor.shape[i]);
    if (tensors)
      list.push_back({{"name", tensor.name},
                      {"dtype", tensor.dtype_name},
                      {"shape", shape},
                      {"bytes", tensor.bytes}});
  }
  json["tensors"] = r.checkpoint.tensors().size();
  json["parameters"] = parameters;
  json["bytes"] = bytes;
  json["dtypes"] = dtypes;
  if (tensors) json["tensor_list"] = list;
  json["tokenizer"] = r.tokenizer.ok() ? OrderedJson({{"vocab_size", (*r.tokenizer)->vocab_size()}})
                                       : OrderedJson(nullptr);
  if (r.plan) {
    json["memory"] = memory_json(*r.plan);
  }
  json["packed"] = r.packed
                       ? OrderedJson({{"file", r.packed->path()}, {"bytes", r.packed->bytes()}})
                       : OrderedJson(nullptr);
  return json;
}

void print_architecture(const Report& r, const Style& s) {
  if (!r.config.ok()) {
    fmt::print("{}architecture{}  unreadable: {}\n", s.bold, s.reset, r.config.status().message());
    return;
  }
  const model::ModelConfig& c = *r.config;
  fmt::print("{}architecture{}  {}\n", s.bold, s.reset, c.model_type);
  fmt::print("              {} layers, width {}, ffn {}, {} heads of {} over {} kv heads\n",
             c.n_layers, c.hidden_size, c.intermediate_size, c.n_heads, c.head_dim, c.n_kv_heads);
  fmt::print("              vocabulary {}, trained for {} tokens, embeddings {}\n", c.vocab_size,
             c.max_position_embeddings, c.tied_embeddings ? "tied" : "untied");
}

void print_report(const Report& r, bool tensors) {
  const Style s = Style::for_stdout();
  fmt::print("{}{}{}  ({})\n", s.accent, r.checkpoint.name(), s.reset,
             name_of(r.checkpoint.format()));
  print_architecture(r, s);
  int64_t parameters = 0;
  for (const auto& tensor : r.checkpoint.tensors()) parameters += tensor.shape.elements();
  fmt::print("{}weights{}       {} tensors, {:.3g} M parameters\n", s.bold, s.reset,
             r.checkpoint.tensors().size(), static_cast<double>(parameters) / 1e6);
  if (r.plan) {
    for (const auto& group : r.plan->weights) {
      fmt::print("              {:<8} {:>5} tensors  {:>10}\n", group.dtype, group.tensors,
                 weights::format_bytes(group.bytes));
    }
  }
  if (r.packed) {
    fmt::print("              repacked: {} ({})\n", r.packed->path(),
               weights::format_bytes(r.packed->bytes()));
  }
  if (r.tokenizer.ok()) {
    fmt::print("{}tokenizer{}     {} ids\n", s.bold, s.reset, (*r.tokenizer)->vocab_size());
  } else {
    fmt::print("{}tokenizer{}     none: {}\n", s.bold, s.reset, r.tokenizer.status().message());
  }
  if (r.plan)
    fmt::print("{}memory{}        {}{}{}\n{}", s.bold, s.reset, r.plan->fits ? s.good : s.warn,
               r.plan->verdict, s.reset, r.plan->table());
  for (const auto& tensor : r.checkpoint.tensors()) {
    if (tensors)
      fmt::print("  {:<56} {:<6} {}{}\n", tensor.name, tensor.dtype_name, tensor.shape.to_string(),
                 tensor.unsupported.empty() ? "" : "  (" + tensor.unsupported + ")");
  }
}

}  // namespace

int inspect_command(Args args) {
  Options options;
  std::vector<std::string> positional;
  if (const auto code = parse_command_line("inspect", "inspect MODEL [flags]", args,
                                           options.flags(), 1, positional))
    return *code;
  const std::string model = positional.empty() ? "demo" : positional[0];
  const auto checkpoint = llm::open_model(model);
  if (!checkpoint.ok()) return report("inspect", checkpoint.status());
  const auto examined = examine(*checkpoint, options);
  if (!examined.ok()) return report("inspect", examined.status());
  if (options.json) {
    fmt::print("{}\n", dump_json(to_json(*examined, options.tensors)));
  } else {
    print_report(*examined, options.tensors);
  }
  return kDone;
}

}  // namespace orrery::cli
