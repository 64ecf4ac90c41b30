#include "weights/safetensors.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/json.h"
#include "weights/checked.h"
#include "weights/text.h"

namespace orrery::weights {
namespace {

constexpr size_t kMaxNameBytes = 1024;

// Bits per element of every dtype of the format; 0 for others.
uint64_t dtype_bits(std::string_view dtype) {
  struct Entry {
    std::string_view name;
    uint64_t bits;
  };
  static constexpr std::array<Entry, 20> kDtypes = {{
      {"F32", 32}, {"F16", 16},    {"BF16", 16},   {"BOOL", 8},    {"U8", 8},
      {"I8", 8},   {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"I16", 16},    {"U16", 16},
      {"I32", 32}, {"U32", 32},    {"F64", 64},    {"I64", 64},    {"U64", 64},
      {"C64", 64}, {"F8_E8M0", 8}, {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},
  }};
  const auto* it = std::find_if(kDtypes.begin(), kDtypes.end(),
                                [&](const Entry& entry) { return entry.name == dtype; });
  return it == kDtypes.end() ? 0 : it->bits;
}

// The range of one tensor in the data section.
struct Range {
  uint64_t begin = 0;
  uint64_t end = 0;
};

// Reads the entries of the header and checks each for itself.
class HeaderReader {
 public:
  HeaderReader(std::string_view where, uint64_t data_bytes)
      : where_(where), data_bytes_(data_bytes) {}

  Status read_tensor(const std::string& name, const Json& entry, SafetensorsTensor& tensor,
                     Range& range) const {
    if (!is_plain_name(name, kMaxNameBytes)) {
      return malformed("{}: tensor name \"{}\": expected 1 to {} bytes without control characters",
                       where_, printable(name), kMaxNameBytes);
    }
    tensor.name = name;
    if (!entry.is_object()) return wrong(name, "entry", "an object", entry);
    for (const auto& [key, _] : entry.items()) {
      if (key != "dtype" && key != "shape" && key != "data_offsets") {
        return malformed("{}: tensor {}: unknown field \"{}\"", where_, name, printable(key));
      }
    }
    RETURN_IF_ERROR(read_dtype(entry, tensor));
    RETURN_IF_ERROR(read_shape(entry, tensor));
    RETURN_IF_ERROR(read_range(entry, tensor, range));
    return check_size(tensor, range);
  }

 private:
  Status wrong(const std::string& name, std::string_view field, std::string_view expected,
               const Json& got) const {
    return malformed("{}: tensor {}: {}: expected {}, got {}", where_, name, field, expected,
                     printable(dump_json(got)));
  }

  Status read_dtype(const Json& entry, SafetensorsTensor& tensor) const {
    const auto it = entry.find("dtype");
    if (it == entry.end() || !it->is_string()) {
      return wrong(tensor.name, "dtype", "a string", it == entry.end() ? Json() : *it);
    }
    tensor.dtype = it->get<std::string>();
    if (dtype_bits(tensor.dtype) == 0) {
      return unsupported("{}: tensor {}: unknown dtype \"{}\"", where_, tensor.name,
                         printable(tensor.dtype));
    }
    return {};
  }

  Status read_numbers(const Json& entry, const std::string& name, const char* field,
                      std::vector<uint64_t>& numbers) const {
    const auto it = entry.find(field);
    if (it == entry.end() || !it->is_array()) {
      return wrong(name, field, "an array of integers", it == entry.end() ? Json() : *it);
    }
    if (it->size() > Safetensors::kMaxRank) {
      return malformed("{}: tensor {}: {}: expected at most {} numbers, got {}", where_, name,
                       field, Safetensors::kMaxRank, it->size());
    }
    for (const Json& number : *it) {
      if (!number.is_number_unsigned()) {
        return wrong(name, field, "integers from 0 to 2^64 - 1", number);
      }
      numbers.push_back(number.get<uint64_t>());
    }
    return {};
  }

  Status read_shape(const Json& entry, SafetensorsTensor& tensor) const {
    return read_numbers(entry, tensor.name, "shape", tensor.shape);
  }

  Status read_range(const Json& entry, const SafetensorsTensor& tensor, Range& range) const {
    std::vector<uint64_t> offsets;
    RETURN_IF_ERROR(read_numbers(entry, tensor.name, "data_offsets", offsets));
    if (offsets.size() != 2) {
      return malformed("{}: tensor {}: data_offsets: expected 2 numbers, got {}", where_,
                       tensor.name, offsets.size());
    }
    range = {offsets[0], offsets[1]};
    if (range.begin > range.end) {
      return malformed("{}: tensor {}: data_offsets out of order: begin {}, end {}", where_,
                       tensor.name, range.begin, range.end);
    }
    if (range.end > data_bytes_) {
      return malformed("{}: tensor {}: data_offsets end at {}, but the file holds {} bytes of data",
                       where_, tensor.name, range.end, data_bytes_);
    }
    return {};
  }

