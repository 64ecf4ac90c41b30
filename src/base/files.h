// FileSource: a checkpoint's files by name, from a folder or from those embedded in the binary.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "base/status.h"

namespace orrery {

class FileSource {
 public:
  virtual ~FileSource() = default;
  // `name` is a plain file name without '/'. Errors: kNotFound, kIo, kInvalidArgument.
  virtual Result<MappedFile> open(std::string_view name) const = 0;
  virtual bool has(std::string_view name) const = 0;
  virtual std::vector<std::string> list() const = 0;  // names, sorted
  virtual const std::string& name() const = 0;        // for messages
};

// Errors: kNotFound, kInvalidArgument (not a folder).
Result<std::unique_ptr<FileSource>> open_folder(const std::string& path);

struct EmbeddedFile {
  std::string_view name;
  std::span<const std::byte> bytes;
};
// Borrows `files`, which must have static lifetime.
std::unique_ptr<FileSource> embedded_files(std::string name, std::span<const EmbeddedFile> files);

}  // namespace orrery
