#include "weights/checkpoint.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <numeric>

#include "weights/checkpoint_safetensors.h"
#include "weights/gguf_split.h"
#include "weights/text.h"

namespace orrery::weights {
namespace {

namespace fs = std::filesystem;

bool is_pickle(std::string_view name) {
  constexpr std::array<std::string_view, 5> kEndings = {".bin", ".pt", ".pth", ".ckpt", ".pkl"};
  return std::any_of(kEndings.begin(), kEndings.end(),
                     [&](std::string_view ending) { return name.ends_with(ending); });
}

Status pickle_refused(std::string_view where, std::string_view file) {
  return unsupported(
      "{}: {} is a pickle, which can run code when it is opened, and is never opened; convert it "
      "to .safetensors",
      where, printable(file));
}

// "a, b, c and 12 more", for messages.
std::string listing(const std::vector<std::string>& names) {
  constexpr size_t kShown = 12;
  if (names.empty()) return "nothing";
  std::vector<std::string> shown;
  for (const std::string& name : names) {
    if (shown.size() < kShown) shown.push_back(printable(name));
  }
  std::string text = fmt::format("{}", fmt::join(shown, ", "));
  if (names.size() > kShown) text += fmt::format(" and {} more", names.size() - kShown);
  return text;
}

std::vector<std::string> ending_with(const std::vector<std::string>& names,
                                     std::string_view ending) {
  std::vector<std::string> result;
  std::copy_if(names.begin(), names.end(), std::back_inserter(result),
               [&](const std::string& name) { return name.ends_with(ending); });
  return result;
}

// A folder without safetensors: its GGUF model, or why there is none.
Result<Checkpoint> open_folder_gguf(const FileSource& files,
                                    const std::vector<std::string>& names) {
  const std::vector<std::string> ggufs = ending_with(names, ".gguf");
  if (ggufs.empty()) {
    const auto pickle = std::find_if(names.begin(), names.end(), is_pickle);
    if (pickle != names.end()) return pickle_refused(files.name(), *pickle);
    return not_found(
        "{}: no checkpoint: expected *.safetensors with config.json, or a .gguf; got {}",
        files.name(), listing(names));
  }
  const std::optional<SplitName> split = parse_split_name(ggufs.front());
  if (ggufs.size() > (split ? split->count : 1)) {
    return invalid_argument("{}: {} GGUF files; name one of them: {}", files.name(), ggufs.size(),
                            listing(ggufs));
  }
  ASSIGN_OR_RETURN(std::vector<MappedFile> parts, open_split(files, ggufs.front()));
  return Checkpoint::open_gguf(std::move(parts));
}

}  // namespace

Result<Checkpoint> Checkpoint::open(std::unique_ptr<FileSource> files) {
  const std::vector<std::string> names = files->list();
  if (!files->has(kSafetensorsIndex) && ending_with(names, ".safetensors").empty()) {
    return open_folder_gguf(*files, names);
  }
  if (!files->has("config.json")) {
    return not_found("{}: no config.json beside the safetensors; got {}", files->name(),
                     listing(names));
  }
  return open_safetensors(std::move(files));
}

Result<Checkpoint> Checkpoint::open(const std::string& path) {
  std::error_code error;
  const fs::path p(path);
  const fs::file_status status = fs::status(p, error);
  if (!fs::exists(status)) return not_found("{}: no such file or folder", path);
  if (fs::is_directory(status)) {
    ASSIGN_OR_RETURN(auto folder, open_folder(path));
    return open(std::move(folder));
  }
  const std::string file = p.filename().string();
  const std::string parent = p.has_parent_path() ? p.parent_path().string() : ".";
  if (is_pickle(file)) return pickle_refused(path, file);
  if (file.ends_with(".safetensors")) {
    ASSIGN_OR_RETURN(auto folder, open_folder(parent));
    return open_safetensors_file(std::move(folder), file);
  }
  if (file.ends_with(".gguf")) {
    ASSIGN_OR_RETURN(const auto folder, open_folder(parent));
    ASSIGN_OR_RETURN(std::vector<MappedFile> parts, open_split(*folder, file));
    return open_gguf(std::move(parts));
  }
  ASSIGN_OR_RETURN(MappedFile mapping, MappedFile::open(path));
  if (!mapping.text().starts_with("GGUF")) {
    return unsupported("{}: expected a folder, a .safetensors or a .gguf file", path);
  }
  std::vector<MappedFile> parts;
  parts.push_back(std::move(mapping));
  return open_gguf(std::move(parts));
}

Result<Checkpoint> Checkpoint::from_parts(Parts parts) {
  Checkpoint checkpoint(std::move(parts));
  const std::vector<TensorInfo>& tensors = checkpoint.parts_.tensors;
  std::vector<uint32_t>& order = checkpoint.by_name_;
  order.resize(tensors.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return tensors[a].name < tensors[b].name; });
  for (size_t i = 1; i < order.size(); ++i) {
    const TensorInfo &a = tensors[order[i - 1]], &b = tensors[order[i]];
    if (a.name == b.name) {
      return malformed("{}: duplicate tensor {}: in {} ({}) and in {} ({})", checkpoint.name(),
                       a.name, a.file, a.source_name, b.file, b.source_name);
    }
  }
  return checkpoint;
}

const TensorInfo* Checkpoint::find_any(std::string_view hf_name) const {
  const auto it = std::lower_bound(
      by_name_.begin(), by_name_.end(), hf_name,
      [&](uint32_t i, std::string_view wanted) { return parts_.tensors[i].name < wanted; });
  if (it == by_name_.end() || parts_.tensors[*it].name != hf_name) return nullptr;
  return &parts_.tensors[*it];
}

const TensorInfo* Checkpoint::find(std::string_view hf_name) const {
  const TensorInfo* tensor = find_any(hf_name);
  return tensor != nullptr && tensor->unsupported.empty() ? tensor : nullptr;
}

Result<const TensorInfo*> Checkpoint::require(std::string_view hf_name, const Shape& shape) const {
  const TensorInfo* tensor = find_any(hf_name);
  if (tensor == nullptr) {
    const auto method = config().find("quantization_config");
    if (method != config().end()) {
      return unsupported("{}: tensor {} is missing; the checkpoint is quantised as {}", name(),
                         hf_name, printable(dump_json(*method)));
    }
    return not_found("{}: tensor {} is missing: expected shape {}; the checkpoint has {} tensors",
                     name(), hf_name, shape.to_string(), tensors().size());
  }
  if (!tensor->unsupported.empty()) {
    return unsupported("{}: tensor {}: {}", tensor->file, hf_name, tensor->unsupported);
  }
  if (tensor->shape != shape) {
    return malformed("{}: tensor {}: expected shape {}, got {}", tensor->file, hf_name,
                     shape.to_string(), tensor->shape.to_string());
  }
  return tensor;
}

}  // namespace orrery::weights
