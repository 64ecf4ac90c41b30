// The packed weights of checkpoints, kept on disk so that the next start maps them instead of
// packing.
//
// One file per checkpoint and way of packing (pack_file.h), in one folder (pack_folder.h). The
// first load writes it beside its own work, the next ones use it. It can only save time: whatever
// is wrong with it (stale, damaged, no permission, a full disk) costs a warning at most, and the
// weights are packed from the checkpoint.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/kernels.h"
#include "weights/checkpoint.h"
#include "weights/pack_file.h"
#include "weights/pack_folder.h"

namespace orrery::weights {

struct PackCacheOptions {
  std::string folder;                      // empty: no cache
  int64_t max_bytes = int64_t{100} << 30;  // of all files in it
  int64_t min_bytes = int64_t{64} << 20;   // smaller models are packed in a tenth of a second
};

// $XDG_CACHE_HOME/orrery, or ~/.cache/orrery; empty if neither is set.
std::string default_pack_cache_folder();

// The bytes that a tensor takes in memory: a matrix packed, everything else in fp32. Saturates at
// INT64_MAX.
int64_t packed_bytes(const TensorInfo& tensor, std::optional<DType> quantise_to);

// Which file holds the packed weights of a checkpoint, and the key that it must have. The name
// follows from what does not change when the checkpoint does (the path of its first file, the
// layout, the quantisation), so that a stale file is replaced; the key also from size and times of
// the files and from the list of tensors. Nothing for checkpoints that are no files.
struct PackId {
  std::string file_name;
  PackKey key;
};
std::optional<PackId> pack_id(const Checkpoint& checkpoint, std::string_view layout,
                              std::optional<DType> quantise_to);

// The file of a checkpoint in a folder. Errors: kNotFound if there is none; those of
// PackFile::open.
Result<PackFile> open_pack(const Checkpoint& checkpoint, std::string_view layout,
                           std::optional<DType> quantise_to, const std::string& folder);

// For one load of one checkpoint. One thread.
class PackCache {
 public:
  // nullptr if there is nothing to use and nothing may be written.
  static std::unique_ptr<PackCache> open(const Checkpoint& checkpoint,
                                         const kernels::Kernels& kernels,
                                         std::optional<DType> quantise_to,
                                         const PackCacheOptions& options);

  // Weights as they were packed; they keep the mapping alive. nullptr, nothing: pack them, then
  // add() them.
  std::shared_ptr<const kernels::PackedMatrix> matrix(const std::string& name, DType dtype,
                                                      int64_t n, int64_t k) const;
  std::optional<std::vector<float>> vector(const std::string& name, int64_t n) const;
  void add(const std::string& name, const kernels::PackedMatrix& matrix);
  void add(const std::string& name, std::span<const float> vector);

  bool writing() const { return in_progress_.has_value(); }
  // All weights have been added: the file gets its name. Waits for the disk.
  void finish();

 private:
  PackCache(std::string path, PackKey key) : path_(std::move(path)), key_(key) {}
  void begin(const std::string& folder, int64_t bytes, int64_t max_bytes);
  void add(const std::string& name, DType dtype, int64_t n, int64_t k,
           std::span<const std::byte> bytes);
  void give_up(const Status& status);

  std::string path_;
  PackKey key_;
  std::shared_ptr<const PackFile> file_;       // when it is used
  std::optional<PackInProgress> in_progress_;  // when it is written
  std::optional<PackFileWriter> writer_;
};

}  // namespace orrery::weights
