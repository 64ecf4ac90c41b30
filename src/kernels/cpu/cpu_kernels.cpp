#include "kernels/cpu/cpu_kernels.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "base/check.h"
#include "base/thread_pool.h"
#include "kernels/activations.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/paged_attention.h"
#include "kernels/cpu/parallel.h"
#include "kernels/kv_int8.h"
#include "kernels/packed.h"
#include "tensor/float16.h"
#include "tensor/float8.h"

namespace orrery::kernels::cpu {
namespace {

constexpr int kMaxThreads = 1024;
static_assert(kMatmulRows % kRowsOfTile == 0 && kMatmulRows % 12 == 0);  // and other tables' tiles

float* row(const Tensor& x, int64_t index) { return x.f32().data() + index * x.cols(); }

// Time of the work on one thread, roughly: for deciding whether to wake others.
double matmul_ns(int64_t rows, int64_t n, int64_t k) {
  const double flops =
      2.0 * static_cast<double>(rows) * static_cast<double>(n) * static_cast<double>(k);
  return flops / (rows == 1 ? 10 : 40);
}

class CpuKernels : public Kernels {
 public:
  CpuKernels(const CpuTable& table, int num_threads, const CpuOptions& options)
      : table_(table),
        activations_(options.activations),
        pool_(num_threads, options.bind_threads),
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

  // Matrices of the same format want the same of their input.
  void project(const Tensor& x, std::span<const Projection> projections) override {
    while (!projections.empty()) {
      size_t n = 1;
      while (n < projections.size() && projections[n].w.dtype == projections[0].w.dtype) ++n;
      multiply(x, projections.first(n));
      projections = projections.subspan(n);
    }
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
      table_.lanes->silu_mul(row(gate, begin), row(up, begin), (end - begin) * gate.cols());
    });
  }

  void rope(Tensor x, const Tensor& cos_sin) override {
    CHECK(x.shape.rank() == 3 && cos_sin.rows() == x.shape[0]);
    CHECK(cos_sin.cols() % 2 == 0 && cos_sin.cols() <= x.cols());
    const int64_t heads = x.shape[1], d = x.cols();
    parallel(pool_, x.shape[0], 0.5 * static_cast<double>(heads * d),
             [&](int64_t begin, int64_t end) {
               table_.lanes->rope(row(x, begin * heads), row(cos_sin, begin), end - begin, heads, d,
                                  cos_sin.cols() / 2);
             });
  }

