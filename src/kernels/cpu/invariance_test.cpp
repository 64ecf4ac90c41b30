// The promise of the design on a small decoder: a request's logits are bitwise the same computed
// whole, in chunks of any size, token by token, beside other requests, and on any number of
// threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/tables_for_tests.h"
#include "kernels/weights_for_tests.h"

namespace orrery::kernels::cpu {
namespace {

// Small enough for the scalar table.
constexpr int64_t kVocab = 70, kHidden = 64, kHeads = 2, kKvHeads = 1, kHeadDim = 32, kFfn = 96;
constexpr int32_t kTokens = 530;  // over a cut of attention

// One decoder layer between embedding and logits.
class Decoder {
 public:
  Decoder(Kernels& kernels, DType weights, DType cache_dtype) : kernels_(kernels) {
    uint64_t seed = 1;
    for (PackedMatrix* w : {&embed_, &head_}) *w = pack(weights, kVocab, kHidden, seed++);
    for (PackedMatrix* w : {&q_, &o_}) *w = pack(weights, kHidden, kHidden, seed++);
    for (PackedMatrix* w : {&k_, &v_}) *w = pack(weights, kKvHeads * kHeadDim, kHidden, seed++);
    for (PackedMatrix* w : {&gate_, &up_}) *w = pack(weights, kFfn, kHidden, seed++);
    down_ = pack(weights, kHidden, kFfn, seed++);
    norm_ = TestRandom(seed).floats(kHidden);
    cache_ = {cache_dtype, 2 * kBlocks, kKvHeads, kHeadDim, nullptr, nullptr};
    keys_.assign(static_cast<size_t>(cache_.num_blocks * cache_.block_bytes()), std::byte{0xFF});
    values_ = keys_;
    cache_.keys = keys_.data();
    cache_.values = values_.data();
    block_table_.resize(kBlocks);
    std::iota(block_table_.rbegin(), block_table_.rend(), 0);
  }

  // Runs tokens begin .. end − 1 of the prompt; with `neighbour` after a token of another request.
  // Logits [end − begin, V] of the prompt's tokens.
  std::vector<float> run(int32_t begin, int32_t end, bool neighbour) {
    const int32_t others = neighbour ? 1 : 0, rows = others + end - begin;
    std::vector<int32_t> ids, query_start_loc = {0}, seq_lens, tables;
    std::vector<int64_t> slots, positions;
    if (neighbour) {
      ids.push_back(begin % 7);
      positions.push_back(0);
      slots.push_back(kBlocks * KvCache::kBlockSize);
      query_start_loc.push_back(1);
      seq_lens.push_back(1);
      tables.resize(kBlocks, kBlocks);
    }
    for (int32_t p = begin; p < end; ++p) {
      ids.push_back(p * 31 % static_cast<int32_t>(kVocab));
      positions.push_back(p);
      slots.push_back(block_table_[static_cast<size_t>(p / KvCache::kBlockSize)] *
                          KvCache::kBlockSize +
                      p % KvCache::kBlockSize);
    }
    query_start_loc.push_back(rows);
    seq_lens.push_back(end);
    tables.insert(tables.end(), block_table_.begin(), block_table_.end());
    std::vector<float> logits =
        forward(ids, positions, slots, {query_start_loc, seq_lens, tables, kBlocks});
    logits.erase(logits.begin(), logits.begin() + others * kVocab);
    return logits;
  }

 private:
  static constexpr int32_t kBlocks = (kTokens + KvCache::kBlockSize - 1) / KvCache::kBlockSize;

  PackedMatrix pack(DType dtype, int64_t n, int64_t k, uint64_t seed) {
    const TestWeights weights(dtype, n, k, seed);
    return kernels_.pack(weights.rows()).value();
  }

  std::vector<float> multiply(const Input& x, const PackedMatrix& w) {
    const int64_t rows = rows_of(x).rows();
    std::vector<float> out(static_cast<size_t>(rows * w.n));
    const Projection one{w, {}, view(out, {rows, w.n})};
    kernels_.project(x, {&one, 1});
    return out;
  }

  static std::vector<float> angles(const std::vector<int64_t>& positions) {
    std::vector<float> cos_sin;
    for (const int64_t p : positions) {
      for (int i = 0; i < kHeadDim; ++i) {
        const double angle = static_cast<double>(p) * std::pow(1e4, -(i % 16) / 16.0);
        cos_sin.push_back(static_cast<float>(i < 16 ? std::cos(angle) : std::sin(angle)));
      }
    }
    return cos_sin;
  }

