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

const TensorInfo* WeightLoader::find_shaped(const std::string& name, const Shape& shape) {
  const TensorInfo* tensor = checkpoint_.find(name);
  if (tensor == nullptr) {
    fail(not_found("{}: tensor {}: expected shape {}, found no such tensor", checkpoint_.name(),
                   name, shape.to_string()));
    return nullptr;
  }
  if (tensor->shape != shape) {
    fail(malformed("{}: tensor {}: expected shape {}, got {}", tensor->file, name,
                   shape.to_string(), tensor->shape.to_string()));
    return nullptr;
  }
  if (tensor->data == nullptr || tensor->dtype == DType::kI32) {
    fail(unsupported("{}: tensor {}: expected a floating-point or GGUF block format, got {}",
                     tensor->file, name, tensor->type_name));
    return nullptr;
  }
  return tensor;
}

std::shared_ptr<const kernels::PackedMatrix> WeightLoader::matrix(const std::string& name,
                                                                  int64_t n, int64_t k) {
  auto& packed = packed_[name];
  if (packed != nullptr) return packed;
  const auto empty = std::make_shared<const kernels::PackedMatrix>();
  const TensorInfo* tensor = status_.ok() ? find_shaped(name, {n, k}) : nullptr;
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
  const TensorInfo* tensor = status_.ok() ? find_shaped(name, {n}) : nullptr;
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
