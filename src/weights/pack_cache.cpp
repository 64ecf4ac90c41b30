#include "weights/pack_cache.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/log.h"
#include "kernels/packed.h"
#include "weights/checked.h"
#include "weights/weights.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace orrery::weights {
namespace {

namespace fs = std::filesystem;

XXH128_hash_t hash(std::string_view text) { return XXH3_128bits(text.data(), text.size()); }

int64_t bytes_as_packed(DType dtype, int64_t n, int64_t k) {
  return kernels::num_panels(n) * kernels::panel_bytes(dtype, k);
}

// Where in its file a tensor begins, or -1 if it lies in none.
int64_t offset_in(std::span<const MappedFile> files, const TensorInfo& tensor) {
  for (const MappedFile& file : files) {
    const std::byte* begin = file.bytes().data();
    if (tensor.data >= begin && tensor.data <= begin + file.size()) return tensor.data - begin;
  }
  return -1;
}

}  // namespace

std::string default_pack_cache_folder() {
  const auto absolute = [](const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && value[0] == '/' ? std::string(value) : std::string();
  };
  if (const std::string cache = absolute("XDG_CACHE_HOME"); !cache.empty())
    return cache + "/orrery";
  const std::string home = absolute("HOME");
  return home.empty() ? home : home + "/.cache/orrery";
}

int64_t packed_bytes(const TensorInfo& tensor, std::optional<DType> quantise_to) {
  const auto size = [](int64_t n) {
    return CheckedSize(static_cast<uint64_t>(std::max<int64_t>(n, 0)));
  };
  const auto saturated = [](CheckedSize bytes) {
    return static_cast<int64_t>(bytes.ok() ? bytes.value() : CheckedSize::kMax);
  };
  const Shape& shape = tensor.shape;
  if (!tensor.unsupported.empty()) return tensor.bytes;
  if (shape.rank() != 2 || shape[1] <= 0 || shape[1] > INT64_MAX / 256)
    return saturated(size(shape.elements()) * 4);
  return saturated(size(kernels::num_panels(shape[0])) *
                   size(kernels::panel_bytes(packed_dtype(tensor, quantise_to), shape[1])));
}

std::optional<PackId> pack_id(const Checkpoint& checkpoint, std::string_view layout,
                              std::optional<DType> quantise_to) {
  const std::span<const MappedFile> files = checkpoint.mappings();
  if (files.empty() || layout.empty()) return std::nullopt;
  std::error_code error;
  const fs::path first = fs::canonical(files.front().name(), error);
  if (error) return std::nullopt;
  std::string text = fmt::format("{}\n{}\n{}", first.string(), layout,
                                 quantise_to ? name(*quantise_to) : std::string_view());
  const XXH128_hash_t place = hash(text);
  for (const MappedFile& file : files) {
    if (!file.stamp()) return std::nullopt;
    text += fmt::format("\n{} {} {} {}", fs::path(file.name()).filename().string(),
                        file.stamp()->bytes, file.stamp()->modified_ns, file.stamp()->changed_ns);
  }
  for (const TensorInfo& tensor : checkpoint.tensors()) {
    text += fmt::format("\n{} {} {} {} {} {} {}", tensor.name, tensor.dtype_name,
                        tensor.shape.to_string(), offset_in(files, tensor),
                        static_cast<int>(tensor.permutation.kind), tensor.permutation.n_heads,
                        tensor.permutation.head_dim);
  }
  const XXH128_hash_t key = hash(text);
  return PackId{fmt::format("{:016x}{:016x}.pack", place.high64, place.low64),
                {key.low64, key.high64}};
}

Result<PackFile> open_pack(const Checkpoint& checkpoint, std::string_view layout,
                           std::optional<DType> quantise_to, const std::string& folder) {
  const std::optional<PackId> id = pack_id(checkpoint, layout, quantise_to);
  if (!id) return not_found("{}: no files whose packed weights could be kept", checkpoint.name());
  return PackFile::open(folder + "/" + id->file_name, id->key);
}

