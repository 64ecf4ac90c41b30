#include "llm/model_files.h"

#include <algorithm>
#include <filesystem>

#include "base/json.h"
#include "llm/demo_model.h"
#include "weights/hf_cache.h"
#include "weights/open_checkpoint.h"

namespace orrery::llm {
namespace {

using tokenizer::Tokenizer;

constexpr const char* kTokenizerJson = "tokenizer.json";
constexpr const char* kTokenizerConfig = "tokenizer_config.json";
// Kept beside the weights under these names; which of the two formats a .model file has is seen
// from its content.
constexpr const char* kOtherTokenizers[] = {"tokenizer.model", "qwen.tiktoken"};

// The JSON file `name` of the folder; an empty object if there is no such file.
Result<OrderedJson> read_json_file(const FileSource* files, std::string_view name) {
  if (files == nullptr || !files->has(name)) return OrderedJson(OrderedJson::object());
  ASSIGN_OR_RETURN(const MappedFile file, files->open(name));
  ASSIGN_OR_RETURN(OrderedJson json, parse_ordered_json(file.text(), file.name()));
  if (!json.is_object()) return malformed("{}: expected a JSON object", file.name());
  return json;
}

std::string text_of(const OrderedJson& config, const char* key) {
  const auto it = config.find(key);
  if (it == config.end()) return {};
  if (it->is_string()) return it->get<std::string>();
  if (it->is_object() && it->contains("content") && (*it)["content"].is_string())
    return (*it)["content"].get<std::string>();
  return {};
}

tokenizer::GgufVocab vocab_of(const weights::Gguf& gguf) {
  const std::string prefix = "tokenizer.ggml.";
  const auto text = [&](const char* key) {
    return std::string(gguf.find_string(prefix + key).value_or(""));
  };
  const auto id = [&](const char* key) -> std::optional<int64_t> {
    const auto value = gguf.find_u64(prefix + key);
    return value ? std::optional(static_cast<int64_t>(*value)) : std::nullopt;
  };
  tokenizer::GgufVocab vocab;
  vocab.model = text("model");
  if (const std::string pre = text("pre"); !pre.empty()) vocab.pre = pre;
  vocab.tokens =
      gguf.find_string_array(prefix + "tokens").value_or(std::vector<std::string_view>());
  vocab.scores = gguf.find_f32_array(prefix + "scores").value_or(std::vector<float>());
  vocab.token_types = gguf.find_i32_array(prefix + "token_type").value_or(std::vector<int32_t>());
  vocab.merges =
      gguf.find_string_array(prefix + "merges").value_or(std::vector<std::string_view>());
  vocab.bos_token_id = id("bos_token_id");
  vocab.eos_token_id = id("eos_token_id");
  vocab.unknown_token_id = id("unknown_token_id");
  vocab.padding_token_id = id("padding_token_id");
  vocab.cls_token_id = id("cls_token_id");
  vocab.seperator_token_id = id("seperator_token_id");
  vocab.add_bos_token = gguf.find_bool(prefix + "add_bos_token");
  vocab.add_eos_token = gguf.find_bool(prefix + "add_eos_token");
  vocab.add_space_prefix = gguf.find_bool(prefix + "add_space_prefix");
  vocab.remove_extra_whitespaces = gguf.find_bool(prefix + "remove_extra_whitespaces");
  if (const auto* charsmap = gguf.find(prefix + "precompiled_charsmap"))
    vocab.precompiled_charsmap = charsmap->bytes;
  return vocab;
}

Result<std::unique_ptr<Tokenizer>> load_from_folder(const FileSource& files) {
  if (files.has(kTokenizerJson)) {
    ASSIGN_OR_RETURN(const MappedFile json, files.open(kTokenizerJson));
    MappedFile config;
    if (files.has(kTokenizerConfig)) {
      ASSIGN_OR_RETURN(config, files.open(kTokenizerConfig));
    }
    return tokenizer::load_tokenizer_json(json, config.text());
  }
  for (const char* name : kOtherTokenizers) {
    if (files.has(name)) return tokenizer::load_any_file(files.name() + "/" + name);
  }
  return not_found("{}: expected a tokenizer.json or tokenizer.model, found none", files.name());
}

void append_ids(const OrderedJson& json, std::vector<int32_t>& ids) {
  if (json.is_array()) {
    for (const OrderedJson& id : json) append_ids(id, ids);
  } else if (json.is_number_integer()) {
    const auto id = json.get<int64_t>();
    const bool fits = id >= 0 && id <= INT32_MAX;
    if (fits && std::find(ids.begin(), ids.end(), static_cast<int32_t>(id)) == ids.end())
      ids.push_back(static_cast<int32_t>(id));
  }
}

}  // namespace

Result<weights::Checkpoint> open_model(const std::string& name) {
  return name == kDemoModel ? weights::Checkpoint::open(demo_files())
                            : weights::open_checkpoint(name);
}

Result<std::unique_ptr<Tokenizer>> load_tokenizer(const weights::Checkpoint& checkpoint) {
  if (checkpoint.gguf() != nullptr)
    return tokenizer::load_gguf_vocab(vocab_of(*checkpoint.gguf()), checkpoint.name());
  if (checkpoint.files() != nullptr) return load_from_folder(*checkpoint.files());
  return not_found("{}: this model has no tokenizer", checkpoint.name());
}

Result<std::unique_ptr<Tokenizer>> load_tokenizer(const std::string& path,
                                                  std::string_view pattern) {
  if (path == kDemoModel) return load_from_folder(*demo_files());
  ASSIGN_OR_RETURN(const std::string resolved, weights::resolve_model_path(path));
  std::error_code error;
  if (std::filesystem::is_directory(resolved, error)) {
    ASSIGN_OR_RETURN(const auto files, open_folder(resolved));
    auto tokenizer = load_from_folder(*files);
    if (tokenizer.ok() || tokenizer.status().code() != StatusCode::kNotFound) return tokenizer;
    ASSIGN_OR_RETURN(const weights::Checkpoint checkpoint, weights::Checkpoint::open(resolved));
    return load_tokenizer(checkpoint);
  }
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(resolved));
  if (!file.text().starts_with("GGUF")) return tokenizer::load_any_file(resolved, pattern);
  ASSIGN_OR_RETURN(const weights::Gguf gguf, weights::Gguf::parse(file.bytes(), resolved));
  return tokenizer::load_gguf_vocab(vocab_of(gguf), resolved);
}

