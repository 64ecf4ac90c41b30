// Splits the attention of a step into jobs and runs them on a pool.
//
// A job is a tile of query rows of one request: all query heads of a kv head and neighbouring rows
// share each load of keys and values. Where one tile has all the rows (decode) and contexts are
// long, a job has all kv heads, so that blocks are read from front to back: of a head at a time,
// with the others' bytes between, memory gives 0.55 of that (doc/performance.md). Else each has
// one. When there are few jobs, the parts of a context, cut at multiples of kAttentionSplit, run in
// parallel too and are merged afterwards, in order. Who runs what does not change the result.
#pragma once

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/cpu/table.h"
#include "kernels/kernels.h"

namespace orrery::kernels::cpu {

enum class AttentionMethod : uint8_t {
  kFlash,         // as Kernels::paged_attention defines it
  kMaterialised,  // all scores of a kv head in memory: to measure what the other saves
};

// Keeps its buffers between calls, so that a warm step allocates nothing. One caller at a time.
class PagedAttention {
 public:
  PagedAttention(const LaneKernels& lanes, ThreadPool& pool, AttentionMethod method)
      : lanes_(lanes), pool_(pool), method_(method) {}

  // Kernels::paged_attention; arguments are checked there.
  void run(const Tensor& q, const KvCache& cache, const AttentionBatch& batch, float scale,
           int64_t window, const Tensor& out);
  // The most that a call took for scores and softmax states.
  int64_t scratch_bytes() const { return scratch_bytes_; }

 private:
  struct Job {
    size_t request;
    int64_t first_head, heads;  // kv heads
    int64_t row, rows;          // of q
    int64_t first_position;     // of `row`
    int64_t begin, end;         // positions that any of its rows sees
    int64_t states;             // where its parts' states begin in states_, if they run apart
    int64_t first_part() const { return begin / kAttentionSplit; }
    int64_t parts() const { return (end - 1) / kAttentionSplit - first_part() + 1; }
    bool is_full(int64_t part) const {  // of kAttentionSplit positions
      const int64_t cut = (first_part() + part) * kAttentionSplit;
      return begin <= cut && cut + kAttentionSplit <= end;
    }
  };
  // Some heads of a part of a job.
  struct Part {
    size_t job;
    int64_t part;         // from 0
    int64_t head, heads;  // from the job's first
  };
  struct Call {
    const Tensor& q;
    const KvCache& cache;
    const AttentionBatch& batch;
    float scale;
    int64_t window;
    const Tensor& out;
    int64_t group() const { return q.shape[1] / cache.n_kv_heads; }
  };

  bool heads_together(const Call& call) const;
  void plan(const Call& call);
  AttendTask task_of(const Call& call, const Job& job, float* states) const;
  void attend(const Call& call, const Part& part, float* states) const;
  void merge(const Call& call, const Job& job, float* total, const float* part) const;
  void run_whole(const Call& call, size_t job) const;
  void plan_parts();
  void run_parts(const Call& call, double ns);
  void run_materialised(const Call& call, const Job& job) const;
  int64_t materialised_floats(const Call& call, const Job& job) const;
  void note_scratch(int64_t floats);
  void finish(const Call& call, const Job& job, const float* states) const;
  // Of the states of one part: of a head, and of the job.
  int64_t floats_of_head(const Call& call, const Job& job) const;
  int64_t floats(const Call& call, const Job& job) const;

  const LaneKernels& lanes_;
  ThreadPool& pool_;
  AttentionMethod method_;
  int64_t scratch_bytes_ = 0;
  std::vector<Job> jobs_;
  std::vector<Part> parts_;
  std::vector<float> states_;
};

}  // namespace orrery::kernels::cpu