  void store_kv(const Tensor& k, const Tensor& v, std::span<const int64_t> slot_mapping,
                KvCache& cache) override {
    CHECK(k.shape == v.shape &&
          k.shape == Shape({std::ssize(slot_mapping), cache.n_kv_heads, cache.head_dim}));
    CHECK(is_kv_dtype(cache.dtype));
    for (const int64_t slot : slot_mapping)
      CHECK(slot >= 0 && slot / KvCache::kBlockSize < cache.num_blocks) << slot;
    parallel(pool_, std::ssize(slot_mapping),
             4.0 * static_cast<double>(cache.n_kv_heads * cache.head_dim),
             [&](int64_t begin, int64_t end) {
               for (int64_t t = begin; t < end; ++t)
                 store_token(k, v, t, slot_mapping[static_cast<size_t>(t)], cache);
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

  // One matrix of several that are multiplied together; tasks are numbered through all of them.
  struct Part {
    MatmulTask whole;
    int64_t panels_of_task, tasks_of_rows, tasks_end;
  };

  void multiply(const Tensor& x, std::span<const Projection> projections) {
    const int64_t rows = x.rows(), row_blocks = (rows + kMatmulRows - 1) / kMatmulRows;
    if (rows == 0) return;
    const DType dtype = projections[0].w.dtype;
    const float* in = is_quantised(dtype) ? nullptr : interleave_rows(x);
    const RoundedRows rounded = is_quantised(dtype) ? round_rows(x, dtype) : RoundedRows{};
    parts_.clear();
    int64_t tasks = 0;
    double ns = 0;
    for (const auto& [w, bias, out] : projections) {
      CHECK(x.cols() == w.k && out.cols() == w.n && out.rows() == rows);
      CHECK(bias.empty() || std::ssize(bias) == w.n);
      const int64_t panels = num_panels(w.n);
      const int64_t block =
          rows == 1 ? 1
                    : std::clamp<int64_t>(panels * row_blocks / (4 * pool_.num_threads()), 1,
                                          kMatmulPanels);
      const int64_t panel_blocks = (panels + block - 1) / block;
      tasks += row_blocks * panel_blocks;
      ns += matmul_ns(rows, w.n, w.k);
      parts_.push_back(
          {{in, rounded, w.data.data(), panel_bytes(dtype, w.k), w.n, w.k, dtype,
            bias.empty() ? nullptr : bias.data(), out.f32().data(), 0, rows, 0, panels, nullptr},
           block,
           panel_blocks,
           tasks});
    }
    parallel(pool_, tasks, ns / static_cast<double>(tasks), [&](int64_t begin, int64_t end) {
      auto part = parts_.cbegin();
      for (int64_t i = begin; i < end; ++i) {
        while (i >= part->tasks_end) ++part;
        const int64_t first = part == parts_.cbegin() ? 0 : std::prev(part)->tasks_end;
        const int64_t task = i - first;
        run_matmul(part->whole, task / part->tasks_of_rows * kMatmulRows,
                   task % part->tasks_of_rows * part->panels_of_task, part->panels_of_task);
      }
    });
  }

  RoundedForm rounded_form(int64_t rows, const PackedLayout& layout) const {
    if (table_.rows_for_tiles > 0 && rows >= table_.rows_for_tiles) {
      const bool one_part =
          activations_ == Activations::kByte && layout.sub_block == kActivationBlock;
      return one_part ? RoundedForm::kByteTiles : RoundedForm::kTiles;
    }
    const bool bytes = activations_ == Activations::kByte && table_.bytes != nullptr &&
                       layout.bits <= table_.bytes->most_bits;
    return bytes ? RoundedForm::kBytes : RoundedForm::kRows;
  }
  const BlockMatmul& blocks(RoundedForm form) const {
    return form == RoundedForm::kBytes ? *table_.bytes : table_.blocks;
  }

  // Into memory that is kept for the next call.
  RoundedRows round_rows(const Tensor& x, DType dtype) {
    const PackedLayout layout = kernels::packed_layout(dtype);
    const int64_t rows = x.rows(), k = x.cols();
    const RoundedForm form = rounded_form(rows, layout);
    const bool in_tiles = form == RoundedForm::kTiles || form == RoundedForm::kByteTiles;
    const int64_t whole_rows =
        in_tiles ? (rows + kRowsOfTile - 1) / kRowsOfTile * kRowsOfTile : rows;
    const auto n = static_cast<size_t>(whole_rows * k);
    // Of a cache line more than there are numbers, so that they can begin with a line.
    if (rounded_.size() < (in_tiles ? 2 * n : n) + 32) rounded_.resize((in_tiles ? 2 * n : n) + 32);
    if (rounded_scales_.size() < n / kActivationBlock) {
      rounded_scales_.resize(n / kActivationBlock);
      rounded_starts_.resize(n / kActivationSum);
      rounded_sums_.resize(n / kActivationSum);
    }
    void* q = rounded_.data();
    size_t room = 2 * rounded_.size();
    std::align(64, 1, q, room);
    const RoundedRows out{q, rounded_scales_.data(), rounded_starts_.data(), rounded_sums_.data(),
                          form};
    for_rows(x, 0.2, [&](int64_t begin, int64_t end) {
      blocks(form).round_rows(x.f32().data(), layout, largest_activation(activations_), rows, k,
                              begin, end, out);
    });
    return out;
  }

  // As MatmulTask::x wants it. Into memory that is kept for the next call; one row is as it is.
  const float* interleave_rows(const Tensor& x) {
    const int64_t rows = x.rows(), k = x.cols(), tile = table_.lanes->tile_rows;
    if (rows == 1) return x.f32().data();
    const auto n = static_cast<size_t>(rows * k);
    if (interleaved_.size() < n) interleaved_.resize(n);
    parallel(pool_, (rows + tile - 1) / tile, 0.5 * static_cast<double>(tile * k),
             [&](int64_t begin, int64_t end) {
               for (int64_t first = begin * tile; first < std::min(end * tile, rows); first += tile)
                 interleave_tile(row(x, first), std::min(tile, rows - first), k,
                                 interleaved_.data() + first * k);
             });
    return interleaved_.data();
  }

  // By sixteen inputs, a line of each row.
  static void interleave_tile(const float* x, int64_t rows, int64_t k, float* out) {
    for (int64_t begin = 0; begin < k; begin += 16) {
      const int64_t end = std::min(begin + 16, k);
      for (int64_t m = 0; m < rows; ++m)
        for (int64_t i = begin; i < end; ++i) out[i * rows + m] = x[m * k + i];
    }
  }

  void run_matmul(const MatmulTask& whole, int64_t first_row, int64_t first_panel,
                  int64_t panels) const {
    alignas(64) thread_local float scratch[kMatmulScratchFloats];
    MatmulTask task = whole;
    task.row_begin = first_row;
    task.row_end = std::min(first_row + kMatmulRows, whole.row_end);
    task.panel_begin = first_panel;
    task.panel_end = std::min(first_panel + panels, whole.panel_end);
    task.scratch = scratch;
    if (is_quantised(task.dtype))
      blocks(task.rounded.form).matmul(task);
    else
      table_.lanes->plain_matmul(task);
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
  PagedAttention attention_;
  std::vector<Part> parts_;
  std::vector<float> interleaved_;  // MatmulTask::x
  std::vector<int16_t> rounded_;    // RoundedRows
  std::vector<float> rounded_scales_, rounded_sums_;
  std::vector<int32_t> rounded_starts_;
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
