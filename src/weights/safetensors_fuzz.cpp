// Whatever the bytes, parsing safetensors gives an error or tensors that cover the data exactly.
//
// The mutator keeps the header's length true most of the time, so that mutations reach the JSON and
// what is behind it.
#include <cstdlib>

#include "weights/safetensors.h"
#include "weights/test_files.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  static const std::string fresh = orrery::weights::tiny_safetensors();
  if ((size < 16 || seed % 64 == 0) && fresh.size() <= max_size) {
    std::memcpy(data, fresh.data(), fresh.size());
    size = fresh.size();
  }
  size = LLVMFuzzerMutate(data, size, max_size);
  if (size < 9 || seed % 8 == 0) return size;
  // The header ends behind the last closing brace.
  size_t end = size;
  while (end > 8 && data[end - 1] != '}') --end;
  const uint64_t length = end - 8;
  std::memcpy(data, &length, sizeof(length));
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using orrery::weights::Safetensors;
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto header = Safetensors::parse(bytes, "fuzz");
  if (!header.ok()) return 0;
  const std::byte* at = nullptr;
  for (const auto& tensor : header->tensors()) {
    if (at != nullptr && tensor.data.data() != at) std::abort();
    at = tensor.data.data() + tensor.data.size();
  }
  if (at != nullptr && at != bytes.data() + bytes.size()) std::abort();
  return 0;
}
