// The definition of every operation, in plain loops. Read this to learn what a kernel computes.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/check.h"
#include "kernels/activations.h"
#include "kernels/exp.h"
#include "kernels/kernels.h"
#include "kernels/kv_int8.h"
#include "kernels/packed.h"
#include "kernels/round_bf16.h"
#include "tensor/float16.h"
#include "tensor/float8.h"

namespace orrery::kernels {
namespace {

using Lanes = std::array<float, 16>;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The fixed tree: lane i takes in lane i + 8, then i + 4, i + 2, i + 1.
float tree_sum(Lanes v) {
  for (size_t width = 8; width > 0; width /= 2)
    for (size_t i = 0; i < width; ++i) v[i] = v[i] + v[i + width];
  return v[0];
}

// As the vector instructions have it: the second of two zeros, or of two where one is NaN.
float max_of(float a, float b) { return a > b ? a : b; }

float tree_max(Lanes v) {
  for (size_t width = 8; width > 0; width /= 2)
    for (size_t i = 0; i < width; ++i) v[i] = max_of(v[i], v[i + width]);
  return v[0];
}

// One head of one block, keys or values: kBlockSize · d numbers, and the scales of a kI8 cache.
struct HeadBlock {
  DType dtype;
  int64_t numbers;
  std::byte* data;

  template <typename T>
  T& at(int64_t index) const {
    return reinterpret_cast<T*>(data)[index];
  }
  // Of token `slot`: what its numbers are multiples of.
  float& scale(int64_t slot) const { return reinterpret_cast<float*>(data + numbers)[slot]; }
  // Without the scale.
  float number(int64_t index) const {
    switch (dtype) {
      case DType::kF32:
        return at<float>(index);
      case DType::kI8:
        return static_cast<float>(at<int8_t>(index));
      case DType::kF8E4M3:
        return e4m3_to_f32(at<uint8_t>(index));
      default:
        return bf16_to_f32(at<uint16_t>(index));
    }
  }
  void set_number(int64_t index, float value, float scale_of_token) const {
    switch (dtype) {
      case DType::kF32:
        at<float>(index) = value;
        return;
      case DType::kI8:
        at<int8_t>(index) = int8_code(value, scale_of_token);
        return;
      case DType::kF8E4M3:
        at<uint8_t>(index) = f32_to_e4m3(value);
        return;
      default:
        at<uint16_t>(index) = f32_to_bf16(value);
    }
  }
};

HeadBlock head_block(const KvCache& cache, std::byte* half, int64_t block, int64_t head) {
  return {cache.dtype, cache.head_dim * KvCache::kBlockSize,
          half + (block * cache.n_kv_heads + head) * cache.head_bytes()};
}

// Where element i of token `slot` lies in them.
int64_t key_index(const KvCache&, int64_t slot, int64_t i) {
  return i * KvCache::kBlockSize + slot;
}
int64_t value_index(const KvCache& cache, int64_t slot, int64_t i) {
  return slot * cache.head_dim + i;
}

// A softmax-weighted sum of values in the making: the sum so far, in units of exp(max).
struct PartialSum {
  float max = -kInfinity;
  Lanes sums{};
  std::vector<float> acc;
};

// One row's attention to the positions [begin, end) of its context. `table` is its block table.
struct RowAttention {
  const KvCache& cache;
  std::span<const int32_t> table;
  int64_t head;  // kv head
  const float* q;
  float scale;

  PartialSum part(int64_t begin, int64_t end) const {
    PartialSum state;
    state.acc.assign(static_cast<size_t>(cache.head_dim), 0.0F);
    constexpr int64_t kTile = KvCache::kBlockSize;
    for (int64_t tile = begin / kTile; tile * kTile < end; ++tile) {
      const int64_t first = std::max(begin - tile * kTile, int64_t{0});
      const int64_t last = std::min(end - tile * kTile, kTile);
      add_tile(table[static_cast<size_t>(tile)], first, last, state);
    }
    return state;
  }