  std::vector<float> forward(const std::vector<int32_t>& ids, const std::vector<int64_t>& positions,
                             const std::vector<int64_t>& slots, const AttentionBatch& batch) {
    const auto rows = std::ssize(ids);
    const Shape hidden{rows, kHidden}, q_shape{rows, kHeads, kHeadDim},
        kv_shape{rows, kKvHeads, kHeadDim}, ffn{rows, kFfn};
    std::vector<float> x(static_cast<size_t>(rows * kHidden)), attended(x.size());
    kernels_.embed(ids, embed_, view(x, hidden));
    const Normed h{view(x, hidden), {}, norm_, 1e-5F};
    std::vector<float> q = multiply(h, q_), k = multiply(h, k_), v = multiply(h, v_);
    std::vector<float> cos_sin = angles(positions);
    kernels_.rope_and_store_kv(view(q, q_shape), view(k, kv_shape), view(v, kv_shape),
                               view(cos_sin, {rows, kHeadDim}), slots, cache_);
    kernels_.paged_attention(view(q, q_shape), cache_, batch, 0.125F, 0, view(attended, q_shape));
    std::vector<float> o = multiply(view(attended, hidden), o_);
    std::vector<float> gate = multiply(Normed{h.x, view(o, hidden), norm_, 1e-5F}, gate_);
    std::vector<float> up = multiply(h, up_);
    std::vector<float> down = multiply(SwiGlu{view(gate, ffn), view(up, ffn)}, down_);
    return multiply(Normed{h.x, view(down, hidden), norm_, 1e-5F}, head_);
  }

  Kernels& kernels_;
  PackedMatrix embed_, head_, q_, k_, v_, o_, gate_, up_, down_;
  std::vector<float> norm_;
  KvCache cache_{};
  std::vector<std::byte> keys_, values_;
  std::vector<int32_t> block_table_;
};

class Invariance : public testing::TestWithParam<const CpuTable*> {};

INSTANTIATE_TEST_SUITE_P(Cpu, Invariance, testing::ValuesIn(tables_to_test()), test_name);

struct Formats {
  DType weights, cache;
  Activations activations = Activations::kTwoBytes;
};

// Chunks: sizes that repeat until the prompt is done.
std::vector<float> logits_in_chunks(const CpuTable& table, int num_threads, const Formats& formats,
                                    std::vector<int32_t> chunks, bool neighbour) {
  const auto kernels = make_cpu_kernels(table, num_threads, {.activations = formats.activations});
  Decoder decoder(*kernels, formats.weights, formats.cache);
  std::vector<float> all;
  for (int32_t begin = 0, i = 0; begin < kTokens; ++i) {
    const int32_t chunk = chunks[static_cast<size_t>(i) % chunks.size()];
    const int32_t end = std::min(begin + chunk, kTokens);
    const std::vector<float> logits = decoder.run(begin, end, neighbour);
    all.insert(all.end(), logits.begin(), logits.end());
    begin = end;
  }
  return all;
}

TEST_P(Invariance, LogitsAreBitwiseTheSameWholeInChunksAndTokenByToken) {
  const CpuTable& table = *GetParam();
  for (const Formats& formats : {Formats{DType::kBF16, DType::kBF16},
                                 {DType::kQ4_0, DType::kF32},
                                 {DType::kQ4_0, DType::kF32, Activations::kByte},
                                 {DType::kBF16, DType::kF32, Activations::kByte},
                                 {DType::kBF16, DType::kI8},
                                 {DType::kBF16, DType::kF8E4M3}}) {
    const auto whole = logits_in_chunks(table, 1, formats, {kTokens}, false);
    ASSERT_TRUE(std::isfinite(std::accumulate(whole.begin(), whole.end(), 0.0F)));
    struct Way {
      int num_threads;
      std::vector<int32_t> chunks;
      bool neighbour;
    };
    const Way ways[] = {{2, {kTokens}, false}, {3, {200}, true},        {1, {16}, false},
                        {2, {1, 7, 33}, true}, {1, {1}, false},         {2, {1}, true},
                        {2, {511, 1}, false},  {3, {15, 1, 300}, false}};
    for (const auto& [num_threads, chunks, neighbour] : ways) {
      const auto got = logits_in_chunks(table, num_threads, formats, chunks, neighbour);
      ASSERT_EQ(got.size(), whole.size());
      EXPECT_EQ(std::memcmp(got.data(), whole.data(), got.size() * sizeof(float)), 0)
          << name(formats.weights) << ", " << num_threads << " threads, chunks of " << chunks[0]
          << (neighbour ? ", beside another request" : "");
    }
  }
}

}  // namespace
}  // namespace orrery::kernels::cpu
