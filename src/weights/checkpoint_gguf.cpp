// Checkpoint::open_gguf: GGUF tensors with Hugging Face names, shapes and row order.
#include <algorithm>

#include "weights/checkpoint.h"
#include "weights/gguf_config.h"
#include "weights/gguf_names.h"
#include "weights/gguf_split.h"

namespace orrery::weights {
namespace {

TensorInfo tensor_info(const GgufTensor& tensor, const std::string& file, bool translate) {
  TensorInfo result;
  result.source_name = std::string(tensor.name);
  result.name = translate ? hf_tensor_name(tensor.name) : result.source_name;
  result.file = file;
  result.data = tensor.data.data();
  result.bytes = static_cast<int64_t>(tensor.data.size());
  result.dtype_name = tensor.type == nullptr ? fmt::format("type {}", tensor.type_id)
                                             : std::string(tensor.type->name);
  if (tensor.type != nullptr && tensor.type->dtype) {
    result.dtype = *tensor.type->dtype;
  } else {
    result.unsupported = fmt::format(
        "tensor type {} is not supported; those known are F32, F16, "
        "BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 and Q2_K to Q6_K",
        ggml_type_text(tensor.type_id));
  }
  std::vector<int64_t> dims(tensor.dims.begin(), tensor.dims.begin() + tensor.rank);
  std::reverse(dims.begin(), dims.end());
  result.shape = Shape(dims);
  return result;
}

// The converter to GGUF interleaves the rows of each head of q_proj and k_proj of the llama
// architecture, weights and biases alike.
Status set_permutation(const Json& config, TensorInfo& tensor) {
  const bool query = tensor.name.find(".self_attn.q_proj.") != std::string::npos;
  const bool key = tensor.name.find(".self_attn.k_proj.") != std::string::npos;
  if (!query && !key) return {};
  const auto heads =
      config.value(query ? "num_attention_heads" : "num_key_value_heads", int64_t{0});
  const int64_t rows = tensor.shape.rank() == 0 ? 1 : tensor.shape[0];
  if (heads <= 0 || rows % heads != 0 || rows / heads % 2 != 0) {
    return malformed("{}: tensor {}: expected an even number of rows for each of {} heads, got {}",
                     tensor.file, tensor.source_name, heads, rows);
  }
  tensor.permutation = {RowPermutation::Kind::kInterleavedHeads, heads, rows / heads};
  return {};
}

}  // namespace

Result<Checkpoint> Checkpoint::open_gguf(std::vector<MappedFile> files) {
  CHECK(!files.empty());
  Parts parts;
  parts.format = Format::kGguf;
  parts.name = files.front().name();
  for (const MappedFile& file : files) {
    ASSIGN_OR_RETURN(Gguf gguf, Gguf::parse(file.bytes(), file.name()));
    parts.ggufs.push_back(std::move(gguf));
  }
  RETURN_IF_ERROR(check_split(parts.ggufs, files));
  ASSIGN_OR_RETURN(parts.config, hf_config_from_gguf(parts.ggufs, parts.name));

  const auto architecture = parts.ggufs[0].find_string("general.architecture").value_or("");
  const bool known = is_known_gguf_architecture(architecture);
  for (size_t i = 0; i < files.size(); ++i) {
    for (const GgufTensor& tensor : parts.ggufs[i].tensors()) {
      parts.tensors.push_back(tensor_info(tensor, files[i].name(), known));
      if (architecture == "llama") {
        RETURN_IF_ERROR(set_permutation(parts.config, parts.tensors.back()));
      }
    }
  }
  parts.mappings = std::move(files);
  return from_parts(std::move(parts));
}

}  // namespace orrery::weights