  Status check_size(const SafetensorsTensor& tensor, const Range& range) const {
    CheckedSize bits = dtype_bits(tensor.dtype);
    for (uint64_t dim : tensor.shape) bits *= dim;
    if (!bits.ok() || bits.value() % 8 != 0) {
      return malformed("{}: tensor {}: shape [{}] of {}: {}", where_, tensor.name,
                       fmt::join(tensor.shape, ", "), tensor.dtype,
                       bits.ok() ? "not a whole number of bytes" : "its size overflows 64 bits");
    }
    if (bits.value() / 8 != range.end - range.begin) {
      return malformed("{}: tensor {}: expected {} bytes for shape [{}] of {}, got {}", where_,
                       tensor.name, bits.value() / 8, fmt::join(tensor.shape, ", "), tensor.dtype,
                       range.end - range.begin);
    }
    return {};
  }

  std::string_view where_;
  uint64_t data_bytes_;
};

Status read_metadata(const Json& json, std::string_view where,
                     std::map<std::string, std::string>& metadata) {
  if (!json.is_object()) return malformed("{}: __metadata__: expected an object", where);
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) {
      return malformed("{}: __metadata__: {}: expected a string, got {}", where, printable(key),
                       printable(dump_json(value)));
    }
    metadata[key] = value.get<std::string>();
  }
  return {};
}

struct Entry {
  SafetensorsTensor tensor;
  Range range;
};

// The ranges, sorted, must cover [0, data_bytes) exactly.
Status check_contiguous(const std::vector<Entry>& entries, uint64_t data_bytes,
                        std::string_view where) {
  uint64_t end = 0;
  for (const Entry& entry : entries) {
    if (entry.range.begin < end) {
      return malformed("{}: tensor {}: overlaps the tensor before it: begins at {}, expected {}",
                       where, entry.tensor.name, entry.range.begin, end);
    }
    if (entry.range.begin > end) {
      return malformed("{}: tensor {}: gap before it: begins at {}, expected {}", where,
                       entry.tensor.name, entry.range.begin, end);
    }
    end = entry.range.end;
  }
  if (end != data_bytes) {
    return malformed("{}: trailing bytes: the tensors end at {}, the data at {}", where, end,
                     data_bytes);
  }
  return {};
}

Result<uint64_t> header_bytes(std::span<const std::byte> bytes, std::string_view where) {
  uint64_t length = 0;
  if (bytes.size() < sizeof(length)) {
    return malformed("{}: truncated: expected at least 8 bytes of header length, got {}", where,
                     bytes.size());
  }
  std::memcpy(&length, bytes.data(), sizeof(length));
  if (length > Safetensors::kMaxHeaderBytes) {
    return malformed("{}: header length: expected at most {}, got {}", where,
                     Safetensors::kMaxHeaderBytes, length);
  }
  if (length > bytes.size() - sizeof(length)) {
    return malformed("{}: truncated: header length {}, but only {} bytes follow", where, length,
                     bytes.size() - sizeof(length));
  }
  return length;
}

}  // namespace

std::optional<DType> dtype_from_safetensors(std::string_view dtype) {
  if (dtype == "F32") return DType::kF32;
  if (dtype == "F16") return DType::kF16;
  if (dtype == "BF16") return DType::kBF16;
  return std::nullopt;
}

Result<Safetensors> Safetensors::parse(std::span<const std::byte> bytes, std::string_view where) {
  ASSIGN_OR_RETURN(const uint64_t length, header_bytes(bytes, where));
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + 8, length);
  if (text.empty() || text.front() != '{') {
    return malformed("{}: header: expected a JSON object beginning with {{", where);
  }
  constexpr size_t kDepth = 3;  // header, entry, its arrays
  ASSIGN_OR_RETURN(const Json header,
                   parse_json(text, fmt::format("{}: header", where), kDepth, true));
  const std::span<const std::byte> data = bytes.subspan(8 + length);

  Safetensors result;
  std::vector<Entry> entries;
  const HeaderReader reader(where, data.size());
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      RETURN_IF_ERROR(read_metadata(value, where, result.metadata_));
      continue;
    }
    Entry& entry = entries.emplace_back();
    RETURN_IF_ERROR(reader.read_tensor(name, value, entry.tensor, entry.range));
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.range.begin, a.range.end) < std::pair(b.range.begin, b.range.end);
  });
  RETURN_IF_ERROR(check_contiguous(entries, data.size(), where));
  for (Entry& entry : entries) {
    entry.tensor.data = data.subspan(entry.range.begin, entry.range.end - entry.range.begin);
    result.tensors_.push_back(std::move(entry.tensor));
  }
  return result;
}

}  // namespace orrery::weights