Result<std::string> chat_template_source(const weights::Checkpoint& checkpoint) {
  const FileSource* files = checkpoint.files();
  if (files != nullptr && files->has("chat_template.jinja")) {
    ASSIGN_OR_RETURN(const MappedFile file, files->open("chat_template.jinja"));
    return std::string(file.text());
  }
  if (checkpoint.gguf() != nullptr) {
    return std::string(checkpoint.gguf()->find_string("tokenizer.chat_template").value_or(""));
  }
  ASSIGN_OR_RETURN(const OrderedJson config, read_json_file(files, kTokenizerConfig));
  const auto it = config.find("chat_template");
  if (it == config.end()) return std::string();
  if (it->is_string()) return it->get<std::string>();
  if (it->is_array()) {  // several by name
    for (const OrderedJson& entry : *it) {
      if (entry.is_object() && text_of(entry, "name") == "default")
        return text_of(entry, "template");
    }
  }
  return std::string();
}

Result<std::optional<tokenizer::ChatTemplate>> load_chat_template(
    const weights::Checkpoint& checkpoint, const Tokenizer& tokenizer, const std::string& path) {
  ASSIGN_OR_RETURN(const OrderedJson config, read_json_file(checkpoint.files(), kTokenizerConfig));
  std::string bos = text_of(config, "bos_token"), eos = text_of(config, "eos_token");
  if (bos.empty() && tokenizer.bos_id()) bos = tokenizer.token(*tokenizer.bos_id());
  if (eos.empty() && tokenizer.eos_id()) eos = tokenizer.token(*tokenizer.eos_id());
  if (path.empty() && config.contains("chat_template") && config["chat_template"].is_array()) {
    ASSIGN_OR_RETURN(auto several, tokenizer::ChatTemplate::from_config(
                                       config["chat_template"], bos, eos, checkpoint.name()));
    return std::optional(std::move(several));
  }
  std::string source;
  if (path.empty()) {
    ASSIGN_OR_RETURN(source, chat_template_source(checkpoint));
  } else {
    ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
    source = file.text();
  }
  if (source.empty()) return std::optional<tokenizer::ChatTemplate>();
  ASSIGN_OR_RETURN(auto parsed, tokenizer::ChatTemplate::parse(
                                    source, bos, eos, path.empty() ? checkpoint.name() : path));
  return std::optional(std::move(parsed));
}

Result<std::vector<int32_t>> load_eos_token_ids(const weights::Checkpoint& checkpoint,
                                                const Tokenizer* tokenizer) {
  std::vector<int32_t> ids;
  ASSIGN_OR_RETURN(const OrderedJson generation,
                   read_json_file(checkpoint.files(), "generation_config.json"));
  if (generation.contains("eos_token_id")) append_ids(generation["eos_token_id"], ids);
  if (checkpoint.config().contains("eos_token_id"))
    append_ids(OrderedJson(checkpoint.config()["eos_token_id"]), ids);
  if (tokenizer != nullptr && tokenizer->eos_id())
    append_ids(OrderedJson(*tokenizer->eos_id()), ids);
  return ids;
}

Result<sampler::SamplingParams> load_sampling_defaults(const weights::Checkpoint& checkpoint,
                                                       const std::string& source) {
  sampler::SamplingParams params;
  if (source == "none" || source == "vllm") return params;
  std::unique_ptr<FileSource> folder;
  if (source != "auto") {
    ASSIGN_OR_RETURN(folder, open_folder(source));
    if (!folder->has("generation_config.json"))
      return not_found("{}: expected generation_config.json, found none", source);
  }
  const FileSource* files = folder != nullptr ? folder.get() : checkpoint.files();
  ASSIGN_OR_RETURN(const OrderedJson json, read_json_file(files, "generation_config.json"));
  const auto number = [&](const char* key, double fallback) {
    return json.contains(key) && json[key].is_number() ? json[key].get<double>() : fallback;
  };
  params.temperature = number("temperature", params.temperature);
  params.top_p = number("top_p", params.top_p);
  params.min_p = number("min_p", params.min_p);
  params.repetition_penalty = number("repetition_penalty", params.repetition_penalty);
  params.top_k =
      static_cast<int32_t>(std::clamp(number("top_k", params.top_k), -1.0, 2147483647.0));
  return params;
}

}  // namespace orrery::llm
