// The GGUF container, versions 2 and 3, little-endian: typed metadata, then tensor records, then
// the tensors' data.
//
// parse() walks the whole header once and checks every count against the bytes that are left before
// anything is allocated, every string and array end, every tensor's range. Values stay where they
// are: views into the file, which must outlive the object. Immutable, safe to read from many
// threads.
// Format: the GGUF specification of ggml (docs/gguf.md).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "weights/ggml_types.h"

namespace orrery::weights {

enum class GgufType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};
std::string_view name(GgufType type);  // "u32", "string", ...

// A metadata value where it lies in the file.
struct GgufValue {
  GgufType type = GgufType::kU8;
  GgufType element_type = GgufType::kU8;  // of an array
  uint64_t count = 1;                     // elements of an array
  std::span<const std::byte> bytes;       // scalar, characters of a string, or all array elements
};

struct GgufEntry {
  std::string_view key;
  GgufValue value;
};

struct GgufTensor {
  std::string_view name;
  uint32_t type_id = 0;
  const GgmlType* type = nullptr;  // null for an unknown id; `data` is then empty
  int rank = 0;
  std::array<uint64_t, 4> dims{1, 1, 1, 1};  // as in the file: the row length first
  std::span<const std::byte> data;
};

class Gguf {
 public:
  static constexpr uint64_t kMaxAlignment = uint64_t{1} << 20;
  static constexpr int kMaxArrayDepth = 4;
  static constexpr size_t kMaxKeyBytes = 65535;        // the specification's limit
  static constexpr size_t kMaxTensorNameBytes = 1024;  // the specification asks for 64

  // `bytes` is the whole file; `where` names it in messages. Errors: kMalformed; kUnsupported for
  // other versions, big-endian files and the formats before GGUF. Unknown tensor types are listed.
  static Result<Gguf> parse(std::span<const std::byte> bytes, std::string_view where);

  uint32_t version() const { return version_; }
  uint64_t alignment() const { return alignment_; }
  std::span<const GgufEntry> metadata() const { return metadata_; }  // in file order
  std::span<const GgufTensor> tensors() const { return tensors_; }   // in file order

  const GgufValue* find(std::string_view key) const;
  const GgufTensor* find_tensor(std::string_view name) const;

  // Typed access: nothing if the key is absent or its value is of another kind. Integers of every
  // width are one kind, as are f32 and f64; numbers that do not fit the result are of another kind.
  std::optional<uint64_t> find_u64(std::string_view key) const;
  std::optional<float> find_f32(std::string_view key) const;
  std::optional<bool> find_bool(std::string_view key) const;
  std::optional<std::string_view> find_string(std::string_view key) const;
  std::optional<std::vector<std::string_view>> find_string_array(std::string_view key) const;
  std::optional<std::vector<int32_t>> find_i32_array(std::string_view key) const;
  std::optional<std::vector<float>> find_f32_array(std::string_view key) const;

 private:
  friend class GgufParser;
  uint32_t version_ = 0;
  uint64_t alignment_ = 32;
  std::vector<GgufEntry> metadata_;
  std::vector<GgufTensor> tensors_;
  std::vector<uint32_t> keys_by_name_;
  std::vector<uint32_t> tensors_by_name_;
};

}  // namespace orrery::weights
