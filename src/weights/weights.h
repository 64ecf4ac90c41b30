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
#include <string>
#include <string_view>
#include <vector>

#include "kernels/kernels.h"
#include "weights/checkpoint.h"

namespace orrery::weights {

class Weights;

// Packs each matrix once, also when two layers share it (tied embeddings). One thread. The
// checkpoint and the kernels must outlive it.
class WeightLoader {
 public:
  // `progress` (may be empty) is called with the fraction of the checkpoint's bytes packed.
  WeightLoader(const Checkpoint& checkpoint, const kernels::Kernels& kernels,
               std::function<void(double)> progress = {});

  Weights root();
  const Status& status() const { return status_; }  // the first error

 private:
  friend class Weights;
  bool has(const std::string& name) const { return checkpoint_.find(name) != nullptr; }
  std::shared_ptr<const kernels::PackedMatrix> matrix(const std::string& name, int64_t n,
                                                      int64_t k);
  std::vector<float> vector(const std::string& name, int64_t n);
  const TensorInfo* require(const std::string& name, const Shape& shape);
  void fail(Status status);
  void advance(int64_t bytes);

  const Checkpoint& checkpoint_;
  const kernels::Kernels& kernels_;
  std::function<void(double)> progress_;
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
