#include "engine/memory_plan.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "engine/kv_memory.h"
#include "kernels/kernels.h"
#include "weights/checked.h"
#include "weights/pack_cache.h"
#include "weights/weights.h"

namespace orrery::engine {
namespace {

using weights::CheckedSize;
using weights::format_bytes;

constexpr int64_t kBlockSize = kernels::KvCache::kBlockSize;
// Block and slot numbers are 32 bits wide in places.
constexpr int64_t kMostBlocks = INT32_MAX / kBlockSize;

int64_t saturated(CheckedSize size) {
  return static_cast<int64_t>(size.ok() ? size.value() : CheckedSize::kMax);
}

CheckedSize size_of(int64_t n) { return static_cast<uint64_t>(std::max<int64_t>(n, 0)); }

int64_t blocks_of(int64_t tokens) {
  return tokens / kBlockSize + (tokens % kBlockSize != 0 ? 1 : 0);
}

void add_weights(const weights::Checkpoint& checkpoint, const model::ModelConfig& config,
                 std::optional<DType> quantise_to, MemoryPlan& plan) {
  std::map<std::string_view, MemoryPlan::Weights> by_dtype;
  CheckedSize sum = 0;
  for (const weights::TensorInfo& tensor : checkpoint.tensors()) {
    if (config.tied_embeddings && tensor.name == "lm_head.weight") continue;  // not loaded
    const DType dtype = weights::packed_dtype(tensor, quantise_to);
    const CheckedSize bytes = size_of(weights::packed_bytes(tensor, quantise_to));
    MemoryPlan::Weights& group = by_dtype[name(dtype)];
    group.dtype = name(dtype);
    group.bytes = saturated(size_of(group.bytes) + bytes);
    ++group.tensors;
    sum += bytes;
  }
  for (auto& [_, group] : by_dtype) plan.weights.push_back(std::move(group));
  std::ranges::stable_sort(plan.weights,
                           [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
  plan.weight_bytes = saturated(sum);
}

// The tensors of a decoder's forward pass (model/decoder.h) that live at once: the residual stream
// and what is to be added to it, those of one layer, and the logits of the rows that sample. A
// quarter more for what the chunks of the scratch memory leave unused, and the first chunk.
CheckedSize activation_bytes(const model::ModelConfig& c, int64_t tokens, int64_t logits_rows) {
  const CheckedSize hidden = size_of(c.hidden_size), ffn = size_of(c.intermediate_size);
  const CheckedSize d = size_of(c.head_dim);
  const CheckedSize heads = (size_of(c.n_heads) + size_of(c.n_kv_heads) * 2) * d;
  const CheckedSize layer = hidden + heads * 2 + size_of(c.n_heads) * d + ffn * 2;
  const CheckedSize floats = size_of(tokens) * (hidden * 2 + d + layer) +
                             size_of(logits_rows) * (hidden * 2 + size_of(c.vocab_size));
  constexpr uint64_t kFirstChunk = uint64_t{8} << 20;
  return floats * 5 + kFirstChunk;
}

// Blocks that fit into `bytes`.
int64_t blocks_in(int64_t bytes, int64_t bytes_per_block) {
  if (bytes_per_block <= 0) return 0;
  return std::min(std::max<int64_t>(bytes, 0) / bytes_per_block, kMostBlocks);
}

void size_pool(const MemoryOptions& options, MemoryPlan& plan) {
  const int64_t wanted =
      std::min(kMostBlocks, saturated(size_of(plan.blocks_per_request) *
                                      size_of(std::max<int64_t>(1, options.max_num_seqs))));
  const int64_t room = plan.available_bytes / 10 * 9 -
                       saturated(size_of(plan.weight_bytes) + size_of(plan.activation_bytes));
  if (options.num_kv_blocks)
    plan.num_kv_blocks = *options.num_kv_blocks;
  else if (options.kv_cache_memory_bytes)
    plan.num_kv_blocks = blocks_in(*options.kv_cache_memory_bytes, plan.kv_bytes_per_block);
  else
    plan.num_kv_blocks = std::min(wanted, blocks_in(room, plan.kv_bytes_per_block));
}

// A request of the trained length need not fit if nobody asked for that length.
void shorten(MemoryPlan& plan) {
  if (plan.num_kv_blocks <= 0 || plan.num_kv_blocks >= plan.blocks_per_request) return;
  plan.max_model_len = plan.num_kv_blocks * kBlockSize;
  plan.blocks_per_request = plan.num_kv_blocks;
  plan.shortened = true;
}

std::string verdict_of(const MemoryPlan& p) {
  const std::string have =
      fmt::format("{} available ({})", format_bytes(p.available_bytes), p.available_source);
  const std::string model = fmt::format("{} for weights and {} for the activations of {} tokens",
                                        format_bytes(p.weight_bytes),
                                        format_bytes(p.activation_bytes), p.max_num_batched_tokens);
  const std::string request = fmt::format(
      "a request of {} tokens takes {} blocks of {} ({})", p.max_model_len, p.blocks_per_request,
      format_bytes(p.kv_bytes_per_block),
      format_bytes(saturated(size_of(p.blocks_per_request) * size_of(p.kv_bytes_per_block))));
  if (p.num_kv_blocks > kMostBlocks)
    return fmt::format("does not fit: expected at most {} KV blocks, got {}", kMostBlocks,
                       p.num_kv_blocks);
  if (p.needed_bytes > p.available_bytes)
    return fmt::format("does not fit: {}, {} for {} KV blocks, {}", model, format_bytes(p.kv_bytes),
                       p.num_kv_blocks, have);
  if (p.num_kv_blocks < p.blocks_per_request || p.num_kv_blocks == 0)
    return fmt::format("does not fit: {}, there is room for {}; {}, {}", request, p.num_kv_blocks,
                       model, have);
  return fmt::format("fits: {}, {} for {} KV blocks ({} tokens, {:.1f} requests of {}), {}", model,
                     format_bytes(p.kv_bytes), p.num_kv_blocks, p.num_kv_blocks * kBlockSize,
                     p.full_requests(), p.max_model_len, have);
}

}  // namespace

MemoryPlan plan_memory(const weights::Checkpoint& checkpoint, const model::ModelConfig& config,
                       const MemoryOptions& options, const weights::MemoryLimits& limits) {
  MemoryPlan plan;
  plan.available_bytes = limits.available_bytes();
  plan.available_source = limits.source();
  add_weights(checkpoint, config, options.quantise_to, plan);
  plan.max_num_batched_tokens = options.max_num_batched_tokens;
  plan.activation_bytes =
      saturated(activation_bytes(config, options.max_num_batched_tokens,
                                 std::min(options.max_num_seqs, options.max_num_batched_tokens)));
  plan.kv_dtype = options.kv_dtype;
  plan.kv_bytes_per_token = KvMemory::bytes_per_token(config, options.kv_dtype);
  plan.kv_bytes_per_block = saturated(size_of(plan.kv_bytes_per_token) * kBlockSize);
  plan.max_model_len = options.max_model_len.value_or(config.max_position_embeddings);
  plan.blocks_per_request = blocks_of(plan.max_model_len);
  size_pool(options, plan);
  if (!options.max_model_len) shorten(plan);
  plan.kv_bytes = saturated(size_of(plan.num_kv_blocks) * size_of(plan.kv_bytes_per_block));
  plan.needed_bytes = saturated(size_of(plan.weight_bytes) + size_of(plan.activation_bytes) +
                                size_of(plan.kv_bytes));
  plan.fits = plan.needed_bytes <= plan.available_bytes && plan.num_kv_blocks > 0 &&
              plan.num_kv_blocks <= kMostBlocks && plan.num_kv_blocks >= plan.blocks_per_request;
  plan.verdict = verdict_of(plan);
  return plan;
}

Status MemoryPlan::status() const {
  if (fits) return {};
  return resource_exhausted("{}", verdict);
}

std::string MemoryPlan::table() const {
  std::string kinds;
  for (const Weights& group : weights)
    kinds +=
        fmt::format("{}{} {}", kinds.empty() ? "" : ", ", format_bytes(group.bytes), group.dtype);
  std::string text;
  const auto line = [&](std::string_view what, const std::string& bytes,
                        const std::string& remark) {
    text += fmt::format("  {:<13} {:>10}   {}\n", what, bytes, remark);
  };
  line("weights", format_bytes(weight_bytes), kinds);
  line("activations", format_bytes(activation_bytes),
       fmt::format("for steps of {} tokens", max_num_batched_tokens));
  line("KV cache", format_bytes(kv_bytes),
       fmt::format("{} blocks of {} tokens ({}: {} a token, {} a block)", num_kv_blocks, kBlockSize,
                   name(kv_dtype), format_bytes(kv_bytes_per_token),
                   format_bytes(kv_bytes_per_block)));
  line("left",
       left_bytes() >= 0 ? format_bytes(left_bytes())
                         : fmt::format("-{}", format_bytes(-left_bytes())),
       fmt::format("of {} available ({})", format_bytes(available_bytes), available_source));
  line("requests", fmt::format("{:.1f}", full_requests()),
       fmt::format("at once of {} tokens{}", max_model_len,
                   shortened ? " (shortened to what fits)" : ""));
  return text;
}

Result<int64_t> parse_bytes(std::string_view text) {
  const auto wrong = [&] {
    return invalid_argument("expected bytes such as 2GiB, 512MiB or 100000, got \"{}\"", text);
  };
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || !(number > 0)) return wrong();
  std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  int shift = 0;
  constexpr std::string_view kUnits = "KMGT", kSmall = "kmgt";
  if (!unit.empty() && unit != "B") {
    const size_t place = std::min(kUnits.find(unit[0]), kSmall.find(unit[0]));
    if (place == std::string_view::npos) return wrong();
    shift = 10 * (static_cast<int>(place) + 1);
    unit.remove_prefix(1);
    if (unit != "" && unit != "iB" && unit != "B" && unit != "i" && unit != "ib" && unit != "b")
      return wrong();
  }
  const double bytes = std::floor(std::ldexp(number, shift));
  if (!(bytes >= 1 && bytes <= 0x1p62)) return wrong();
  return static_cast<int64_t>(bytes);
}

}  // namespace orrery::engine