  void add_tile(int64_t block, int64_t first, int64_t last, PartialSum& state) const {
    const HeadBlock keys = head_block(cache, cache.keys, block, head);
    const HeadBlock values = head_block(cache, cache.values, block, head);
    const bool scaled = cache.dtype == DType::kI8;
    Lanes e;
    e.fill(-kInfinity);
    for (int64_t j = first; j < last; ++j) {
      float score = 0;
      for (int64_t i = 0; i < cache.head_dim; ++i)
        score = std::fma(q[i], keys.number(key_index(cache, j, i)), score);
      if (scaled) score *= keys.scale(j);
      e[static_cast<size_t>(j)] = score * scale;
    }
    const float max = max_of(state.max, tree_max(e));
    const float shrink = exp_f32(state.max - max);
    state.max = max;
    for (size_t j = 0; j < e.size(); ++j) {
      e[j] = exp_f32(e[j] - max);
      state.sums[j] = std::fma(state.sums[j], shrink, e[j]);
    }
    for (int64_t j = first; j < last && scaled; ++j) e[static_cast<size_t>(j)] *= values.scale(j);
    for (int64_t c = 0; c < cache.head_dim; ++c) {
      float acc = state.acc[static_cast<size_t>(c)] * shrink;
      for (int64_t j = first; j < last; ++j)
        acc = std::fma(e[static_cast<size_t>(j)], values.number(value_index(cache, j, c)), acc);
      state.acc[static_cast<size_t>(c)] = acc;
    }
  }
};

void merge(PartialSum& total, const PartialSum& part) {
  const float max = max_of(total.max, part.max);
  const float a = exp_f32(total.max - max), b = exp_f32(part.max - max);
  total.max = max;
  for (size_t i = 0; i < total.sums.size(); ++i)
    total.sums[i] = std::fma(total.sums[i], a, part.sums[i] * b);
  for (size_t c = 0; c < total.acc.size(); ++c)
    total.acc[c] = std::fma(total.acc[c], a, part.acc[c] * b);
}

float dot(std::span<const float> x, std::span<const float> w) {
  float sum = 0;
  for (size_t k = 0; k < w.size(); ++k) sum = std::fma(x[k], w[k], sum);
  return sum;
}

// Of bf16 weights with Activations::kByte (activations.h).
float dot_bf16(std::span<const float> x, std::span<const float> w) {
  float sum = 0;
  for (size_t k = 0; k < w.size(); ++k)
    sum = flushed(std::fma(rounded_to_bf16(x[k]), flushed(w[k]), sum));
  return sum;
}

// A row of activations as a matmul with a block format reads it.
struct RoundedRow {
  std::vector<int> q;
  std::vector<float> scale;  // [k / kActivationBlock]

  RoundedRow(std::span<const float> x, Activations activations) {
    for (size_t begin = 0; begin < x.size(); begin += kActivationBlock) {
      const auto block = x.subspan(begin, kActivationBlock);
      uint32_t largest = 0;
      for (const float value : block)
        largest = std::max(largest, std::bit_cast<uint32_t>(value) & 0x7FFFFFFF);
      const auto [inverse, block_scale] =
          activation_scale(largest, largest_activation(activations));
      scale.push_back(block_scale);
      for (const float value : block)
        q.push_back(inverse == 0 ? 0 : static_cast<int>(std::nearbyint(value * inverse)));
    }
  }

  float dot(const PackedRow& w, DType dtype) const {
    const auto sub_block = static_cast<size_t>(packed_layout(dtype).sub_block);
    const bool minimum = packed_layout(dtype).minimum;
    float sum = 0;
    for (size_t b = 0; b < w.scale.size(); ++b) {
      int products = 0, inputs = 0;
      for (size_t k = b * sub_block; k < (b + 1) * sub_block; ++k) {
        products += w.q[k] * q[k];
        inputs += q[k];
      }
      const float x_scale = scale[b * sub_block / kActivationBlock];
      sum = std::fma(static_cast<float>(products), w.scale[b] * x_scale, sum);
      if (minimum) sum = std::fma(-w.minimum[b], x_scale * static_cast<float>(inputs), sum);
    }
    return sum;
  }
};

class ReferenceKernels : public Kernels {
 public:
  explicit ReferenceKernels(Activations activations) : activations_(activations) {}

  std::string_view name() const override { return "reference"; }
  Activations activations() const override { return activations_; }

  Result<PackedMatrix> pack(const WeightRows& rows) const override { return pack_panels(rows); }
  std::string_view packed_layout() const override { return kPanelLayout; }

  void embed(std::span<const int32_t> token_ids, const PackedMatrix& table, Tensor out) override {
    CHECK(out.rows() == std::ssize(token_ids) && out.cols() == table.k);
    for (size_t t = 0; t < token_ids.size(); ++t)
      unpack_row(table, token_ids[t], row(out, static_cast<int64_t>(t)));
  }

