#include "llm/identity.h"

#include <algorithm>
#include <span>
#include <vector>

#include "engine/block_hash.h"
#include "engine/recording.h"
#include "llm/llm.h"

namespace orrery::llm {
namespace {

// Chained over blocks of the size that KV blocks have; the length comes first.
engine::BlockHash hash(std::string_view bytes) {
  constexpr size_t kWords = engine::kBlockSize;
  std::vector<int32_t> words((2 + (bytes.size() + 3) / 4 + kWords - 1) / kWords * kWords);
  words[0] = static_cast<int32_t>(bytes.size() & INT32_MAX);
  words[1] = static_cast<int32_t>(bytes.size() >> 31);
  bytes.copy(reinterpret_cast<char*>(words.data() + 2), bytes.size());
  engine::BlockHash chain;
  for (size_t at = 0; at < words.size(); at += kWords)
    chain = engine::sha256(chain, std::span(words).subspan(at, kWords), {});
  return chain;
}

constexpr int64_t kSampledBytes = 64;

}  // namespace

uint64_t hash64(std::string_view bytes) { return hash(bytes).low; }

std::string hash_hex(std::string_view bytes) {
  const engine::BlockHash h = hash(bytes);
  return fmt::format("{:016x}{:016x}", h.high, h.low);
}

std::string model_identity(const weights::Checkpoint& checkpoint) {
  std::string text = dump_json(checkpoint.config());
  for (const weights::TensorInfo& tensor : checkpoint.tensors()) {
    text += fmt::format("\n{} {} {}", tensor.name, tensor.dtype_name, tensor.bytes);
    for (int64_t d = 0; d < tensor.shape.rank(); ++d) text += fmt::format(" {}", tensor.shape[d]);
    if (tensor.data == nullptr) continue;
    const auto* data = reinterpret_cast<const char*>(tensor.data);
    const auto count = static_cast<size_t>(std::min(tensor.bytes, kSampledBytes));
    text.append(data, count);
    text.append(data + tensor.bytes - count, count);
  }
  return hash_hex(text);
}

OrderedJson describe(const Llm& llm, const engine::EngineOptions& options) {
  const LlmOptions& asked = llm.options();
  OrderedJson json;
  json["recording"] = 1;
  json["model"] = asked.model;
  json["identity"] = model_identity(llm.checkpoint());
  json["isa"] = llm.kernels().name();
  json["activation_bits"] = kernels::bits(llm.kernels().activations());
  json["dtype"] = asked.dtype;
  json["kv_cache_dtype"] = asked.kv_cache_dtype;
  json["quantization"] = asked.quantization;
  json["max_model_len"] = llm.model().config().max_model_len;
  json["vocab_size"] = llm.model().config().vocab_size;
  json["block_size"] = engine::kBlockSize;
  json["kv_bytes_per_block"] = engine::kBlockSize * engine::KvMemory::bytes_per_token(
                                                        llm.model().config(), options.kv_dtype);
  json["engine"] = engine::to_json(options);
  return json;
}

}  // namespace orrery::llm
