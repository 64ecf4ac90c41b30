#include "weights/weights.h"

#include "tensor/blocks.h"
#include "tensor/quantise.h"

namespace orrery::weights {

DType packed_dtype(const TensorInfo& tensor, std::optional<DType> target) {
  if (!target || is_quantised(tensor.dtype) || tensor.shape.rank() != 2) return tensor.dtype;
  const auto fits = [&](DType dtype) { return tensor.shape[1] % info(dtype).block_elements == 0; };
  const bool row_per_token =
      tensor.name == "lm_head.weight" || tensor.name.ends_with("embed_tokens.weight");
  if (!row_per_token && fits(*target)) return *target;
  return fits(DType::kQ8_0) ? DType::kQ8_0 : tensor.dtype;
}

WeightLoader::WeightLoader(const Checkpoint& checkpoint, const kernels::Kernels& kernels,
                           std::function<void(double)> progress, std::optional<DType> quantise_to,
                           PackCache* cache)
    : checkpoint_(checkpoint),
      kernels_(kernels),
      progress_(std::move(progress)),
      quantise_to_(quantise_to),
      cache_(cache) {
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
  if (cache_ != nullptr) packed = cache_->matrix(name, packed_dtype(*tensor, quantise_to_), n, k);
  if (packed == nullptr) {
    auto result = pack(*tensor, n, k);
    if (!result.ok()) {
      fail(result.status().with_context(fmt::format("{}: tensor {}", tensor->file, name)));
      return empty;
    }
    packed = std::make_shared<const kernels::PackedMatrix>(std::move(result).value());
    if (cache_ != nullptr) cache_->add(name, *packed);
  }
  advance(tensor->bytes);
  return packed;
}

Result<kernels::PackedMatrix> WeightLoader::pack(const TensorInfo& tensor, int64_t n, int64_t k) {
  const DType dtype = packed_dtype(tensor, quantise_to_);
  if (dtype != tensor.dtype) return quantise_and_pack(tensor, dtype, n, k);
  const int64_t bytes = row_bytes(dtype, k);
  return kernels_.pack({dtype, n, k, [&](int64_t row) {
                          return tensor.data + tensor.permutation.source_row(row) * bytes;
                        }});
}

Result<kernels::PackedMatrix> WeightLoader::quantise_and_pack(const TensorInfo& tensor, DType dtype,
                                                              int64_t n, int64_t k) {
  const int64_t from_bytes = row_bytes(tensor.dtype, k), to_bytes = row_bytes(dtype, k);
  ASSIGN_OR_RETURN(const Buffer rows, Buffer::allocate(n * to_bytes));
  if (pool_ == nullptr) pool_ = std::make_unique<ThreadPool>();
  pool_->parallel_for(n, 16, [&](int64_t begin, int64_t end) {
    std::vector<float> values(static_cast<size_t>(k));
    for (int64_t row = begin; row < end; ++row) {
      dequantise(tensor.dtype, tensor.data + tensor.permutation.source_row(row) * from_bytes,
                 values);
      quantise(dtype, values, rows.data() + row * to_bytes);
    }
  });
  return kernels_.pack({dtype, n, k, [&](int64_t row) { return rows.data() + row * to_bytes; }});
}

std::vector<float> WeightLoader::vector(const std::string& name, int64_t n) {
  const TensorInfo* tensor = require(name, {n});
  if (tensor == nullptr) return {};
  auto kept = cache_ != nullptr ? cache_->vector(name, n) : std::nullopt;
  if (!kept) {
    kept = read_vector(*tensor, n);
    if (cache_ != nullptr) cache_->add(name, *kept);
  }
  advance(tensor->bytes);
  return *std::move(kept);
}

std::vector<float> WeightLoader::read_vector(const TensorInfo& tensor, int64_t n) const {
  const int64_t bytes = info(tensor.dtype).block_bytes;
  std::vector<float> values(static_cast<size_t>(n));
  if (is_quantised(tensor.dtype)) {
    dequantise(tensor.dtype, tensor.data, values);
  } else {
    for (int64_t i = 0; i < n; ++i) {
      dequantise(tensor.dtype, tensor.data + tensor.permutation.source_row(i) * bytes,
                 {&values[static_cast<size_t>(i)], 1});
    }
  }
  return values;
}

}  // namespace orrery::weights
