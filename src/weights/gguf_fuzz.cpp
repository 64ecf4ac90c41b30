// Whatever the bytes, parsing a GGUF model gives an error or views inside the bytes.
//
// The mutator knows where it hurts: it starts from small valid models and overwrites counts, sizes
// and types with hostile numbers, beside libFuzzer's own mutations.
#include <array>
#include <cstdlib>

#include "weights/checkpoint.h"
#include "weights/test_files.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace orrery::weights {
namespace {

// Reads the first and the last byte, so that the address sanitizer sees a view that is too long.
void touch(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  [[maybe_unused]] volatile std::byte sink = bytes.front();
  sink = bytes.back();
}

void read_everything(const Gguf& gguf) {
  for (const GgufEntry& entry : gguf.metadata()) {
    touch(entry.value.bytes);
    if (gguf.find(entry.key) != &entry.value) std::abort();
    (void)gguf.find_u64(entry.key);
    (void)gguf.find_f32(entry.key);
    (void)gguf.find_bool(entry.key);
    (void)gguf.find_i32_array(entry.key);
    (void)gguf.find_f32_array(entry.key);
    if (const auto strings = gguf.find_string_array(entry.key)) {
      for (std::string_view s : *strings) touch(std::as_bytes(std::span(s)));
    }
  }
  for (const GgufTensor& tensor : gguf.tensors()) touch(tensor.data);
}

std::vector<std::string> make_seeds() {
  GgufBuilder types;
  types.u32("general.alignment", 64).entry("u8", GgufType::kU8, raw(uint8_t{1}));
  types.alignment = 64;
  types.entry("f64", GgufType::kF64, raw(0.5)).entry("b", GgufType::kBool, raw(uint8_t{1}));
  types.array("n", GgufType::kArray, 1,
              raw(static_cast<uint32_t>(GgufType::kI16)) + raw(uint64_t{2}) + "abcd");
  types.string("general.architecture", "none");
  types.tensor("q", 12, {256, 2}, std::string(288, 'q'))
      .tensor("i", 17, {256}, std::string(74, 'i'));
  GgufBuilder rope = tiny_llama("qwen3");
  rope.string("qwen3.rope.scaling.type", "yarn").f32("qwen3.rope.scaling.factor", 4);
  rope.u32("split.count", 1).u32("split.no", 0);
  GgufBuilder factors = tiny_llama();
  factors.tensor("rope_freqs.weight", 0, {2}, raw(1.0F) + raw(8.0F));
  return {tiny_llama().build(), tiny_llama_metadata().build(), types.build(), rope.build(),
          factors.build()};
}

}  // namespace
}  // namespace orrery::weights

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  static const std::vector<std::string> seeds = orrery::weights::make_seeds();
  constexpr std::array<uint64_t, 16> kHostile = {0,
                                                 1,
                                                 2,
                                                 4,
                                                 8,
                                                 9,
                                                 31,
                                                 255,
                                                 0x7FFFFFFF,
                                                 0xFFFFFFFF,
                                                 uint64_t{1} << 32,
                                                 uint64_t{1} << 60,
                                                 uint64_t{1} << 62,
                                                 uint64_t{1} << 63,
                                                 ~uint64_t{0} - 7,
                                                 ~uint64_t{0}};
  if (size < 24 || seed % 32 == 0) {
    const std::string& fresh = seeds[seed / 32 % seeds.size()];
    if (fresh.size() <= max_size) {
      std::memcpy(data, fresh.data(), fresh.size());
      size = fresh.size();
    }
  }
  if (seed % 3 == 0) return LLVMFuzzerMutate(data, size, max_size);
  const size_t width = seed % 2 == 0 ? 8 : 4;
  if (size < width) return size;
  const uint64_t value = kHostile[seed / 7 % kHostile.size()];
  std::memcpy(data + seed / 113 % (size - width + 1), &value, width);
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace orrery;
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto gguf = weights::Gguf::parse(bytes, "fuzz");
  if (!gguf.ok()) return 0;
  weights::read_everything(*gguf);
  std::vector<MappedFile> parts;
  parts.push_back(MappedFile::borrow(bytes, "fuzz"));
  const auto checkpoint = weights::Checkpoint::open_gguf(std::move(parts));
  if (!checkpoint.ok()) return 0;
  for (const weights::TensorInfo& tensor : checkpoint->tensors()) {
    if (!tensor.unsupported.empty()) continue;
    const int64_t rows = tensor.shape.rank() == 0 ? 1 : tensor.shape[0];
    for (int64_t row : {int64_t{0}, rows / 2, rows - 1}) {
      const int64_t source = tensor.permutation.source_row(row);
      if (source < 0 || source >= rows) std::abort();
    }
    if (tensor.bytes != row_bytes(tensor.dtype, tensor.shape.elements())) std::abort();
    weights::touch({tensor.data, static_cast<size_t>(tensor.bytes)});
  }
  return 0;
}
