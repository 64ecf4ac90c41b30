#include "base/files.h"

#include <algorithm>
#include <filesystem>

namespace orrery {
namespace {

namespace fs = std::filesystem;

class Folder final : public FileSource {
 public:
  explicit Folder(std::string path) : path_(std::move(path)) {}

  Result<MappedFile> open(std::string_view name) const override {
    if (!plain(name))
      return invalid_argument("{}: expected a plain file name, got \"{}\"", path_, name);
    return MappedFile::open((fs::path(path_) / name).string());
  }
  bool has(std::string_view name) const override {
    std::error_code error;
    return plain(name) && fs::is_regular_file(fs::path(path_) / name, error);
  }
  std::vector<std::string> list() const override {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator it(path_, error), end; !error && it != end; it.increment(error)) {
      names.push_back(it->path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  const std::string& name() const override { return path_; }

 private:
  static bool plain(std::string_view name) {
    return !name.empty() && name != "." && name != ".." &&
           name.find_first_of(std::string_view("/\0", 2)) == name.npos;
  }
  std::string path_;
};

class Embedded final : public FileSource {
 public:
  Embedded(std::string name, std::span<const EmbeddedFile> files)
      : name_(std::move(name)), files_(files) {}

  Result<MappedFile> open(std::string_view name) const override {
    for (const EmbeddedFile& file : files_) {
      if (file.name == name)
        return MappedFile::borrow(file.bytes, fmt::format("{}/{}", name_, name));
    }
    return not_found("{}/{}: no such embedded file", name_, name);
  }
  bool has(std::string_view name) const override {
    return std::any_of(files_.begin(), files_.end(),
                       [&](const EmbeddedFile& file) { return file.name == name; });
  }
  std::vector<std::string> list() const override {
    std::vector<std::string> names;
    for (const EmbeddedFile& file : files_) names.emplace_back(file.name);
    std::sort(names.begin(), names.end());
    return names;
  }
  const std::string& name() const override { return name_; }

 private:
  std::string name_;
  std::span<const EmbeddedFile> files_;
};

}  // namespace

Result<std::unique_ptr<FileSource>> open_folder(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) return not_found("{}: no such folder", path);
  if (!fs::is_directory(status)) return invalid_argument("{}: expected a folder, got a file", path);
  return std::unique_ptr<FileSource>(std::make_unique<Folder>(path));
}

std::unique_ptr<FileSource> embedded_files(std::string name, std::span<const EmbeddedFile> files) {
  return std::make_unique<Embedded>(std::move(name), files);
}

}  // namespace orrery
