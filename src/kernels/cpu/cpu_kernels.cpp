#include "kernels/cpu/cpu_kernels.h"

#include <algorithm>
#include <memory>

#include "base/check.h"
#include "base/thread_pool.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/matmul.h"
#include "kernels/cpu/paged_attention.h"
#include "kernels/cpu/parallel.h"
#include "kernels/kv_int8.h"
#include "kernels/packed.h"
#include "tensor/float16.h"
#include "tensor/float8.h"

namespace orrery::kernels::cpu {
namespace {

constexpr int kMaxThreads = 1024;

float* row(const Tensor& x, int64_t index) { return x.f32().data() + index * x.cols(); }

class CpuKernels : public Kernels {
 public:
  CpuKernels(const CpuTable& table, int num_threads, const CpuOptions& options)
      : table_(table),
        activations_(options.activations),
        pool_(num_threads, options.bind_threads),
        matmul_(table, pool_, options.activations),
        attention_(*table.lanes, pool_, options.attention) {}

  std::string_view name() const override { return table_.name; }
  Activations activations() const override { return activations_; }

  Result<PackedMatrix> pack(const WeightRows& rows) const override {
    ASSIGN_OR_RETURN(PackedMatrix w, allocate_panels(rows));
    parallel(pool_, num_panels(w.n), 32.0 * static_cast<double>(w.k),
             [&](int64_t begin, int64_t end) {
               for (int64_t panel = begin; panel < end; ++panel) pack_panel(rows, panel, w);
             });
    return w;
  }

  std::string_view packed_layout() const override { return kPanelLayout; }

  void embed(std::span<const int32_t> token_ids, const PackedMatrix& table, Tensor out) override {
    CHECK(out.rows() == std::ssize(token_ids) && out.cols() == table.k);
    for (const int32_t id : token_ids) CHECK(id >= 0 && id < table.n) << id;
    parallel(pool_, out.rows(), 3.0 * static_cast<double>(table.k),
             [&](int64_t begin, int64_t end) {
               for (int64_t t = begin; t < end; ++t)
                 unpack_row(table, token_ids[static_cast<size_t>(t)],
                            {row(out, t), static_cast<size_t>(table.k)});
             });
  }

  void project(const Input& input, std::span<const Projection> projections) override {
    matmul_.run(input, projections);
  }

  void rms_norm(const Tensor& x, std::span<const float> weight, float eps, Tensor out) override {
    CHECK(x.shape == out.shape && std::ssize(weight) == x.cols());
    for_rows(x, 0.3, [&](int64_t begin, int64_t end) {
      table_.lanes->rms_norm(row(x, begin), weight.data(), eps, end - begin, x.cols(),
                             row(out, begin));
    });
  }

  void add(Tensor x, const Tensor& y) override {
    CHECK(x.shape == y.shape);
    for_rows(x, 0.2, [&](int64_t begin, int64_t end) {
      table_.lanes->add(row(x, begin), row(y, begin), (end - begin) * x.cols());
    });
  }

  void silu_mul(Tensor gate, const Tensor& up) override {
    CHECK(gate.shape == up.shape);
    for_rows(gate, 1, [&](int64_t begin, int64_t end) {
      table_.lanes->silu_mul(row(gate, begin), row(up, begin), (end - begin) * gate.cols(),
                             row(gate, begin));
    });
  }

  void rope(Tensor x, const Tensor& cos_sin) override {
    check_angles(x, cos_sin);
    parallel(pool_, x.shape[0], rope_ns(x),
             [&](int64_t begin, int64_t end) { rotate(x, cos_sin, begin, end); });
  }

  void store_kv(const Tensor& k, const Tensor& v, std::span<const int64_t> slot_mapping,
                KvCache& cache) override {
    check_slots(k, v, slot_mapping, cache);
    parallel(pool_, std::ssize(slot_mapping), store_ns(cache), [&](int64_t begin, int64_t end) {
      store_tokens(k, v, slot_mapping, cache, begin, end);
    });
  }

  // A token's keys go from the first-level cache, where they were rotated, to their slot.
  void rope_and_store_kv(Tensor q, Tensor k, const Tensor& v, const Tensor& cos_sin,
                         std::span<const int64_t> slot_mapping, KvCache& cache) override {
    check_angles(q, cos_sin);
    check_angles(k, cos_sin);
    check_slots(k, v, slot_mapping, cache);
    parallel(pool_, q.shape[0], rope_ns(q) + rope_ns(k) + store_ns(cache),
             [&](int64_t begin, int64_t end) {
               rotate(q, cos_sin, begin, end);
               for (int64_t t = begin; t < end; ++t) {
                 rotate(k, cos_sin, t, t + 1);
                 store_tokens(k, v, slot_mapping, cache, t, t + 1);
               }
             });
  }

  void paged_attention(const Tensor& q, const KvCache& cache, const AttentionBatch& batch,
                       float scale, int64_t window, Tensor out) override {
    CHECK(q.shape.rank() == 3 && q.shape == out.shape && q.cols() == cache.head_dim);
    CHECK(q.shape[1] % cache.n_kv_heads == 0);
    CHECK(is_kv_dtype(cache.dtype));
    CHECK(batch.query_start_loc.size() == batch.seq_lens.size() + 1);
    CHECK(batch.block_tables.size() >=
          batch.seq_lens.size() * static_cast<size_t>(batch.max_blocks_per_seq));
    attention_.run(q, cache, batch, scale, window, out);
  }

  int64_t attention_scratch_bytes() const override { return attention_.scratch_bytes(); }

