// A read-only view of a file's bytes: memory-mapped, or borrowed from memory (the files embedded in
// the binary).
//
// Move-only; the bytes live as long as the object. Safe to read from many threads. A file that
// another process truncates while it is mapped raises SIGBUS on access: callers validate every
// offset against size() at open, so that only a later truncation can do so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

namespace orrery {

// What tells that a file is no longer the one it was. The time of change cannot be set by programs,
// unlike that of modification, which copies and archives may carry over.
struct FileStamp {
  int64_t bytes = 0;
  int64_t modified_ns = 0;  // since 1970
  int64_t changed_ns = 0;   // contents, owner, mode or links
};

class MappedFile {
 public:
  // Bytes behind the end of a mapped file that may be read too, so that who reads many at once
  // needs no copy.
  static constexpr size_t kPadding = 64;

  MappedFile() = default;
  // Regular files only; an empty file gives an empty span. Errors: kNotFound, kIo, kInvalidArgument
  // (a folder, a device).
  static Result<MappedFile> open(const std::string& path);
  // Borrows `bytes`, which must outlive the object.
  static MappedFile borrow(std::span<const std::byte> bytes, std::string name);

  MappedFile(MappedFile&& other) noexcept { swap(other); }
  MappedFile& operator=(MappedFile&& other) noexcept {
    swap(other);
    return *this;
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_bytes_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_bytes_}; }
  size_t size() const { return size_bytes_; }
  const std::string& name() const { return name_; }  // the path, for messages
  bool padded() const { return mapped_; }            // borrowed bytes have no padding
  // Of the file as it was opened; nothing for borrowed bytes.
  const std::optional<FileStamp>& stamp() const { return stamp_; }

 private:
  void swap(MappedFile& other) noexcept;

  size_t mapped_bytes() const { return size_bytes_ + kPadding; }

  const std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
  bool mapped_ = false;
  std::string name_;
  std::optional<FileStamp> stamp_;
};

}  // namespace orrery
