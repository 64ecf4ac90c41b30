// Checkpoint: a model's weights and configuration, from safetensors, GGUF or made up, with one
// face.
//
// Tensors carry Hugging Face names and [out, in] shapes whatever the file; their bytes stay in the
// memory-mapped files, in the file's own format. Opening reads and checks headers only. A
// Checkpoint owns the mappings: pointers into it live as long as it does, also across a move.
// Immutable; safe to read from many threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/status.h"
#include "tensor/buffer.h"
#include "tensor/tensor.h"
#include "weights/gguf.h"

namespace orrery::weights {

// Where in the file a row of a matrix lies. GGUF files of the llama architecture store the rows of
// each query and key head with the two halves of the rotary embedding interleaved; we compute with
// halves, as Hugging Face does.
struct RowPermutation {
  enum class Kind : uint8_t { kNone, kInterleavedHeads };
  Kind kind = Kind::kNone;
  int64_t n_heads = 0;
  int64_t head_dim = 0;

  // The row of the file that holds output row `out_row`.
  int64_t source_row(int64_t out_row) const {
    if (kind == Kind::kNone) return out_row;
    const int64_t r = out_row % head_dim, half = head_dim / 2;
    return out_row - r + r % half * 2 + r / half;
  }
};

struct TensorInfo {
  std::string name;         // Hugging Face: "model.layers.0.self_attn.q_proj.weight"
  std::string source_name;  // in the file: "blk.0.attn_q.weight"
  std::string dtype_name;   // in the file: "BF16", "Q4_K"
  // Why no model can use it; empty if one can. `dtype` is meaningful only then.
  std::string unsupported;
  DType dtype = DType::kF32;
  Shape shape;  // [out, in], row-major; [n] for vectors. A rank above 4 is flattened (unsupported)
  const std::byte* data = nullptr;  // need not be aligned
  int64_t bytes = 0;
  std::string file;
  RowPermutation permutation;
};

class Checkpoint {
 public:
  enum class Format { kSafetensors, kGguf, kSynthetic };

  // What a checkpoint is made of, for the readers of the formats.
  struct Parts {
    std::string name;
    Format format = Format::kSafetensors;
    std::vector<MappedFile> mappings;
    std::vector<Buffer> buffers;
    std::unique_ptr<FileSource> files;
    std::vector<Gguf> ggufs;
    Json config = Json::object();
    std::vector<TensorInfo> tensors;
  };

  // A folder (config.json and *.safetensors, or one GGUF model), a .gguf file (of a split model any
  // part), or a .safetensors file beside its config.json (without one, config() is empty). Errors:
  // kNotFound, kMalformed, kIo; kUnsupported for pickled checkpoints, which are never opened.
  static Result<Checkpoint> open(const std::string& path);
  static Result<Checkpoint> open(std::unique_ptr<FileSource> files);
  // One GGUF model in `parts`, in order. Errors as open().
  static Result<Checkpoint> open_gguf(std::vector<MappedFile> parts);
  // Errors: kMalformed if two tensors have the same name.
  static Result<Checkpoint> from_parts(Parts parts);

  const std::string& name() const { return parts_.name; }
  Format format() const { return parts_.format; }
  // Hugging Face's config.json; for GGUF, the metadata translated into the same keys. An object.
  const Json& config() const { return parts_.config; }
  // Everything in the files, in their order, also what no model can use.
  std::span<const TensorInfo> tensors() const { return parts_.tensors; }
  // nullptr if absent or unsupported, so that what is found can be computed with.
  const TensorInfo* find(std::string_view hf_name) const;
  // The same with a reason. Errors: kNotFound; kUnsupported; kMalformed if its shape is not
  // `shape`.
  Result<const TensorInfo*> require(std::string_view hf_name, const Shape& shape) const;

  // Metadata (of the first part), for the tokenizer; nullptr for other formats.
  const Gguf* gguf() const { return parts_.ggufs.empty() ? nullptr : &parts_.ggufs.front(); }
  // The files that hold the tensors; none for a synthetic model.
  std::span<const MappedFile> mappings() const { return parts_.mappings; }
  // The folder, for tokenizer files; nullptr for a GGUF or synthetic model.
  const FileSource* files() const { return parts_.files.get(); }

 private:
  explicit Checkpoint(Parts parts) : parts_(std::move(parts)) {}
  const TensorInfo* find_any(std::string_view hf_name) const;

  Parts parts_;
  std::vector<uint32_t> by_name_;
};

}  // namespace orrery::weights
