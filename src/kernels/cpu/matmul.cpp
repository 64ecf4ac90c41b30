#include "kernels/cpu/matmul.h"

#include <xmmintrin.h>

#include <algorithm>
#include <chrono>
#include <iterator>

#include "base/check.h"
#include "kernels/cpu/parallel.h"
#include "kernels/packed.h"
#include "kernels/round_bf16.h"

namespace orrery::kernels::cpu {
namespace {

static_assert(kMatmulRows % kRowsOfTile == 0 && kMatmulRows % 12 == 0);  // and other tables' tiles

// Time of the work on one thread, roughly: for deciding whether to wake others.
double matmul_ns(int64_t rows, int64_t n, int64_t k) {
  const double flops =
      2.0 * static_cast<double>(rows) * static_cast<double>(n) * static_cast<double>(k);
  return flops / (rows == 1 ? 10 : 40);
}

template <typename T>
T* at_least(std::vector<T>& buffer, int64_t n) {
  if (std::ssize(buffer) < n) buffer.resize(static_cast<size_t>(n));
  return buffer.data();
}

// Calls body(first row, rows, [rows][k]) for each tile of `tile` rows of x.
template <typename Body>
void for_tiles(ThreadPool& pool, const InputRows& x, int64_t tile, const Body& body) {
  const int64_t all = x.rows();
  parallel(pool, (all + tile - 1) / tile, (0.5 + x.ns()) * static_cast<double>(tile * x.cols()),
           [&](int64_t begin, int64_t end) {
             for (int64_t first = begin * tile; first < std::min(end * tile, all); first += tile) {
               const int64_t rows = std::min(tile, all - first);
               body(first, rows, x.get(first, rows));
             }
           });
}

// By sixteen inputs, a line of each row.
template <typename Convert>
void interleave_tile(const float* x, int64_t rows, int64_t k, float* out, const Convert& convert) {
  for (int64_t begin = 0; begin < k; begin += 16) {
    const int64_t end = std::min(begin + 16, k);
    for (int64_t m = 0; m < rows; ++m)
      for (int64_t i = begin; i < end; ++i) out[i * rows + m] = convert(x[m * k + i]);
  }
}

// While it lives, this thread takes subnormal numbers for zeros, read and written: as flushed()
// (round_bf16.h) has it, and as vdpbf16ps does anyway.
class FlushSubnormals {
 public:
  explicit FlushSubnormals(bool on) : before_(_mm_getcsr()) {
    constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x40;
    if (on) _mm_setcsr(before_ | kFlushToZero | kDenormalsAreZero);
  }
  ~FlushSubnormals() { _mm_setcsr(before_); }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
  unsigned before_;
};

// Seconds of the fastest of a few calls.
template <typename Burn>
double best_seconds(const Burn& burn) {
  using Clock = std::chrono::steady_clock;
  std::chrono::duration<double> best{1};
  for (int i = 0; i < 8; ++i) {
    const auto begin = Clock::now();
    burn();
    best = std::min<std::chrono::duration<double>>(best, Clock::now() - begin);
  }
  return best.count();
}

// Takes some 0.2 ms. A wrong answer would cost time only.
bool worth_using(const PairMatmul& pairs, const LaneKernels& lanes) {
  if (pairs.dots == nullptr) return true;
  constexpr int64_t kIterations = 1000;
  volatile float sink = 0;
  const double dots =
      best_seconds([&] { sink = static_cast<float>(pairs.dots->burn(kIterations)); });
  const double fma = best_seconds([&] { sink = lanes.burn(kIterations); });
  return static_cast<double>(pairs.dots->ops_per_iteration) / dots >
         static_cast<double>(lanes.fp32_flops_per_burn) / fma;
}

const PairMatmul* choose_pairs(const CpuTable& table, Activations activations) {
  if (activations != Activations::kByte || table.pairs == nullptr) return nullptr;
  const bool use = table.pairs->adds_in_order() && worth_using(*table.pairs, *table.lanes);
  return use ? table.pairs : nullptr;
}

}  // namespace

Matmul::Matmul(const CpuTable& table, ThreadPool& pool, Activations activations)
    : table_(table),
      pool_(pool),
      activations_(activations),
      pairs_(choose_pairs(table, activations)) {}

// Matrices of the same format want the same of their input.
void Matmul::run(const Input& input, std::span<const Projection> projections) {
  InputRows x(*table_.lanes, input);
  while (!projections.empty()) {
    size_t n = 1;
    while (n < projections.size() && projections[n].w.dtype == projections[0].w.dtype) ++n;
    multiply(x, projections.first(n));
    x.repeat();
    projections = projections.subspan(n);
  }
}

void Matmul::multiply(const InputRows& x, std::span<const Projection> projections) {
  const int64_t rows = x.rows(), row_blocks = (rows + kMatmulRows - 1) / kMatmulRows;
  if (rows == 0) return;
  const MatmulTask input = prepare(x, projections[0].w.dtype);
  parts_.clear();
  int64_t tasks = 0;
  double ns = 0;
  for (const auto& [w, bias, out] : projections) {
    CHECK(x.cols() == w.k && out.cols() == w.n && out.rows() == rows);
    CHECK(bias.empty() || std::ssize(bias) == w.n);
    const int64_t panels = num_panels(w.n);
    const int64_t block = rows == 1
                              ? 1
                              : std::clamp<int64_t>(panels * row_blocks / (4 * pool_.num_threads()),
                                                    1, kMatmulPanels);
    const int64_t panel_blocks = (panels + block - 1) / block;
    tasks += row_blocks * panel_blocks;
    ns += matmul_ns(rows, w.n, w.k);
    MatmulTask whole = input;
    whole.panels = w.data.data();
    whole.panel_bytes = panel_bytes(w.dtype, w.k);
    whole.n = w.n;
    whole.bias = bias.empty() ? nullptr : bias.data();
    whole.out = out.f32().data();
    whole.panel_end = panels;
    parts_.push_back({whole, block, panel_blocks, tasks});
  }
  parallel(pool_, tasks, ns / static_cast<double>(tasks), [&](int64_t begin, int64_t end) {
    auto part = parts_.cbegin();
    for (int64_t i = begin; i < end; ++i) {
      while (i >= part->tasks_end) ++part;
      const int64_t first = part == parts_.cbegin() ? 0 : std::prev(part)->tasks_end;
      const int64_t task = i - first;
      run_task(part->whole, task / part->tasks_of_rows * kMatmulRows,
               task % part->tasks_of_rows * part->panels_of_task, part->panels_of_task);
    }
  });
}

void Matmul::run_task(const MatmulTask& whole, int64_t first_row, int64_t first_panel,
                      int64_t panels) const {
  alignas(64) thread_local float scratch[kMatmulScratchFloats];
  MatmulTask task = whole;
  task.row_begin = first_row;
  task.row_end = std::min(first_row + kMatmulRows, whole.row_end);
  task.panel_begin = first_panel;
  task.panel_end = std::min(first_panel + panels, whole.panel_end);
  task.scratch = scratch;
  if (is_quantised(task.dtype)) return blocks(task.rounded.form).matmul(task);
  const FlushSubnormals flush(rounds_to_bf16(task.dtype));
  if (task.pairs != nullptr) return pairs_->matmul(task);
  table_.lanes->plain_matmul(task);
}

// What tasks with all matrices of the format have in common.
MatmulTask Matmul::prepare(const InputRows& x, DType weights) {
  MatmulTask task{};
  task.k = x.cols();
  task.dtype = weights;
  task.row_end = x.rows();
  if (is_quantised(weights))
    task.rounded = round_rows(x, weights);
  else if (rounds_to_bf16(weights) && pairs_ != nullptr && x.cols() % 2 == 0)
    task.pairs = round_to_pairs(x);
  else
    task.x = interleave_rows(x, rounds_to_bf16(weights));
  return task;
}

RoundedForm Matmul::rounded_form(int64_t rows, const PackedLayout& layout) const {
  if (table_.rows_for_tiles > 0 && rows >= table_.rows_for_tiles)
    return activations_ == Activations::kByte ? RoundedForm::kByteTiles : RoundedForm::kTiles;
  const bool bytes = activations_ == Activations::kByte && table_.bytes != nullptr &&
                     layout.bits <= table_.bytes->most_bits;
  return bytes ? RoundedForm::kBytes : RoundedForm::kRows;
}

const BlockMatmul& Matmul::blocks(RoundedForm form) const {
  return form == RoundedForm::kBytes ? *table_.bytes : table_.blocks;
}

RoundedRows Matmul::round_rows(const InputRows& x, DType weights) {
  const PackedLayout layout = packed_layout(weights);
  const int64_t rows = x.rows(), k = x.cols();
  const RoundedForm form = rounded_form(rows, layout);
  const bool in_tiles = form == RoundedForm::kTiles || form == RoundedForm::kByteTiles;
  const int64_t whole_rows = in_tiles ? (rows + kRowsOfTile - 1) / kRowsOfTile * kRowsOfTile : rows;
  const int64_t n = whole_rows * k;
  const RoundedRows out{line_of(rounded_, in_tiles ? 2 * n : n),
                        at_least(rounded_scales_, n / kActivationBlock),
                        at_least(rounded_starts_, n / kActivationSum),
                        at_least(rounded_sums_, n / kActivationSum), form};
  const double ns = (0.2 + x.ns()) * static_cast<double>(k);
  parallel(pool_, rows, ns, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      blocks(form).round_rows(x.get(row, 1), layout, largest_activation(activations_), rows, k, row,
                              row + 1, out);
  });
  return out;
}

const uint32_t* Matmul::round_to_pairs(const InputRows& x) {
  uint32_t* out = at_least(paired_, x.rows() * x.cols() / 2);
  for_tiles(pool_, x, pairs_->tile_rows, [&](int64_t first, int64_t rows, const float* from) {
    pairs_->round_tile(from, rows, x.cols(), out + first * x.cols() / 2);
  });
  return out;
}

// As MatmulTask::x wants it; one row may be as it is.
const float* Matmul::interleave_rows(const InputRows& x, bool round) {
  if (x.rows() == 1 && !round) return x.get(0, 1);
  float* out = at_least(interleaved_, x.rows() * x.cols());
  for_tiles(pool_, x, table_.lanes->tile_rows, [&](int64_t first, int64_t rows, const float* from) {
    float* to = out + first * x.cols();
    if (round)
      interleave_tile(from, rows, x.cols(), to, rounded_to_bf16);
    else
      interleave_tile(from, rows, x.cols(), to, [](float value) { return value; });
  });
  return out;
}

}  // namespace orrery::kernels::cpu
