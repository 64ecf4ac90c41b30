// Splits the attention of a step into jobs and runs them on a pool.
//
// A job is one kv head of one request with a tile of query rows: all query heads of the group and
// neighbouring rows share each load of keys and values. When there are few jobs and long contexts
// (decode of few requests), the parts of a context, cut at multiples of kAttentionSplit, run in
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
    int64_t kv_head;
    int64_t row, rows;       // of q
    int64_t first_position;  // of `row`
    int64_t begin, end;      // positions that any of its rows sees
    int64_t states;          // where its parts' states begin in states_, if they run apart
    int64_t first_part() const { return begin / kAttentionSplit; }
    int64_t parts() const { return (end - 1) / kAttentionSplit - first_part() + 1; }
  };
  struct Part {
    size_t job;
    int64_t part;  // from 0
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

  void plan(const Call& call);
  AttendTask task_of(const Call& call, const Job& job, float* states) const;
  void attend(const Call& call, const Job& job, int64_t part, float* states) const;
  void run_whole(const Call& call, const Job& job) const;
  void run_parts(const Call& call, double ns_each);
  void run_materialised(const Call& call, const Job& job) const;
  int64_t materialised_floats(const Call& call, const Job& job) const;
  void note_scratch(int64_t floats);
  void finish(const Call& call, const Job& job, const float* states) const;
  int64_t floats(const Call& call, const Job& job) const;  // of the states of one part

  const LaneKernels& lanes_;
  ThreadPool& pool_;
  AttentionMethod method_;
  int64_t scratch_bytes_ = 0;
  std::vector<Job> jobs_;
  std::vector<Part> parts_;
  std::vector<float> states_;
};

}  // namespace orrery::kernels::cpu
