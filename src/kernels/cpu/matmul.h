// Splits a matmul into tasks and runs them on a pool: the rows of the input, prepared once as the
// table's kernels read them, by the panels of one or several matrices.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/activations.h"
#include "kernels/cpu/input_rows.h"
#include "kernels/cpu/table.h"
#include "kernels/kernels.h"

namespace orrery::kernels::cpu {

// Keeps its buffers between calls, so that a warm step allocates nothing. One caller at a time.
class Matmul {
 public:
  Matmul(const CpuTable& table, ThreadPool& pool, Activations activations);

  // Kernels::project.
  void run(const Input& input, std::span<const Projection> projections);

 private:
  // One matrix of several that are multiplied together; tasks are numbered through all of them.
  struct Part {
    MatmulTask whole;
    int64_t panels_of_task, tasks_of_rows, tasks_end;
  };

  void multiply(const InputRows& x, std::span<const Projection> projections);
  void run_task(const MatmulTask& whole, int64_t first_row, int64_t first_panel,
                int64_t panels) const;

  // The input for weights of a format, into memory that is kept for the next call.
  MatmulTask prepare(const InputRows& x, DType weights);
  RoundedRows round_rows(const InputRows& x, DType weights);
  const uint32_t* round_to_pairs(const InputRows& x);
  const float* interleave_rows(const InputRows& x, bool round);

  RoundedForm rounded_form(int64_t rows, const PackedLayout& layout) const;
  const BlockMatmul& blocks(RoundedForm form) const;
  // Whether bf16 weights meet bf16 (activations.h).
  bool rounds_to_bf16(DType weights) const {
    return weights == DType::kBF16 && activations_ == Activations::kByte;
  }

  const CpuTable& table_;
  ThreadPool& pool_;
  Activations activations_;
  const PairMatmul* pairs_;  // null: there is none, it is slower, or adds in another order
  std::vector<Part> parts_;
  std::vector<float> interleaved_;  // MatmulTask::x
  std::vector<uint32_t> paired_;    // MatmulTask::pairs
  std::vector<int16_t> rounded_;    // RoundedRows
  std::vector<float> rounded_scales_, rounded_sums_;
  std::vector<int32_t> rounded_starts_;
};

}  // namespace orrery::kernels::cpu
