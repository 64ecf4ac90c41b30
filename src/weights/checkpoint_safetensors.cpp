#include "weights/checkpoint_safetensors.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "weights/safetensors.h"
#include "weights/text.h"

namespace orrery::weights {
namespace {

TensorInfo tensor_info(const SafetensorsTensor& tensor, const std::string& file) {
  TensorInfo result;
  result.name = result.source_name = tensor.name;
  result.dtype_name = tensor.dtype;
  result.file = file;
  result.data = tensor.data.data();
  result.bytes = static_cast<int64_t>(tensor.data.size());
  const std::vector<int64_t> dims(tensor.shape.begin(), tensor.shape.end());
  if (const std::optional<DType> dtype = dtype_from_safetensors(tensor.dtype)) {
    result.dtype = *dtype;
  } else {
    result.unsupported = fmt::format("dtype {}: expected F32, F16 or BF16", tensor.dtype);
  }
  if (dims.size() <= Shape::kMaxRank) {
    result.shape = Shape(dims);
  } else {
    result.unsupported = fmt::format("shape [{}]: expected at most {} dimensions",
                                     fmt::join(dims, ", "), Shape::kMaxRank);
    int64_t elements = 1;
    for (int64_t dim : dims) elements *= dim;
    result.shape = Shape{elements};
  }
  return result;
}

Result<Json> read_config(const FileSource& files) {
  ASSIGN_OR_RETURN(const MappedFile file, files.open("config.json"));
  ASSIGN_OR_RETURN(Json config, parse_json(file.text(), file.name()));
  if (!config.is_object()) return malformed("{}: expected a JSON object", file.name());
  return config;
}

// Adds a file's tensors; with `wanted`, those and no others, and each of them must be there.
Status add_file(Checkpoint::Parts& parts, const std::string& file,
                const std::set<std::string>* wanted) {
  ASSIGN_OR_RETURN(MappedFile mapping, parts.files->open(file));
  ASSIGN_OR_RETURN(const Safetensors header, Safetensors::parse(mapping.bytes(), mapping.name()));
  size_t found = 0;
  for (const SafetensorsTensor& tensor : header.tensors()) {
    if (wanted != nullptr && wanted->count(tensor.name) == 0) continue;
    parts.tensors.push_back(tensor_info(tensor, file));
    ++found;
  }
  if (wanted != nullptr && found < wanted->size()) {
    for (const std::string& tensor : *wanted) {
      const auto& all = header.tensors();
      if (std::none_of(all.begin(), all.end(),
                       [&](const SafetensorsTensor& t) { return t.name == tensor; })) {
        return malformed("{}/{}: tensor {} should be in {}, but is not", parts.files->name(),
                         kSafetensorsIndex, printable(tensor), file);
      }
    }
  }
  parts.mappings.push_back(std::move(mapping));
  return {};
}

// The index's weight_map as shard → tensors.
Result<std::map<std::string, std::set<std::string>>> read_index(const FileSource& files) {
  ASSIGN_OR_RETURN(const MappedFile file, files.open(kSafetensorsIndex));
  ASSIGN_OR_RETURN(const Json index, parse_json(file.text(), file.name(), 8, true));
  const auto map = index.is_object() ? index.find("weight_map") : index.end();
  if (!index.is_object() || map == index.end() || !map->is_object()) {
    return malformed("{}: weight_map: expected an object", file.name());
  }
  std::map<std::string, std::set<std::string>> shards;
  for (const auto& [tensor, shard] : map->items()) {
    if (!shard.is_string()) {
      return malformed("{}: weight_map: {}: expected a file name, got {}", file.name(),
                       printable(tensor), printable(dump_json(shard)));
    }
    const auto& shard_name = shard.get_ref<const std::string&>();
    if (!is_plain_name(shard_name, 255) || shard_name.find_first_of("/\\") != std::string::npos ||
        !shard_name.ends_with(".safetensors")) {
      return malformed("{}: weight_map: {}: expected a .safetensors file beside it, got \"{}\"",
                       file.name(), printable(tensor), printable(shard_name));
    }
    shards[shard_name].insert(tensor);
  }
  for (const auto& [shard, tensors] : shards) {
    if (!files.has(shard)) {
      return not_found("{}: shard {} with {} tensors is missing", file.name(), shard,
                       tensors.size());
    }
  }
  return shards;
}

Status add_shards(Checkpoint::Parts& parts) {
  ASSIGN_OR_RETURN(const auto shards, read_index(*parts.files));
  for (const auto& [shard, tensors] : shards) {
    RETURN_IF_ERROR(add_file(parts, shard, &tensors));
  }
  return {};
}

// "model-00001-of-00004.safetensors"
bool is_shard_name(const std::string& file) {
  constexpr std::string_view kPattern = "-00000-of-00000.safetensors";
  if (file.size() < kPattern.size()) return false;
  const std::string_view end = std::string_view(file).substr(file.size() - kPattern.size());
  return std::equal(end.begin(), end.end(), kPattern.begin(), [](char c, char pattern) {
    return pattern == '0' ? c >= '0' && c <= '9' : c == pattern;
  });
}

// Of two tied matrices a file holds one, and writers differ in which; models ask for the
// embeddings.
void name_tied_embeddings(const Json& config, std::vector<TensorInfo>& tensors) {
  constexpr std::string_view kEmbeddings = "model.embed_tokens.weight";
  const auto tied = config.find("tie_word_embeddings");
  if (tied == config.end() || !tied->is_boolean() || !tied->get<bool>()) return;
  const auto named = [&](std::string_view name) {
    return std::find_if(tensors.begin(), tensors.end(),
                        [name](const TensorInfo& tensor) { return tensor.name == name; });
  };
  const auto output = named("lm_head.weight");
  if (output != tensors.end() && named(kEmbeddings) == tensors.end()) output->name = kEmbeddings;
}

Result<Checkpoint> finish(Checkpoint::Parts parts) {
  if (parts.files->has("config.json")) {
    ASSIGN_OR_RETURN(parts.config, read_config(*parts.files));
  }
  name_tied_embeddings(parts.config, parts.tensors);
  return Checkpoint::from_parts(std::move(parts));
}

Checkpoint::Parts begin(std::unique_ptr<FileSource> files) {
  Checkpoint::Parts parts;
  parts.format = Checkpoint::Format::kSafetensors;
  parts.name = files->name();
  parts.files = std::move(files);
  return parts;
}

}  // namespace

Result<Checkpoint> open_safetensors(std::unique_ptr<FileSource> files) {
  constexpr const char* kSingle = "model.safetensors";
  Checkpoint::Parts parts = begin(std::move(files));
  if (parts.files->has(kSingle)) {
    RETURN_IF_ERROR(add_file(parts, kSingle, nullptr));
  } else if (parts.files->has(kSafetensorsIndex)) {
    RETURN_IF_ERROR(add_shards(parts));
  } else {
    std::vector<std::string> names;
    for (const std::string& name : parts.files->list()) {
      if (name.ends_with(".safetensors")) names.push_back(name);
    }
    if (names.size() != 1) {
      return invalid_argument(
          "{}: {} .safetensors files: expected model.safetensors, {}, or one file only", parts.name,
          names.size(), kSafetensorsIndex);
    }
    RETURN_IF_ERROR(add_file(parts, names.front(), nullptr));
  }
  return finish(std::move(parts));
}

Result<Checkpoint> open_safetensors_file(std::unique_ptr<FileSource> files,
                                         const std::string& file) {
  Checkpoint::Parts parts = begin(std::move(files));
  if (is_shard_name(file) && parts.files->has(kSafetensorsIndex)) {
    RETURN_IF_ERROR(add_shards(parts));
  } else {
    parts.name = fmt::format("{}/{}", parts.name, file);
    RETURN_IF_ERROR(add_file(parts, file, nullptr));
  }
  return finish(std::move(parts));
}

}  // namespace orrery::weights