  void project(const Input& input, std::span<const Projection> projections) override {
    const Tensor& rows = rows_of(input);
    std::vector<float> made(static_cast<size_t>(rows.shape.elements()));
    Tensor x{DType::kF32, rows.shape, made.data()};
    if (const auto* normed = std::get_if<Normed>(&input)) {
      if (normed->y.data != nullptr) add(normed->x, normed->y);
      rms_norm(normed->x, normed->weight, normed->eps, x);
    } else if (const auto* gated = std::get_if<SwiGlu>(&input)) {
      std::ranges::copy(gated->gate.f32(), made.begin());
      silu_mul(x, gated->up);
    } else {
      x = rows;
    }
    for (const auto& [w, bias, out] : projections) multiply(x, w, bias, out);
  }

  void multiply(const Tensor& x, const PackedMatrix& w, std::span<const float> bias,
                Tensor out) const {
    CHECK(x.cols() == w.k && out.cols() == w.n && out.rows() == x.rows());
    CHECK(bias.empty() || std::ssize(bias) == w.n);
    const bool blocks = is_quantised(w.dtype);
    const bool coarse = w.dtype == DType::kBF16 && activations_ == Activations::kByte;
    std::vector<RoundedRow> rounded;
    for (int64_t t = 0; t < x.rows() && blocks; ++t) rounded.emplace_back(row(x, t), activations_);
    std::vector<float> weights(static_cast<size_t>(w.k));
    PackedRow codes;
    for (int64_t n = 0; n < w.n; ++n) {
      if (blocks)
        unpack_codes(w, n, codes);
      else
        unpack_row(w, n, weights);
      for (int64_t t = 0; t < x.rows(); ++t) {
        const float sum = blocks   ? rounded[static_cast<size_t>(t)].dot(codes, w.dtype)
                          : coarse ? dot_bf16(row(x, t), weights)
                                   : dot(row(x, t), weights);
        row(out, t)[static_cast<size_t>(n)] =
            bias.empty() ? sum : sum + bias[static_cast<size_t>(n)];
      }
    }
  }

  void rms_norm(const Tensor& x, std::span<const float> weight, float eps, Tensor out) override {
    CHECK(x.shape == out.shape && std::ssize(weight) == x.cols());
    for (int64_t t = 0; t < x.rows(); ++t) {
      const std::span<float> in = row(x, t), result = row(out, t);
      Lanes squares{};
      for (size_t i = 0; i < in.size(); ++i)
        squares[i % 16] = std::fma(in[i], in[i], squares[i % 16]);
      const float mean = tree_sum(squares) / static_cast<float>(in.size());
      const float inverse = 1.0F / std::sqrt(mean + eps);
      for (size_t i = 0; i < in.size(); ++i) result[i] = in[i] * inverse * weight[i];
    }
  }

  void add(Tensor x, const Tensor& y) override {
    CHECK(x.shape == y.shape);
    const std::span<float> a = x.f32(), b = y.f32();
    for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  }

  void silu_mul(Tensor gate, const Tensor& up) override {
    CHECK(gate.shape == up.shape);
    const std::span<float> a = gate.f32(), b = up.f32();
    for (size_t i = 0; i < a.size(); ++i) a[i] = a[i] / (1.0F + exp_f32(-a[i])) * b[i];
  }

  void rope(Tensor x, const Tensor& cos_sin) override {
    CHECK(x.shape.rank() == 3 && cos_sin.rows() == x.shape[0]);
    CHECK(cos_sin.cols() % 2 == 0 && cos_sin.cols() <= x.cols());
    const auto half = static_cast<size_t>(cos_sin.cols() / 2);
    for (int64_t t = 0; t < x.shape[0]; ++t) {
      const std::span<float> angles = row(cos_sin, t);
      for (int64_t h = 0; h < x.shape[1]; ++h) {
        const std::span<float> head = row(x, t * x.shape[1] + h);
        for (size_t i = 0; i < half; ++i) {
          const float a = head[i], b = head[i + half];
          const float cosine = angles[i], sine = angles[i + half];
          head[i] = a * cosine - b * sine;
          head[i + half] = b * cosine + a * sine;
        }
      }
    }
  }