std::unique_ptr<PackCache> PackCache::open(const Checkpoint& checkpoint,
                                           const kernels::Kernels& kernels,
                                           std::optional<DType> quantise_to,
                                           const PackCacheOptions& options) {
  if (options.folder.empty()) return nullptr;
  const std::optional<PackId> id = pack_id(checkpoint, kernels.packed_layout(), quantise_to);
  if (!id) return nullptr;
  CheckedSize bytes = 0;
  for (const TensorInfo& tensor : checkpoint.tensors())
    bytes += static_cast<uint64_t>(packed_bytes(tensor, quantise_to));
  if (!bytes.ok() || static_cast<int64_t>(bytes.value()) < options.min_bytes) return nullptr;
  if (const Status status = prepare_pack_folder(options.folder); !status.ok()) {
    log::warn("{}; starting without the cache of packed weights", status.message());
    return nullptr;
  }
  std::unique_ptr<PackCache> cache(new PackCache(options.folder + "/" + id->file_name, id->key));
  auto file = PackFile::open(cache->path_, cache->key_);
  if (file.ok()) {
    file->prefetch();
    cache->file_ = std::make_shared<const PackFile>(std::move(file).value());
    touch_pack(cache->path_);
    return cache;
  }
  if (file.status().code() != StatusCode::kNotFound)
    log::info("{}; packing anew", file.status().message());
  cache->begin(options.folder, static_cast<int64_t>(bytes.value()), options.max_bytes);
  return cache->writing() ? std::move(cache) : nullptr;
}

void PackCache::begin(const std::string& folder, int64_t bytes, int64_t max_bytes) {
  std::error_code ignored;
  fs::remove(path_, ignored);  // what could not be used
  if (const Status status = make_room(folder, bytes, max_bytes); !status.ok())
    return give_up(status);
  auto begun = PackInProgress::begin(path_, bytes);
  if (!begun.ok()) return give_up(begun.status());
  in_progress_.emplace(std::move(begun).value());
  writer_.emplace(in_progress_->fd());
}

std::shared_ptr<const kernels::PackedMatrix> PackCache::matrix(const std::string& name, DType dtype,
                                                               int64_t n, int64_t k) const {
  const PackedTensor* tensor = file_ == nullptr ? nullptr : file_->find(name);
  if (tensor == nullptr || tensor->dtype != dtype || tensor->n != n || tensor->k != k ||
      std::ssize(tensor->bytes) != bytes_as_packed(dtype, n, k))
    return nullptr;
  struct Mapped {
    std::shared_ptr<const PackFile> file;
    kernels::PackedMatrix matrix;
  };
  const auto mapped =
      std::make_shared<const Mapped>(Mapped{file_, {dtype, n, k, Buffer::borrow(tensor->bytes)}});
  return {mapped, &mapped->matrix};
}

std::optional<std::vector<float>> PackCache::vector(const std::string& name, int64_t n) const {
  const PackedTensor* tensor = file_ == nullptr ? nullptr : file_->find(name);
  std::vector<float> values(static_cast<size_t>(n));
  if (tensor == nullptr || tensor->dtype != DType::kF32 || tensor->n != n || tensor->k != 0 ||
      tensor->bytes.size() != values.size() * sizeof(float))
    return std::nullopt;
  std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
  return values;
}

void PackCache::add(const std::string& name, const kernels::PackedMatrix& matrix) {
  add(name, matrix.dtype, matrix.n, matrix.k, matrix.data.bytes());
}

void PackCache::add(const std::string& name, std::span<const float> vector) {
  add(name, DType::kF32, std::ssize(vector), 0, std::as_bytes(vector));
}

void PackCache::add(const std::string& name, DType dtype, int64_t n, int64_t k,
                    std::span<const std::byte> bytes) {
  if (file_ != nullptr) {  // a key that does not tell these weights from others: not again
    log::warn("{}: tensor {} is missing; removing the file", path_, name);
    std::error_code ignored;
    fs::remove(path_, ignored);
    return;
  }
  if (!writing()) return;
  const Status status = writer_->add(name, dtype, n, k, bytes);
  if (!status.ok()) give_up(status.with_context(path_));
}

void PackCache::finish() {
  if (!writing()) return;
  Status status = writer_->finish(key_).with_context(path_);
  if (status.ok()) status = in_progress_->publish();
  if (!status.ok()) return give_up(status);
  writer_.reset();
  in_progress_.reset();
}

void PackCache::give_up(const Status& status) {
  // Another process does the work: nothing is wrong.
  if (status.code() == StatusCode::kUnavailable) {
    log::info("{}", status.message());
  } else {
    log::warn("{}; the packed weights are not kept", status.message());
  }
  writer_.reset();
  in_progress_.reset();
}

}  // namespace orrery::weights
