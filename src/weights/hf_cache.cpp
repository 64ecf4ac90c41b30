#include "weights/hf_cache.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "weights/text.h"

namespace orrery::weights {
namespace {

namespace fs = std::filesystem;

// A name that is one component of a path.
bool is_component(std::string_view text) {
  return !text.empty() && text.size() <= 96 && text.front() != '.' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '_' || c == '.';
         });
}

std::optional<fs::path> cache_folder(const Environment& environment) {
  if (const auto cache = environment("HF_HUB_CACHE")) return fs::path(*cache);
  if (const auto home = environment("HF_HOME")) return fs::path(*home) / "hub";
  if (const auto xdg = environment("XDG_CACHE_HOME")) return fs::path(*xdg) / "huggingface/hub";
  if (const auto home = environment("HOME")) return fs::path(*home) / ".cache/huggingface/hub";
  return std::nullopt;
}

// The snapshot that refs/main names; without refs/main, the only one.
Result<std::string> snapshot_name(const fs::path& repository) {
  std::error_code error;
  if (fs::exists(repository / "refs/main", error)) {
    ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open((repository / "refs/main").string()));
    std::string_view text = file.text();
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
    if (!is_component(text)) {
      return malformed("{}: expected the name of a snapshot, got \"{}\"", file.name(),
                       printable(text));
    }
    return std::string(text);
  }
  ASSIGN_OR_RETURN(const auto folder, open_folder((repository / "snapshots").string()));
  const std::vector<std::string> snapshots = folder->list();
  if (snapshots.size() != 1) {
    return not_found("{}: no refs/main, and {} snapshots where one was expected",
                     repository.string(), snapshots.size());
  }
  return snapshots.front();
}

}  // namespace

Environment process_environment() {
  return [](const char* variable) -> std::optional<std::string> {
    const char* value = std::getenv(variable);
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
  };
}

Result<std::string> resolve_model_path(const std::string& name, const Environment& environment) {
  std::error_code error;
  if (fs::exists(name, error)) return name;
  const size_t slash = name.find('/');
  const std::string_view view = name;
  if (slash == name.npos || !is_component(view.substr(0, slash)) ||
      !is_component(view.substr(slash + 1))) {
    return not_found("{}: no such file or folder, and not of the form org/name", printable(name));
  }
  const std::optional<fs::path> cache = cache_folder(environment);
  if (!cache) {
    return not_found("{}: no such folder, and no Hugging Face cache ($HF_HOME is not set)", name);
  }
  const fs::path repository =
      *cache / fmt::format("models--{}--{}", view.substr(0, slash), view.substr(slash + 1));
  if (!fs::is_directory(repository, error)) {
    return not_found("{}: no such folder, and not in the Hugging Face cache: {} does not exist",
                     name, repository.string());
  }
  ASSIGN_OR_RETURN(const std::string snapshot, snapshot_name(repository));
  const fs::path path = repository / "snapshots" / snapshot;
  if (!fs::is_directory(path, error)) {
    return not_found("{}: snapshot {} does not exist", name, path.string());
  }
  return path.string();
}

}  // namespace orrery::weights
