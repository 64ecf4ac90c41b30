// Small checkpoint files made in memory, right ones and wrong ones, for tests and fuzz targets.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weights/gguf.h"

namespace orrery::weights {

template <typename T>
void append(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

template <typename T>
std::string raw(T value) {
  std::string out;
  append(out, value);
  return out;
}

inline std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// A copy at the very end of an allocation, so that the address sanitizer sees a read past it.
inline std::vector<std::byte> exact_copy(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

// Writes GGUF byte by byte. Every field can be made to lie.
struct GgufBuilder {
  struct TensorRecord {
    std::string name;
    uint32_t type = 0;
    std::vector<uint64_t> dims;  // row length first
    std::string data;
    std::optional<uint64_t> offset;  // where it says to be
  };
  uint32_t version = 3;
  uint64_t alignment = 32;  // of the layout; the key is written by the test
  std::optional<uint64_t> tensor_count, entry_count;
  std::string entries;
  uint64_t num_entries = 0;
  std::vector<TensorRecord> tensors;

  static std::string text(std::string_view s) {
    return raw(static_cast<uint64_t>(s.size())) + std::string(s);
  }
  GgufBuilder& entry(std::string_view key, GgufType type, const std::string& value) {
    entries += text(key) + raw(static_cast<uint32_t>(type)) + value;
    ++num_entries;
    return *this;
  }
  GgufBuilder& u32(std::string_view key, uint32_t v) { return entry(key, GgufType::kU32, raw(v)); }
  GgufBuilder& f32(std::string_view key, float v) { return entry(key, GgufType::kF32, raw(v)); }
  GgufBuilder& string(std::string_view key, std::string_view v) {
    return entry(key, GgufType::kString, text(v));
  }
  GgufBuilder& array(std::string_view key, GgufType type, uint64_t count,
                     const std::string& elements) {
    return entry(key, GgufType::kArray, raw(static_cast<uint32_t>(type)) + raw(count) + elements);
  }
  GgufBuilder& strings(std::string_view key, const std::vector<std::string>& values) {
    std::string elements;
    for (const std::string& value : values) elements += text(value);
    return array(key, GgufType::kString, values.size(), elements);
  }
  GgufBuilder& tensor(std::string name, uint32_t type, std::vector<uint64_t> dims, std::string data,
                      std::optional<uint64_t> offset = {}) {
    tensors.push_back({std::move(name), type, std::move(dims), std::move(data), offset});
    return *this;
  }
  // Numbers 0, 1/8, 2/8, ... in F32.
  GgufBuilder& f32_tensor(std::string name, std::vector<uint64_t> dims) {
    uint64_t n = 1;
    for (uint64_t dim : dims) n *= dim;
    std::string data;
    for (uint64_t i = 0; i < n; ++i) append(data, static_cast<float>(i % 1024) / 8);
    return tensor(std::move(name), 0, std::move(dims), std::move(data));
  }

  std::string build() const {
    std::string out = "GGUF" + raw(version) +
                      raw(tensor_count.value_or(static_cast<uint64_t>(tensors.size()))) +
                      raw(entry_count.value_or(num_entries)) + entries;
    std::string data;
    for (const TensorRecord& record : tensors) {
      data.resize((data.size() + alignment - 1) / alignment * alignment);
      out += text(record.name) + raw(static_cast<uint32_t>(record.dims.size()));
      for (uint64_t dim : record.dims) out += raw(dim);
      out += raw(record.type) + raw(record.offset.value_or(data.size()));
      data += record.data;
    }
    if (tensors.empty()) return out;
    out.resize((out.size() + alignment - 1) / alignment * alignment);
    return out + data;
  }
};

// One layer of hidden size 8, with 2 query heads and 1 key head of dimension 4, and 3 tokens.
inline GgufBuilder tiny_llama_metadata(std::string_view architecture = "llama") {
  GgufBuilder b;
  const std::string a(architecture);
  b.string("general.architecture", architecture);
  b.u32(a + ".embedding_length", 8).u32(a + ".feed_forward_length", 16);
  b.u32(a + ".block_count", 1).u32(a + ".attention.head_count", 2);
  b.u32(a + ".attention.head_count_kv", 1).u32(a + ".context_length", 64);
  b.f32(a + ".attention.layer_norm_rms_epsilon", 1e-5F);
  b.strings("tokenizer.ggml.tokens", {"<s>", "a", "b"});
  b.u32("tokenizer.ggml.bos_token_id", 0);
  return b;
}
inline GgufBuilder tiny_llama(std::string_view architecture = "llama") {
  GgufBuilder b = tiny_llama_metadata(architecture);
  b.f32_tensor("token_embd.weight", {8, 3}).f32_tensor("output_norm.weight", {8});
  b.f32_tensor("blk.0.attn_q.weight", {8, 8}).f32_tensor("blk.0.attn_k.weight", {8, 4});
  b.f32_tensor("blk.0.attn_v.weight", {8, 4}).f32_tensor("blk.0.attn_output.weight", {8, 8});
  b.f32_tensor("blk.0.ffn_down.weight", {16, 8});
  return b;
}

inline std::string safetensors_file(const std::string& header, size_t data_bytes) {
  std::string out = raw(static_cast<uint64_t>(header.size())) + header;
  for (size_t i = 0; i < data_bytes; ++i) out += static_cast<char>(i * 7);
  return out;
}
inline std::string tiny_safetensors() {
  return safetensors_file(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[16,28]},)"
      R"("a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},)"
      R"("n":{"dtype":"I64","shape":[],"data_offsets":[28,36]}}   )",
      36);
}

// A folder that is removed at the end.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "orrery-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TempFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::string path(const std::string& name = "") const { return (path_ / name).string(); }
  // Creates folders as needed.
  std::string write(const std::string& name, std::string_view text) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
    return path(name);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace orrery::weights
