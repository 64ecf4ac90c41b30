// Gguf::parse: from bytes to checked views.
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "weights/checked.h"
#include "weights/gguf.h"
#include "weights/text.h"

namespace orrery::weights {
namespace {

// The smallest records that can follow: counts above remaining / size are refused unseen.
constexpr uint64_t kMinEntryBytes = 8 + 1 + 4 + 1;       // key, type, u8
constexpr uint64_t kMinTensorBytes = 8 + 1 + 4 + 4 + 8;  // name, rank 0, type, offset
constexpr uint64_t kMinStringBytes = 8;
constexpr uint64_t kMinArrayBytes = 4 + 8;

// Bytes of a scalar; 0 for strings, arrays and unknown types.
uint64_t scalar_bytes(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool:
      return 1;
    case GgufType::kU16:
    case GgufType::kI16:
      return 2;
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kF32:
      return 4;
    case GgufType::kU64:
    case GgufType::kI64:
    case GgufType::kF64:
      return 8;
    default:
      return 0;
  }
}

// Indices of `items`, sorted by name.
template <typename Item, typename Name>
std::vector<uint32_t> sorted_by_name(const std::vector<Item>& items, const Name& name) {
  std::vector<uint32_t> order(items.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return name(items[a]) < name(items[b]); });
  return order;
}

}  // namespace

class GgufParser {
 public:
  GgufParser(std::span<const std::byte> bytes, std::string_view where)
      : bytes_(bytes), where_(where) {}

  Result<Gguf> parse() {
    RETURN_IF_ERROR(read_magic());
    uint64_t tensor_count = 0, entry_count = 0;
    RETURN_IF_ERROR(read_count(tensor_count, kMinTensorBytes, "tensor count"));
    RETURN_IF_ERROR(read_count(entry_count, kMinEntryBytes, "metadata count"));
    RETURN_IF_ERROR(read_metadata(entry_count));
    RETURN_IF_ERROR(read_alignment());
    // What the metadata took is no longer there for tensor records.
    if (tensor_count > remaining() / kMinTensorBytes) {
      return malformed("{}: tensor count: {} tensors cannot lie in the remaining {} bytes", where_,
                       tensor_count, remaining());
    }
    RETURN_IF_ERROR(read_tensors(tensor_count));
    return std::move(gguf_);
  }

 private:
  uint64_t remaining() const { return bytes_.size() - position_; }

  Status truncated(std::string_view what, uint64_t expected) const {
    return malformed("{}: truncated: {} at byte {}: expected {} bytes, got {}", where_, what,
                     position_, expected, remaining());
  }

