#include "weights/weights.h"

#include "tensor/blocks.h"

namespace orrery::weights {

WeightLoader::WeightLoader(const Checkpoint& checkpoint, const kernels::Kernels& kernels,
                           std::function<void(double)> progress)
    : checkpoint_(checkpoint), kernels_(kernels), progress_(std::move(progress)) {
  for (const TensorInfo& tensor : checkpoint.tensors()) total_bytes_ += tensor.bytes;
}

Weights WeightLoader::root() { return {*this, ""}; }

void WeightLoader::fail(Status status) {
  if (status_.ok()) status_ = std::move(status);
}

void WeightLoader::advance(int64_t bytes) {
  packed_bytes_ += bytes;
  if (progress_ && total_bytes_ > 0)
    progress_(static_cast<double>(packed_bytes_) / static_cast<double>(total_bytes_));
}

const TensorInfo* WeightLoader::require(const std::string& name, const Shape& shape) {
  if (!status_.ok()) return nullptr;
  auto tensor = checkpoint_.require(name, shape);
  if (!tensor.ok()) fail(tensor.status());
  return tensor.ok() ? *tensor : nullptr;
}

std::shared_ptr<const kernels::PackedMatrix> WeightLoader::matrix(const std::string& name,
                                                                  int64_t n, int64_t k) {
  auto& packed = packed_[name];
  if (packed != nullptr) return packed;
  const auto empty = std::make_shared<const kernels::PackedMatrix>();
  const TensorInfo* tensor = require(name, {n, k});
  if (tensor == nullptr) return empty;
  const int64_t bytes = row_bytes(tensor->dtype, k);
  auto result = kernels_.pack({tensor->dtype, n, k, [&](int64_t row) {
                                 return tensor->data + tensor->permutation.source_row(row) * bytes;
                               }});
  if (!result.ok()) {
    fail(result.status().with_context(fmt::format("{}: tensor {}", tensor->file, name)));
    return empty;
  }
  advance(tensor->bytes);
  packed = std::make_shared<const kernels::PackedMatrix>(std::move(result).value());
  return packed;
}

std::vector<float> WeightLoader::vector(const std::string& name, int64_t n) {
  const TensorInfo* tensor = require(name, {n});
  if (tensor == nullptr) return {};
  const int64_t bytes = info(tensor->dtype).block_bytes;
  std::vector<float> values(static_cast<size_t>(n));
  if (is_quantised(tensor->dtype)) {
    dequantise(tensor->dtype, tensor->data, values);
  } else {
    for (int64_t i = 0; i < n; ++i) {
      dequantise(tensor->dtype, tensor->data + tensor->permutation.source_row(i) * bytes,
                 {&values[static_cast<size_t>(i)], 1});
    }
  }
  advance(tensor->bytes);
  return values;
}

}  // namespace orrery::weights