  void gather_rows(const Tensor& x, std::span<const int32_t> rows, Tensor out) override {
    CHECK(out.rows() == std::ssize(rows) && out.cols() == x.cols());
    for (size_t i = 0; i < rows.size(); ++i) {
      CHECK(rows[i] >= 0 && rows[i] < x.rows());
      std::copy_n(row(x, rows[i]), x.cols(), row(out, static_cast<int64_t>(i)));
    }
  }

  int num_threads() const override { return pool_.num_threads(); }
  void bind_caller() override { pool_.bind_caller(); }

  void run_on_threads(int64_t n, const std::function<void(int64_t, int64_t)>& body) override {
    pool_.parallel_for(n, 1, body);
  }

 private:
  template <typename Body>
  void for_rows(const Tensor& x, double ns_an_element, const Body& body) {
    parallel(pool_, x.rows(), ns_an_element * static_cast<double>(x.cols()), body);
  }

  static void check_angles(const Tensor& x, const Tensor& cos_sin) {
    CHECK(x.shape.rank() == 3 && cos_sin.rows() == x.shape[0]);
    CHECK(cos_sin.cols() % 2 == 0 && cos_sin.cols() <= x.cols());
  }
  static double rope_ns(const Tensor& x) {
    return 0.5 * static_cast<double>(x.shape[1] * x.cols());
  }
  void rotate(const Tensor& x, const Tensor& cos_sin, int64_t begin, int64_t end) const {
    const int64_t heads = x.shape[1];
    table_.lanes->rope(row(x, begin * heads), row(cos_sin, begin), end - begin, heads, x.cols(),
                       cos_sin.cols() / 2);
  }

  static void check_slots(const Tensor& k, const Tensor& v, std::span<const int64_t> slot_mapping,
                          const KvCache& cache) {
    CHECK(k.shape == v.shape &&
          k.shape == Shape({std::ssize(slot_mapping), cache.n_kv_heads, cache.head_dim}));
    CHECK(is_kv_dtype(cache.dtype));
    for (const int64_t slot : slot_mapping)
      CHECK(slot >= 0 && slot / KvCache::kBlockSize < cache.num_blocks) << slot;
  }
  static double store_ns(const KvCache& cache) {
    return 4.0 * static_cast<double>(cache.n_kv_heads * cache.head_dim);
  }
  static void store_tokens(const Tensor& k, const Tensor& v, std::span<const int64_t> slot_mapping,
                           const KvCache& cache, int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t)
      store_token(k, v, t, slot_mapping[static_cast<size_t>(t)], cache);
  }

  // Of one token and head: d numbers, each `stride` elements after the one before.
  struct Place {
    std::byte* numbers;
    int64_t stride;
    float* scale;  // of a kI8 cache
  };

  static void store_numbers(DType dtype, const float* x, int64_t d, const Place& to) {
    const auto put = [&](auto* out, const auto& convert) {
      for (int64_t i = 0; i < d; ++i) out[i * to.stride] = convert(x[i]);
    };
    switch (dtype) {
      case DType::kF32:
        return put(reinterpret_cast<float*>(to.numbers), [](float v) { return v; });
      case DType::kBF16:
        return put(reinterpret_cast<uint16_t*>(to.numbers), f32_to_bf16);
      case DType::kF8E4M3:
        return put(reinterpret_cast<uint8_t*>(to.numbers), f32_to_e4m3);
      default: {
        const float scale = *to.scale = int8_scale({x, static_cast<size_t>(d)});
        return put(reinterpret_cast<int8_t*>(to.numbers),
                   [scale](float v) { return int8_code(v, scale); });
      }
    }
  }

  // Keys go to lane `slot` of each row of sixteen, values to one row.
  static void store_token(const Tensor& k, const Tensor& v, int64_t t, int64_t slot,
                          const KvCache& cache) {
    constexpr int64_t kBlock = KvCache::kBlockSize;
    const int64_t d = cache.head_dim, j = slot % kBlock, bytes = info(cache.dtype).block_bytes;
    for (int64_t head = 0; head < cache.n_kv_heads; ++head) {
      const int64_t begin = (slot / kBlock * cache.n_kv_heads + head) * cache.head_bytes();
      const auto scale = [&](std::byte* half) {
        return reinterpret_cast<float*>(half + begin + d * kBlock * bytes) + j;
      };
      const int64_t source = t * cache.n_kv_heads + head;
      store_numbers(cache.dtype, row(k, source), d,
                    {cache.keys + begin + j * bytes, kBlock, scale(cache.keys)});
      store_numbers(cache.dtype, row(v, source), d,
                    {cache.values + begin + j * d * bytes, 1, scale(cache.values)});
    }
  }

  const CpuTable& table_;
  Activations activations_;
  mutable ThreadPool pool_;
  Matmul matmul_;
  PagedAttention attention_;
};

}  // namespace

std::unique_ptr<Kernels> make_cpu_kernels(const CpuTable& table, int num_threads,
                                          const CpuOptions& options) {
  return std::make_unique<CpuKernels>(table, num_threads, options);
}

Result<std::unique_ptr<Kernels>> make_cpu_kernels(std::string_view isa, int num_threads,
                                                  const CpuOptions& options) {
  if (num_threads < 0 || num_threads > kMaxThreads)
    return invalid_argument("{} threads; expected 0 (all CPUs) to {}", num_threads, kMaxThreads);
  ASSIGN_OR_RETURN(const CpuTable* table, choose_table(isa));
  return make_cpu_kernels(*table, num_threads, options);
}

}  // namespace orrery::kernels::cpu
