// From names in a checkpoint to weights on a device.
//
// A model file asks for its tensors by place: w.at("model.layers",
// 3).at("self_attn").at("q_proj").matrix("weight", out, in). The first error is remembered and the
// rest of the construction goes on with empty weights; the caller asks status() once at the end. So
// model files stay free of error handling, and a missing tensor is reported by its full name.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "weights/checkpoint.h"
#include "weights/pack_cache.h"

namespace orrery::weights {

class Weights;

// The format in which a matrix is packed if the checkpoint is to be quantised to `target` on
// loading: bf16, f16 and fp32 matrices become `target`, except those that hold a row per token
// (embeddings, lm_head) or whose rows are no whole blocks of it: they become Q8_0, or stay as they
// are if that does not divide them either. What is quantised already stays.
DType packed_dtype(const TensorInfo& tensor, std::optional<DType> target);

// Packs each matrix once, also when two layers share it (tied embeddings). One thread. The
// checkpoint and the kernels must outlive it.
class WeightLoader {
 public:
  // `progress` (may be empty) is called with the fraction of the checkpoint's bytes packed.
  // `quantise_to`: see packed_dtype.
  // `cache` (may be nullptr) gives what it has, gets the rest, and must outlive it too.
  WeightLoader(const Checkpoint& checkpoint, const kernels::Kernels& kernels,
               std::function<void(double)> progress = {}, std::optional<DType> quantise_to = {},
               PackCache* cache = nullptr);

  Weights root();
  const Status& status() const { return status_; }  // the first error

 private:
  friend class Weights;
  bool has(const std::string& name) const { return checkpoint_.find(name) != nullptr; }
  std::shared_ptr<const kernels::PackedMatrix> matrix(const std::string& name, int64_t n,
                                                      int64_t k);
  std::vector<float> vector(const std::string& name, int64_t n);
  const TensorInfo* require(const std::string& name, const Shape& shape);
  std::vector<float> read_vector(const TensorInfo& tensor, int64_t n) const;
  Result<kernels::PackedMatrix> pack(const TensorInfo& tensor, int64_t n, int64_t k);
  Result<kernels::PackedMatrix> quantise_and_pack(const TensorInfo& tensor, DType dtype, int64_t n,
                                                  int64_t k);
  void fail(Status status);
  void advance(int64_t bytes);

  const Checkpoint& checkpoint_;
  const kernels::Kernels& kernels_;
  std::function<void(double)> progress_;
  std::optional<DType> quantise_to_;
  PackCache* cache_;
  std::unique_ptr<ThreadPool> pool_;  // quantises; made when needed
  std::map<std::string, std::shared_ptr<const kernels::PackedMatrix>> packed_;
  Status status_;
  int64_t total_bytes_ = 0;
  int64_t packed_bytes_ = 0;
};

// A place in the tree of names. Cheap to copy; lives no longer than its loader.
class Weights {
 public:
  Weights(WeightLoader& loader, std::string prefix)
      : loader_(&loader), prefix_(std::move(prefix)) {}

  Weights at(std::string_view name) const { return {*loader_, join(name)}; }
  Weights at(std::string_view name, int64_t index) const {
    return at(name).at(std::to_string(index));
  }

  // A matrix [n, k] packed for the device.
  std::shared_ptr<const kernels::PackedMatrix> matrix(std::string_view name, int64_t n,
                                                      int64_t k) const {
    return loader_->matrix(join(name), n, k);
  }
  // A vector [n] in fp32.
  std::vector<float> vector(std::string_view name, int64_t n) const {
    return loader_->vector(join(name), n);
  }
  // The same, empty where the checkpoint has no such tensor.
  std::vector<float> optional_vector(std::string_view name, int64_t n) const {
    return loader_->has(join(name)) ? vector(name, n) : std::vector<float>();
  }

 private:
  std::string join(std::string_view name) const {
    return prefix_.empty() ? std::string(name) : prefix_ + "." + std::string(name);
  }
  WeightLoader* loader_;
  std::string prefix_;
};

}  // namespace orrery::weights