  template <typename T>
  Status read(T& out, std::string_view what) {
    if (remaining() < sizeof(T)) return truncated(what, sizeof(T));
    std::memcpy(&out, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return {};
  }

  Status read_bytes(uint64_t size, std::span<const std::byte>& out, std::string_view what) {
    if (remaining() < size) return truncated(what, size);
    out = bytes_.subspan(position_, size);
    position_ += size;
    return {};
  }

  Status read_string(std::string_view& out, std::string_view what) {
    uint64_t size = 0;
    std::span<const std::byte> characters;
    RETURN_IF_ERROR(read(size, what));
    RETURN_IF_ERROR(read_bytes(size, characters, what));
    out = {reinterpret_cast<const char*>(characters.data()), characters.size()};
    return {};
  }

  // A count of records of at least `min_bytes` each.
  Status read_count(uint64_t& count, uint64_t min_bytes, std::string_view what) {
    RETURN_IF_ERROR(read(count, what));
    if (count > remaining() / min_bytes) {
      return malformed("{}: {} at byte {}: expected at most {} ({} bytes are left), got {}", where_,
                       what, position_ - 8, remaining() / min_bytes, remaining(), count);
    }
    return {};
  }

  Status read_magic() {
    std::array<char, 4> magic{};
    RETURN_IF_ERROR(read(magic, "magic"));
    const std::string_view text(magic.data(), magic.size());
    if (text == "lmgg" || text == "fmgg" || text == "tjgg" || text == "algg") {
      return unsupported("{}: a ggml file from before GGUF; convert it to GGUF version 3", where_);
    }
    if (text != "GGUF") {
      return malformed("{}: magic: expected \"GGUF\", got \"{}\"", where_, printable(text));
    }
    RETURN_IF_ERROR(read(gguf_.version_, "version"));
    const uint32_t swapped = __builtin_bswap32(gguf_.version_);
    if (swapped >= 1 && swapped <= 3) {
      return unsupported("{}: a big-endian GGUF file; only little-endian ones are read", where_);
    }
    if (gguf_.version_ != 2 && gguf_.version_ != 3) {
      return unsupported("{}: GGUF version: expected 2 or 3, got {}", where_, gguf_.version_);
    }
    return {};
  }

  Status read_array(GgufValue& value, int depth, std::string_view key) {
    if (depth >= Gguf::kMaxArrayDepth) {
      return malformed("{}: {}: arrays nested deeper than {}", where_, key, Gguf::kMaxArrayDepth);
    }
    uint32_t type = 0;
    RETURN_IF_ERROR(read(type, key));
    value.element_type = static_cast<GgufType>(type);
    const uint64_t size = scalar_bytes(value.element_type);
    if (size > 0) {
      RETURN_IF_ERROR(read_count(value.count, size, key));
      return read_bytes(value.count * size, value.bytes, key);
    }
    const bool strings = value.element_type == GgufType::kString;
    if (!strings && value.element_type != GgufType::kArray) return unknown_type(type, key);
    RETURN_IF_ERROR(read_count(value.count, strings ? kMinStringBytes : kMinArrayBytes, key));
    const uint64_t begin = position_;
    for (uint64_t i = 0; i < value.count; ++i) {
      std::string_view string;
      GgufValue nested;
      RETURN_IF_ERROR(strings ? read_string(string, key) : read_array(nested, depth + 1, key));
    }
    value.bytes = bytes_.subspan(begin, position_ - begin);
    return {};
  }

  Status unknown_type(uint32_t type, std::string_view key) const {
    return malformed("{}: {}: value type: expected 0 to 12, got {}", where_, key, type);
  }

  Status read_value(GgufValue& value, std::string_view key) {
    uint32_t type = 0;
    RETURN_IF_ERROR(read(type, key));
    value.type = static_cast<GgufType>(type);
    if (value.type == GgufType::kArray) return read_array(value, 0, key);
    if (value.type == GgufType::kString) {
      std::string_view string;
      RETURN_IF_ERROR(read_string(string, key));
      value.bytes = std::as_bytes(std::span(string));
      return {};
    }
    const uint64_t size = scalar_bytes(value.type);
    if (size == 0) return unknown_type(type, key);
    RETURN_IF_ERROR(read_bytes(size, value.bytes, key));
    if (value.type == GgufType::kBool && std::to_integer<int>(value.bytes[0]) > 1) {
      return malformed("{}: {}: bool: expected 0 or 1, got {}", where_, key,
                       std::to_integer<int>(value.bytes[0]));
    }
    return {};
  }

  Status read_metadata(uint64_t count) {
    gguf_.metadata_.reserve(count);
    for (uint64_t i = 0; i < count; ++i) {
      GgufEntry entry;
      RETURN_IF_ERROR(read_string(entry.key, "metadata key"));
      if (!is_plain_name(entry.key, Gguf::kMaxKeyBytes)) {
        return malformed("{}: metadata key \"{}\": expected 1 to {} bytes of plain text", where_,
                         printable(entry.key), Gguf::kMaxKeyBytes);
      }
      RETURN_IF_ERROR(read_value(entry.value, entry.key));
      gguf_.metadata_.push_back(entry);
    }
    const auto key = [](const GgufEntry& entry) { return entry.key; };
    gguf_.keys_by_name_ = sorted_by_name(gguf_.metadata_, key);
    for (size_t i = 1; i < gguf_.keys_by_name_.size(); ++i) {
      const std::string_view name = gguf_.metadata_[gguf_.keys_by_name_[i]].key;
      if (name == gguf_.metadata_[gguf_.keys_by_name_[i - 1]].key) {
        return malformed("{}: duplicate metadata key {}", where_, printable(name));
      }
    }
    return {};
  }

  Status read_alignment() {
    constexpr std::string_view kKey = "general.alignment";
    if (gguf_.find(kKey) == nullptr) return {};
    const std::optional<uint64_t> alignment = gguf_.find_u64(kKey);
    if (!alignment || *alignment == 0 || *alignment > Gguf::kMaxAlignment ||
        (*alignment & (*alignment - 1)) != 0) {
      return malformed("{}: {}: expected a power of two up to {}, got {}", where_, kKey,
                       Gguf::kMaxAlignment,
                       alignment ? std::to_string(*alignment) : "a value of another type");
    }
    gguf_.alignment_ = *alignment;
    return {};
  }

  Status read_tensors(uint64_t count) {
    gguf_.tensors_.reserve(count);
    std::vector<uint64_t> offsets;
    offsets.reserve(count);
    for (uint64_t i = 0; i < count; ++i) {
      uint64_t offset = 0;
      RETURN_IF_ERROR(read_tensor_record(gguf_.tensors_.emplace_back(), offset));
      offsets.push_back(offset);
    }
    const auto name = [](const GgufTensor& tensor) { return tensor.name; };
    gguf_.tensors_by_name_ = sorted_by_name(gguf_.tensors_, name);
    for (size_t i = 1; i < gguf_.tensors_by_name_.size(); ++i) {
      const std::string_view tensor = gguf_.tensors_[gguf_.tensors_by_name_[i]].name;
      if (tensor == gguf_.tensors_[gguf_.tensors_by_name_[i - 1]].name) {
        return malformed("{}: duplicate tensor {}", where_, printable(tensor));
      }
    }
    if (count == 0) return {};
    return place_tensors(offsets);
  }

  Status read_tensor_record(GgufTensor& tensor, uint64_t& offset) {
    RETURN_IF_ERROR(read_string(tensor.name, "tensor name"));
    if (!is_plain_name(tensor.name, Gguf::kMaxTensorNameBytes)) {
      return malformed("{}: tensor name \"{}\": expected 1 to {} bytes of plain text", where_,
                       printable(tensor.name), Gguf::kMaxTensorNameBytes);
    }
    uint32_t rank = 0;
    RETURN_IF_ERROR(read(rank, tensor.name));
    if (rank > tensor.dims.size()) {
      return malformed("{}: tensor {}: dimensions: expected at most {}, got {}", where_,
                       tensor.name, tensor.dims.size(), rank);
    }
    tensor.rank = static_cast<int>(rank);
    for (uint32_t i = 0; i < rank; ++i) RETURN_IF_ERROR(read(tensor.dims[i], tensor.name));
    RETURN_IF_ERROR(read(tensor.type_id, tensor.name));
    tensor.type = find_ggml_type(tensor.type_id);
    return read(offset, tensor.name);
  }

  // Bytes that the tensor's shape and type ask for; 0 for an unknown type.
  Status tensor_bytes(const GgufTensor& tensor, uint64_t& bytes) const {
    CheckedSize elements = 1;
    for (uint64_t dim : tensor.dims) {
      if (dim == 0) return malformed("{}: tensor {}: a dimension is 0", where_, tensor.name);
      elements *= dim;
    }
    if (tensor.type != nullptr && tensor.dims[0] % tensor.type->block_elements != 0) {
      return malformed("{}: tensor {}: row length: expected a multiple of {} ({}), got {}", where_,
                       tensor.name, tensor.type->block_elements, tensor.type->name, tensor.dims[0]);
    }
    const CheckedSize size =
        tensor.type == nullptr
            ? elements * 0
            : CheckedSize(elements.ok() ? elements.value() / tensor.type->block_elements
                                        : ~uint64_t{0}) *
                  tensor.type->block_bytes;
    if (!elements.ok() || !size.ok()) {
      return malformed("{}: tensor {}: the size of shape [{}] overflows 64 bits", where_,
                       tensor.name, fmt::join(tensor.dims, ", "));
    }
    bytes = size.value();
    return {};
  }

  // Gives each tensor its bytes: aligned, inside the file, overlapping no other.
  Status place_tensors(const std::vector<uint64_t>& offsets) {
    const uint64_t data_begin = CheckedSize(position_).aligned(gguf_.alignment_).value();
    if (data_begin > bytes_.size()) {
      return malformed("{}: truncated: the data begins at byte {}, the file has {}", where_,
                       data_begin, bytes_.size());
    }
    const std::span<const std::byte> data = bytes_.subspan(data_begin);
    for (size_t i = 0; i < offsets.size(); ++i) {
      GgufTensor& tensor = gguf_.tensors_[i];
      uint64_t size = 0;
      RETURN_IF_ERROR(tensor_bytes(tensor, size));
      if (offsets[i] % gguf_.alignment_ != 0) {
        return malformed("{}: tensor {}: offset: expected a multiple of {}, got {}", where_,
                         tensor.name, gguf_.alignment_, offsets[i]);
      }
      if (!(CheckedSize(offsets[i]) + size).at_most(data.size())) {
        return malformed("{}: tensor {}: {} bytes at offset {} end outside the {} bytes of data",
                         where_, tensor.name, size, offsets[i], data.size());
      }
      tensor.data = data.subspan(offsets[i], size);
    }
    return check_overlaps(offsets);
  }

  Status check_overlaps(const std::vector<uint64_t>& offsets) const {
    std::vector<uint32_t> order(offsets.size());
    std::iota(order.begin(), order.end(), 0U);
    // Empty tensors before the one that begins where they are.
    const auto place = [&](uint32_t i) {
      return std::pair(offsets[i], gguf_.tensors_[i].data.size());
    };
    std::sort(order.begin(), order.end(),
              [&](uint32_t a, uint32_t b) { return place(a) < place(b); });
    for (size_t i = 1; i < order.size(); ++i) {
      const GgufTensor& before = gguf_.tensors_[order[i - 1]];
      const uint64_t end = offsets[order[i - 1]] + before.data.size();
      if (offsets[order[i]] < end) {
        return malformed("{}: tensor {}: overlaps {}: begins at offset {}, expected at least {}",
                         where_, gguf_.tensors_[order[i]].name, before.name, offsets[order[i]],
                         end);
      }
    }
    return {};
  }

  std::span<const std::byte> bytes_;
  std::string_view where_;
  uint64_t position_ = 0;
  Gguf gguf_;
};

Result<Gguf> Gguf::parse(std::span<const std::byte> bytes, std::string_view where) {
  return GgufParser(bytes, where).parse();
}

}  // namespace orrery::weights
