// Gguf: typed access to the metadata.
#include "weights/gguf.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace orrery::weights {
namespace {

template <typename T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

struct Integer {
  uint64_t magnitude;
  bool negative;
};

template <typename T>
Integer integer(const std::byte* from) {
  const T value = load<T>(from);
  if constexpr (std::is_signed_v<T>) {
    if (value < 0) return {uint64_t{0} - static_cast<uint64_t>(value), true};
  }
  return {static_cast<uint64_t>(value), false};
}

std::optional<Integer> load_integer(GgufType type, const std::byte* from) {
  switch (type) {
    case GgufType::kU8:
      return integer<uint8_t>(from);
    case GgufType::kI8:
      return integer<int8_t>(from);
    case GgufType::kU16:
      return integer<uint16_t>(from);
    case GgufType::kI16:
      return integer<int16_t>(from);
    case GgufType::kU32:
      return integer<uint32_t>(from);
    case GgufType::kI32:
      return integer<int32_t>(from);
    case GgufType::kU64:
      return integer<uint64_t>(from);
    case GgufType::kI64:
      return integer<int64_t>(from);
    default:
      return std::nullopt;
  }
}

template <typename Items, typename Name>
auto find_by_name(const Items& items, const std::vector<uint32_t>& order, std::string_view wanted,
                  const Name& name) -> decltype(items.data()) {
  const auto it =
      std::lower_bound(order.begin(), order.end(), wanted,
                       [&](uint32_t i, std::string_view key) { return name(items[i]) < key; });
  return it != order.end() && name(items[*it]) == wanted ? &items[*it] : nullptr;
}

}  // namespace

std::string_view name(GgufType type) {
  constexpr std::array<std::string_view, 13> kNames = {"u8",  "i8",  "u16",  "i16",    "u32",
                                                       "i32", "f32", "bool", "string", "array",
                                                       "u64", "i64", "f64"};
  const auto index = static_cast<size_t>(type);
  return index < kNames.size() ? kNames[index] : "unknown";
}

const GgufValue* Gguf::find(std::string_view key) const {
  const GgufEntry* entry =
      find_by_name(metadata_, keys_by_name_, key, [](const GgufEntry& item) { return item.key; });
  return entry == nullptr ? nullptr : &entry->value;
}

const GgufTensor* Gguf::find_tensor(std::string_view tensor) const {
  return find_by_name(tensors_, tensors_by_name_, tensor,
                      [](const GgufTensor& item) { return item.name; });
}

std::optional<uint64_t> Gguf::find_u64(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  const auto number = load_integer(value->type, value->bytes.data());
  if (!number || number->negative) return std::nullopt;
  return number->magnitude;
}

std::optional<float> Gguf::find_f32(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->type == GgufType::kF32) return load<float>(value->bytes.data());
  if (value->type == GgufType::kF64) {
    const auto number = load<double>(value->bytes.data());
    // Larger numbers have no float; the cast would be undefined.
    if (number < -std::numeric_limits<float>::max() || number > std::numeric_limits<float>::max()) {
      return std::nullopt;
    }
    return static_cast<float>(number);
  }
  return std::nullopt;
}

std::optional<bool> Gguf::find_bool(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr || value->type != GgufType::kBool) return std::nullopt;
  return value->bytes[0] != std::byte{0};
}

std::optional<std::string_view> Gguf::find_string(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr || value->type != GgufType::kString) return std::nullopt;
  return std::string_view(reinterpret_cast<const char*>(value->bytes.data()), value->bytes.size());
}

std::optional<std::vector<std::string_view>> Gguf::find_string_array(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr || value->type != GgufType::kArray ||
      value->element_type != GgufType::kString) {
    return std::nullopt;
  }
  std::vector<std::string_view> strings;
  strings.reserve(value->count);
  const std::byte* at = value->bytes.data();  // the parser has checked every length
  for (uint64_t i = 0; i < value->count; ++i) {
    const auto size = load<uint64_t>(at);
    strings.emplace_back(reinterpret_cast<const char*>(at) + sizeof(size), size);
    at += sizeof(size) + size;
  }
  return strings;
}

std::optional<std::vector<int32_t>> Gguf::find_i32_array(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr || value->type != GgufType::kArray) return std::nullopt;
  std::vector<int32_t> numbers;
  if (value->count == 0) return numbers;
  const size_t size = value->bytes.size() / value->count;
  for (uint64_t i = 0; i < value->count; ++i) {
    const auto number = load_integer(value->element_type, value->bytes.data() + i * size);
    constexpr uint64_t kMax = std::numeric_limits<int32_t>::max();
    if (!number || number->magnitude > kMax + (number->negative ? 1 : 0)) return std::nullopt;
    const auto magnitude = static_cast<int64_t>(number->magnitude);
    numbers.push_back(static_cast<int32_t>(number->negative ? -magnitude : magnitude));
  }
  return numbers;
}

std::optional<std::vector<float>> Gguf::find_f32_array(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr || value->type != GgufType::kArray ||
      value->element_type != GgufType::kF32) {
    return std::nullopt;
  }
  std::vector<float> numbers(value->count);
  if (!numbers.empty()) std::memcpy(numbers.data(), value->bytes.data(), value->bytes.size());
  return numbers;
}

}  // namespace orrery::weights
