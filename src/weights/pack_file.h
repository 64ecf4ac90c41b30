// A file of packed weights: the matrices of one checkpoint as a device computes with them, to be
// mapped and used in place.
//
//   header    4096 bytes: magic, version, key, where the table is, sums; written last
//   tensors   each from a multiple of 4096 bytes on
//   table     a record for each tensor, then the names
//
// Numbers are little-endian. Opening checks header and table (sums, sizes, places), not the
// tensors' bytes: those have sums too, which verify() compares; reading them all would take as long
// as the start that the file saves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/mapped_file.h"
#include "base/status.h"
#include "tensor/dtype.h"

namespace orrery::weights {

// Whose weights these are; see pack_id() in pack_cache.h.
struct PackKey {
  uint64_t low = 0, high = 0;
  bool operator==(const PackKey&) const = default;
};

struct PackedTensor {
  DType dtype = DType::kF32;
  int64_t n = 0;
  int64_t k = 0;  // 0: a vector
  std::span<const std::byte> bytes;
  uint64_t sum = 0;  // XXH3, of the bytes
};

// Owns the mapping; immutable.
class PackFile {
 public:
  // Errors: kNotFound, kIo; kMalformed for a file that is not whole, has another version or
  // another key.
  static Result<PackFile> open(const std::string& path, const PackKey& key);

  const PackedTensor* find(std::string_view name) const;  // nullptr if absent
  const std::string& path() const { return file_.name(); }
  int64_t bytes() const { return static_cast<int64_t>(file_.size()); }
  // Begins, on a thread of its own, to bring the file's pages into this process, in order: while
  // the tokenizer is loaded, so that the first forward pass neither waits for the disk nor takes a
  // page fault for every 64 KiB. The last kLeftBytes are brought into memory only, and count as
  // this process's when they are used: until then its tokenizer's loader needs as much for a
  // moment.
  static constexpr size_t kLeftBytes = size_t{64} << 20;
  void prefetch();
  // Reads every byte. Errors: kMalformed with the first tensor that is not what was written.
  Status verify() const;

 private:
  MappedFile file_;
  std::map<std::string_view, PackedTensor> tensors_;  // the names lie in the file
  std::jthread prefetch_;                             // ends before the mapping
};

// Writes such a file from its beginning on. After an error the file is worth nothing.
class PackFileWriter {
 public:
  explicit PackFileWriter(int fd) : fd_(fd) {}  // borrows it
  // A dtype that is a vector's has k = 0. Errors: kIo.
  Status add(const std::string& name, DType dtype, int64_t n, int64_t k,
             std::span<const std::byte> bytes);
  // Table and header; everything has reached the disk when it returns. Errors: kIo.
  Status finish(const PackKey& key);

 private:
  struct Added {
    std::string name;
    DType dtype;
    int64_t n, k, offset, bytes;
    uint64_t sum;
  };
  int fd_;
  int64_t end_ = 0;
  std::vector<Added> added_;
};

}  // namespace orrery::weights
