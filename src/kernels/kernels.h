// The device interface: everything that a model asks of the hardware, on tensor views.
//
// reference.cpp is the definition of each operation, in plain loops. A table of CPU kernels
// (kernels/cpu/) computes the same numbers faster; all CPU tables give the same bits, because each
// sum runs in the one order that the definition states:
//   * matmul: of plain formats over k = 0 .. K−1, one fp32 fused multiply-add after the other; of
//     block formats over sub-blocks of 32 or 16 inputs (packed.h), the integer products of each
//     being added exactly;
//   * rms_norm: sixteen partial sums (lane l takes the elements i ≡ l mod 16), then a fixed tree;
//   * paged_attention: see there.
// No sum depends on how many rows a call has, on their neighbours, or on the number of threads;
// hence a token's logits are bitwise the same in a batch of one or of sixty-four, in one chunk or
// in many.
//
// Shapes: T tokens in the step, R requests, D hidden, H query heads, K kv heads, d head dimension,
// N outputs, V vocabulary. Activations are fp32, row-major. Operations may use the object's threads
// but return when done; one caller at a time. Arguments are checked by CHECK: the model file has
// made them consistent, and what came from a file was validated when it was loaded.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <variant>

#include "base/status.h"
#include "kernels/activations.h"
#include "tensor/buffer.h"
#include "tensor/tensor.h"

namespace orrery::kernels {

// A weight matrix [n, k] (n outputs, k inputs) in the device's own layout (for CPUs:
// kernels/packed.h). Immutable after packing.
struct PackedMatrix {
  DType dtype = DType::kF32;
  int64_t n = 0;
  int64_t k = 0;
  Buffer data;
};

// A weight matrix as the checkpoint has it. row(i) gives the k elements of output i, in `dtype`,
// not necessarily aligned; it stays valid during the call it is passed to. (A function, because
// some files permute rows and because rows of several tensors join.) pack() may call it from
// several threads at once.
struct WeightRows {
  DType dtype;
  int64_t n, k;
  std::function<const std::byte*(int64_t)> row;
};

// rms_norm(x + y) · weight: x += y is done too, as the residual stream wants it. y may have no
// data: then it is that of x alone.
struct Normed {
  Tensor x, y;  // [T, K]
  std::span<const float> weight;
  float eps;
};

// silu(gate) · up.
struct SwiGlu {
  Tensor gate, up;  // [T, K]
};

// What project() multiplies: rows as they are, or made one after the other just before they are
// rounded and multiplied, so that they need not lie in memory all together.
using Input = std::variant<Tensor, Normed, SwiGlu>;
inline const Tensor& rows_of(const Input& input) {
  if (const auto* normed = std::get_if<Normed>(&input)) return normed->x;
  if (const auto* gated = std::get_if<SwiGlu>(&input)) return gated->gate;
  return std::get<Tensor>(input);
}

// A matrix that an input is multiplied with, its bias (empty for none), and where the product goes.
struct Projection {
  const PackedMatrix& w;
  std::span<const float> bias;  // [N]
  Tensor out;                   // [T, N]
};

// The keys and values of one layer, in blocks of `block_size` tokens. Slot s is token s %
// block_size of block s / block_size.
struct KvCache {
  static constexpr int64_t kBlockSize = 16;  // tokens: one 512-bit register of fp32 scores
  DType dtype;                               // is_kv_dtype()
  int64_t num_blocks, n_kv_heads, head_dim;
  // [num_blocks][K][d][block_size]: lanes run over tokens when scores are computed.
  std::byte* keys;
  // [num_blocks][K][block_size][d]: lanes run over d when values are summed.
  std::byte* values;

  // kI8: the numbers of a block and head are followed by the block_size tokens' scales, fp32; a
  // number is scale · q. A token's scale is set when it is written, from its own d numbers, so that
  // no bit depends on its neighbours.
  static int64_t scale_bytes(DType dtype) {
    return dtype == DType::kI8 ? kBlockSize * static_cast<int64_t>(sizeof(float)) : 0;
  }
  // Bytes of `keys` (and as many of `values`) for one head of one block, and for one block.
  int64_t head_bytes() const {
    return head_dim * kBlockSize * info(dtype).block_bytes + scale_bytes(dtype);
  }
  int64_t block_bytes() const { return n_kv_heads * head_bytes(); }
};

// What a KvCache can hold.
inline bool is_kv_dtype(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kBF16 || dtype == DType::kI8 ||
         dtype == DType::kF8E4M3;
}

// Who attends to what. Request r owns query rows query_start_loc[r] .. query_start_loc[r + 1] − 1,
// which are the last tokens of its context of seq_lens[r] tokens; block b of its context lies in
// block block_tables[r * max_blocks_per_seq + b] of the cache.
struct AttentionBatch {
  std::span<const int32_t> query_start_loc;  // [R + 1]
  std::span<const int32_t> seq_lens;         // [R]
  std::span<const int32_t> block_tables;     // [R, max_blocks_per_seq]
  int64_t max_blocks_per_seq;
};

class Kernels {
 public:
  virtual ~Kernels() = default;
  virtual std::string_view name() const = 0;    // "reference" or of a table, as "avx2"
  virtual Activations activations() const = 0;  // what block formats are multiplied with

  // Repacks a weight matrix for matmul and embed. Errors: kResourceExhausted; kUnsupported for a
  // dtype this device cannot compute with; kInvalidArgument if k is not a multiple of the format's
  // block.
  virtual Result<PackedMatrix> pack(const WeightRows& rows) const = 0;

  // Name and version of the layout that pack() makes: matrices stored under it may be used again by
  // a process whose kernels have the same. Empty if they must not be stored.
  virtual std::string_view packed_layout() const { return {}; }

