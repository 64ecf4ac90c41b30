// The safetensors container: eight bytes of header length, a JSON header, raw tensors.
//
// parse() checks everything that the format promises before anything is used: the header's length
// against the file, unique names, and that the tensors' byte ranges cover the data exactly, without
// overlap, gap or rest, each as long as its shape and dtype say.
// Format: https://huggingface.co/docs/safetensors
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/dtype.h"

namespace orrery::weights {

struct SafetensorsTensor {
  std::string name;
  std::string dtype;            // as written: "BF16", "I64", ...
  std::vector<uint64_t> shape;  // outermost first; empty for a scalar
  std::span<const std::byte> data;
};

class Safetensors {
 public:
  static constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the reference implementation's limit
  static constexpr size_t kMaxRank = 8;

  // `bytes` is the whole file and must outlive the object; `where` names it in messages. Errors:
  // kMalformed, kUnsupported (a dtype that the format does not know).
  static Result<Safetensors> parse(std::span<const std::byte> bytes, std::string_view where);

  const std::vector<SafetensorsTensor>& tensors() const { return tensors_; }  // by offset
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  std::vector<SafetensorsTensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

// The format that we compute with, if it is one: F32, F16, BF16.
std::optional<DType> dtype_from_safetensors(std::string_view dtype);

}  // namespace orrery::weights