  void store_kv(const Tensor& k, const Tensor& v, std::span<const int64_t> slot_mapping,
                KvCache& cache) override {
    CHECK(is_kv_dtype(cache.dtype));
    CHECK(k.shape == v.shape &&
          k.shape == Shape({std::ssize(slot_mapping), cache.n_kv_heads, cache.head_dim}));
    int64_t source = 0;
    for (const int64_t slot : slot_mapping) {
      const int64_t block = slot / KvCache::kBlockSize, j = slot % KvCache::kBlockSize;
      CHECK(slot >= 0 && block < cache.num_blocks);
      for (int64_t head = 0; head < cache.n_kv_heads; ++head, ++source) {
        store(row(k, source), head_block(cache, cache.keys, block, head), j,
              [&](int64_t i) { return key_index(cache, j, i); });
        store(row(v, source), head_block(cache, cache.values, block, head), j,
              [&](int64_t i) { return value_index(cache, j, i); });
      }
    }
  }

  void paged_attention(const Tensor& q, const KvCache& cache, const AttentionBatch& batch,
                       float scale, int64_t window, Tensor out) override {
    CHECK(q.shape.rank() == 3 && q.shape == out.shape && q.cols() == cache.head_dim);
    CHECK(q.shape[1] % cache.n_kv_heads == 0);
    CHECK(batch.query_start_loc.size() == batch.seq_lens.size() + 1);
    const int64_t group = q.shape[1] / cache.n_kv_heads;
    attention_scratch_bytes_ =
        std::max(attention_scratch_bytes_, 2 * (17 + cache.head_dim) * int64_t{sizeof(float)});
    for (size_t r = 0; r < batch.seq_lens.size(); ++r) {
      const int64_t begin = batch.query_start_loc[r], end = batch.query_start_loc[r + 1];
      const auto table =
          batch.block_tables.subspan(r * static_cast<size_t>(batch.max_blocks_per_seq),
                                     static_cast<size_t>(batch.max_blocks_per_seq));
      for (int64_t t = begin; t < end; ++t) {
        const int64_t position = batch.seq_lens[r] - end + t;
        const int64_t oldest = window > 0 ? std::max(position - window + 1, int64_t{0}) : 0;
        for (int64_t h = 0; h < q.shape[1]; ++h) {
          const int64_t index = t * q.shape[1] + h;
          const RowAttention attention{cache, table, h / group, row(q, index).data(), scale};
          attend(attention, oldest, position + 1, row(out, index));
        }
      }
    }
  }

  // Two partial sums.
  int64_t attention_scratch_bytes() const override { return attention_scratch_bytes_; }

  void gather_rows(const Tensor& x, std::span<const int32_t> rows, Tensor out) override {
    CHECK(out.rows() == std::ssize(rows) && out.cols() == x.cols());
    for (size_t i = 0; i < rows.size(); ++i)
      std::ranges::copy(row(x, rows[i]), row(out, static_cast<int64_t>(i)).begin());
  }

 private:
  // One token's numbers of one head, each to where place(i) says.
  template <typename Place>
  static void store(std::span<const float> x, const HeadBlock& to, int64_t slot,
                    const Place& place) {
    const float scale = to.dtype == DType::kI8 ? int8_scale(x) : 1;
    if (to.dtype == DType::kI8) to.scale(slot) = scale;
    for (size_t i = 0; i < x.size(); ++i)
      to.set_number(place(static_cast<int64_t>(i)), x[i], scale);
  }

  static std::span<float> row(const Tensor& x, int64_t index) {
    CHECK(index >= 0 && index < x.rows());
    const auto cols = static_cast<size_t>(x.cols());
    return x.f32().subspan(static_cast<size_t>(index) * cols, cols);
  }

  // The positions [begin, end), cut at multiples of kAttentionSplit.
  static void attend(const RowAttention& attention, int64_t begin, int64_t end,
                     std::span<float> out) {
    int64_t cut = std::min((begin / kAttentionSplit + 1) * kAttentionSplit, end);
    PartialSum total = attention.part(begin, cut);
    for (; cut < end; cut += kAttentionSplit)
      merge(total, attention.part(cut, std::min(cut + kAttentionSplit, end)));
    const float sum = tree_sum(total.sums);
    for (size_t c = 0; c < out.size(); ++c) out[c] = total.acc[c] / sum;
  }

  Activations activations_;
  int64_t attention_scratch_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Kernels> make_reference_kernels(Activations activations) {
  return std::make_unique<ReferenceKernels>(activations);
}

}  // namespace orrery::kernels