  // out[t] = row token_ids[t] of the table [V, D], dequantised. Ids must be in range. out [T, D]
  virtual void embed(std::span<const int32_t> token_ids, const PackedMatrix& table, Tensor out) = 0;

  // out[t, n] = Σ_k x[t, k] · w[n, k]  (+ bias[n], added last; empty for none).
  // x [T, K], out [T, N]
  //
  // Plain formats: sum = fma(x[k], w[k], sum), where x may be rounded to bf16 (activations.h).
  // Block formats: x is rounded to integers q of 16 or 8 bits with a scale per row and 32 inputs
  // (activations.h); for each sub-block b in order sum = fma(float(Σ c · q), w_scale[b] ·
  // x_scale[b], sum) with the weight's integers c, and in formats with a minimum then sum =
  // fma(−w_minimum[b], x_scale[b] · float(Σ q), sum).
  void matmul(const Tensor& x, const PackedMatrix& w, std::span<const float> bias, Tensor out) {
    const Projection one{w, bias, out};
    project(x, {&one, 1});
  }

  // The same for several matrices with one input: queries, keys and values, say. What is done to
  // the input before it is multiplied is done once, and threads are woken once. Normed and SwiGlu
  // have the bits of add, rms_norm and silu_mul.
  virtual void project(const Input& input, std::span<const Projection> projections) = 0;

  // out = x / sqrt(mean(x²) + eps) · weight over the last dimension. out may be x.
  // (arXiv:1910.07467)
  virtual void rms_norm(const Tensor& x, std::span<const float> weight, float eps, Tensor out) = 0;

  // x += y.
  virtual void add(Tensor x, const Tensor& y) = 0;

  // gate = silu(gate) · up, silu(z) = z / (1 + e^−z). (arXiv:2002.05202)
  virtual void silu_mul(Tensor gate, const Tensor& up) = 0;

  // Rotates the pairs (i, i + r/2) of the first r elements of each head by the angles whose cosines
  // and sines are given; the remaining elements stay. x [T, H, d], cos_sin [T, r]: r/2 cosines,
  // then r/2 sines. (arXiv:2104.09864)
  virtual void rope(Tensor x, const Tensor& cos_sin) = 0;

  // Writes the keys and values [T, K, d] of the step's tokens into their slots, rounded to the
  // cache's dtype (float16.h, float8.h; kI8: kv_int8.h).
  virtual void store_kv(const Tensor& k, const Tensor& v, std::span<const int64_t> slot_mapping,
                        KvCache& cache) = 0;

  // Rotates queries and keys and stores keys and values: rope, rope and store_kv, which a device
  // may do in one pass. What it leaves in k is not said.
  virtual void rope_and_store_kv(Tensor q, Tensor k, const Tensor& v, const Tensor& cos_sin,
                                 std::span<const int64_t> slot_mapping, KvCache& cache) {
    rope(q, cos_sin);
    rope(k, cos_sin);
    store_kv(k, v, slot_mapping, cache);
  }

  // out[t, h] = Σ_j softmax_j(scale · q[t, h] · k[j]) v[j] over the context positions j ≤ p, where
  // p is the row's own position, and j > p − window if window > 0. Query head h reads kv head h /
  // (H / K). q, out [T, H, d].
  //
  // Order: s = scale · Σ q[i] k[i], fp32 FMAs over i = 0 .. d−1. The context is cut at positions
  // that are multiples of kAttentionSplit. Inside a part, tiles of block_size positions in order:
  // m' = max(m, max of the tile), e = exp(s − m'), the sixteen lane sums l[i] = fma(l[i], exp(m −
  // m'), e[i]), and acc[c] = fma(e[j], v[j, c], …) over j in order after acc[c] *= exp(m − m').
  // Positions outside the mask have e = 0 in l and are left out of acc (what a stale slot holds
  // reaches no one); tiles wholly outside are skipped. Parts are merged in order of position, M' =
  // max(M, m), a = exp(M − M'), b = exp(m − M'): L[i] = fma(L[i], a, l[i] · b), ACC[c] =
  // fma(ACC[c], a, acc[c] · b), beginning with the first part as it is; then out = ACC / (tree sum
  // of L). The exponential is that of exp.h. In a kI8 cache k and v above are the integers, with s
  // = scale · (scale of k[j] · Σ …) and e[j] · scale of v[j] in place of e[j] in acc.
  // (arXiv:2205.14135, arXiv:2309.06180)
  virtual void paged_attention(const Tensor& q, const KvCache& cache, const AttentionBatch& batch,
                               float scale, int64_t window, Tensor out) = 0;

  // The most memory that a call of paged_attention has taken so far beside its arguments.
  virtual int64_t attention_scratch_bytes() const = 0;

  // out[i] = x[rows[i]].
  virtual void gather_rows(const Tensor& x, std::span<const int32_t> rows, Tensor out) = 0;

  // Threads of the processor that compute for it, the caller's among them, and a loop over them for
  // work that is not a kernel: body(begin, end) on disjoint ranges that cover [0, n), each index
  // being worth the waking of a thread; returns when all are done. body must neither throw nor call
  // this object.
  virtual int num_threads() const { return 1; }
  // Where its threads are bound to processors, binds the calling one, which is to make the calls
  // that follow (ThreadPool::bind_caller).
  virtual void bind_caller() {}
  virtual void run_on_threads(int64_t n, const std::function<void(int64_t, int64_t)>& body) {
    body(0, n);
  }
};

// Positions; enough parts for 16 threads at 8k, 1/32 of its work in merging.
inline constexpr int64_t kAttentionSplit = 512;

// The definition in plain loops. Threads: one.
std::unique_ptr<Kernels> make_reference_kernels(Activations activations = Activations::kTwoBytes);

}  // namespace orrery::kernels
