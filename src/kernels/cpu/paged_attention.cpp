#include "kernels/cpu/paged_attention.h"

#include <algorithm>

#include "kernels/cpu/parallel.h"

namespace orrery::kernels::cpu {
namespace {

// Items of a job's kv head: enough to share a block's keys and values while they are in the
// first-level cache, and a multiple of every table's kTileItems.
constexpr int64_t kItemsPerJob = 24;

// One thread's states while it runs a job, kept for the next.
float* thread_states(int64_t floats) {
  thread_local std::vector<float> states;
  if (static_cast<int64_t>(states.size()) < floats) states.resize(static_cast<size_t>(floats));
  return states.data();
}

}  // namespace

// Whether requests whose rows are one tile take all kv heads together: there is a part of full
// length for each thread. With less there is too little to hand out.
bool PagedAttention::heads_together(const Call& call) const {
  if (method_ == AttentionMethod::kMaterialised) return false;
  int64_t full_parts = 0;
  for (const int64_t context : call.batch.seq_lens)
    full_parts += (call.window > 0 ? std::min(context, call.window) : context) / kAttentionSplit;
  return full_parts >= pool_.num_threads();
}

void PagedAttention::plan(const Call& call) {
  jobs_.clear();
  const bool together = heads_together(call);
  const int64_t all_heads = call.cache.n_kv_heads;
  for (size_t r = 0; r < call.batch.seq_lens.size(); ++r) {
    const int64_t begin = call.batch.query_start_loc[r], end = call.batch.query_start_loc[r + 1];
    const int64_t tile = method_ == AttentionMethod::kMaterialised
                             ? std::max<int64_t>(1, end - begin)
                             : std::max<int64_t>(1, kItemsPerJob / call.group());
    for (int64_t row = begin; row < end; row += tile) {
      const int64_t rows = std::min(tile, end - row);
      const int64_t position = call.batch.seq_lens[r] - end + row;
      const int64_t oldest = call.window > 0 ? std::max<int64_t>(0, position - call.window + 1) : 0;
      const int64_t heads = together && rows == end - begin ? all_heads : 1;
      for (int64_t head = 0; head < all_heads; head += heads)
        jobs_.push_back({r, head, heads, row, rows, position, oldest, position + rows, 0});
    }
  }
}

int64_t PagedAttention::floats_of_head(const Call& call, const Job& job) const {
  return attend_floats(job.rows * call.group(), call.cache.head_dim);
}

int64_t PagedAttention::floats(const Call& call, const Job& job) const {
  return job.heads * floats_of_head(call, job);
}

// The whole of the job's positions.
AttendTask PagedAttention::task_of(const Call& call, const Job& job, float* states) const {
  const KvCache& cache = call.cache;
  const int64_t row_elements = call.q.shape[1] * cache.head_dim;
  AttendTask task{};
  task.q =
      call.q.f32().data() + job.row * row_elements + job.first_head * call.group() * cache.head_dim;
  task.q_row_stride = row_elements;
  task.heads = job.heads;
  task.rows = job.rows;
  task.group = call.group();
  task.head_dim = cache.head_dim;
  task.first_position = job.first_position;
  task.block_table = call.batch.block_tables.data() +
                     static_cast<int64_t>(job.request) * call.batch.max_blocks_per_seq;
  task.keys = cache.keys + job.first_head * cache.head_bytes();
  task.values = cache.values + job.first_head * cache.head_bytes();
  task.head_bytes = cache.head_bytes();
  task.block_bytes = cache.block_bytes();
  task.dtype = cache.dtype;
  task.scale = call.scale;
  task.window = call.window;
  task.begin = job.begin;
  task.end = job.end;
  task.states = states;
  return task;
}

void PagedAttention::attend(const Call& call, const Part& part, float* states) const {
  Job job = jobs_[part.job];
  const int64_t cut = (job.first_part() + part.part) * kAttentionSplit;
  job.first_head += part.head;
  job.heads = part.heads;
  AttendTask task = task_of(call, job, states);
  task.begin = std::max(job.begin, cut);
  task.end = std::min(job.end, cut + kAttentionSplit);
  lanes_.attend(task);
}

void PagedAttention::merge(const Call& call, const Job& job, float* total,
                           const float* part) const {
  const int64_t n = floats_of_head(call, job);
  for (int64_t head = 0; head < job.heads; ++head)
    lanes_.merge(total + head * n, part + head * n, job.rows * call.group(), call.cache.head_dim);
}

void PagedAttention::finish(const Call& call, const Job& job, const float* states) const {
  const int64_t d = call.cache.head_dim, width = call.q.shape[1] * d;
  float* out = call.out.f32().data() + job.row * width + job.first_head * call.group() * d;
  for (int64_t head = 0; head < job.heads; ++head, out += call.group() * d) {
    const float* state = states + head * floats_of_head(call, job);
    for (int64_t row = 0; row < job.rows; ++row) {
      for (int64_t g = 0; g < call.group(); ++g, state += state_floats(d))
        lanes_.finish(state, d, out + row * width + g * d);
    }
  }
}

void PagedAttention::run_whole(const Call& call, size_t index) const {
  const Job& job = jobs_[index];
  const int64_t n = floats(call, job);
  float* total = thread_states(2 * n);
  attend(call, {index, 0, 0, job.heads}, total);
  for (int64_t part = 1; part < job.parts(); ++part) {
    attend(call, {index, part, 0, job.heads}, total + n);
    merge(call, job, total, total + n);
  }
  finish(call, job, total);
}

// Parts of full length keep a job's heads together, as many parts for each thread; then come the
// others, head by head, so that threads end together.
void PagedAttention::plan_parts() {
  parts_.clear();
  const auto for_each = [&](const auto& body) {
    for (size_t j = 0; j < jobs_.size(); ++j) {
      for (int64_t part = 0; part < jobs_[j].parts(); ++part) body(j, part);
    }
  };
  int64_t full = 0, seen = 0;
  for_each([&](size_t j, int64_t part) { full += jobs_[j].is_full(part) ? 1 : 0; });
  const int64_t kept = full - full % pool_.num_threads();
  for_each([&](size_t j, int64_t part) {
    if (jobs_[j].is_full(part) && std::ssize(parts_) < kept)
      parts_.push_back({j, part, 0, jobs_[j].heads});
  });
  for_each([&](size_t j, int64_t part) {
    if (jobs_[j].is_full(part) && seen++ < kept) return;
    for (int64_t head = 0; head < jobs_[j].heads; ++head) parts_.push_back({j, part, head, 1});
  });
}

// `ns`: of all parts on one thread.
void PagedAttention::run_parts(const Call& call, double ns) {
  plan_parts();
  int64_t size = 0;
  for (Job& job : jobs_) {
    job.states = size;
    size += job.parts() * floats(call, job);
  }
  if (static_cast<int64_t>(states_.size()) < size) states_.resize(static_cast<size_t>(size));
  note_scratch(size);
  const auto at = [&](const Job& job, int64_t part) {
    return states_.data() + job.states + part * floats(call, job);
  };
  const auto n = std::ssize(parts_);
  pool_.parallel_for(n, ns < kWorthWakingNs ? n : 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Part& part = parts_[static_cast<size_t>(i)];
      const Job& job = jobs_[part.job];
      attend(call, part, at(job, part.part) + part.head * floats_of_head(call, job));
    }
  });
  for (const Job& job : jobs_) {
    for (int64_t part = 1; part < job.parts(); ++part) merge(call, job, at(job, 0), at(job, part));
    finish(call, job, at(job, 0));
  }
}

// The states and the scores of all items of a job, contexts in whole blocks.
int64_t PagedAttention::materialised_floats(const Call& call, const Job& job) const {
  constexpr int64_t kBlock = KvCache::kBlockSize;
  const int64_t stride = (job.end + kBlock - 1) / kBlock * kBlock - job.begin / kBlock * kBlock;
  return floats(call, job) + job.rows * call.group() * stride;
}

void PagedAttention::run_materialised(const Call& call, const Job& job) const {
  const int64_t all = materialised_floats(call, job), n = floats(call, job);
  float* states = thread_states(all);
  AttendTask task = task_of(call, job, states);
  task.begin = job.begin / KvCache::kBlockSize * KvCache::kBlockSize;
  lanes_.attend_materialised(task, states + n, (all - n) / (job.rows * call.group()));
  finish(call, job, states);
}

// Of each of the threads that have something to do at once.
void PagedAttention::note_scratch(int64_t floats) {
  scratch_bytes_ = std::max(scratch_bytes_, floats * static_cast<int64_t>(sizeof(float)));
}

void PagedAttention::run(const Tensor& q, const KvCache& cache, const AttentionBatch& batch,
                         float scale, int64_t window, const Tensor& out) {
  const Call call{q, cache, batch, scale, window, out};
  plan(call);
  const bool materialised = method_ == AttentionMethod::kMaterialised;
  int64_t parts = 0, largest = 0;  // floats of a job
  double flops = 0;
  for (const Job& job : jobs_) {
    parts += job.parts() * job.heads;
    largest =
        std::max(largest, materialised ? materialised_floats(call, job) : 2 * floats(call, job));
    flops += 4.0 * static_cast<double>((job.end - job.begin) * job.heads * job.rows * call.group() *
                                       cache.head_dim);
  }
  if (parts == 0) return;
  constexpr double kFlopsPerNs = 20;  // of one thread, about
  const auto jobs = std::ssize(jobs_);
  const double ns = flops / kFlopsPerNs;
  const bool apart =
      !materialised && pool_.num_threads() > 1 && jobs < 4 * pool_.num_threads() && parts > jobs;
  if (apart) return run_parts(call, ns);
  note_scratch(largest * std::min<int64_t>(jobs, pool_.num_threads()));
  parallel(pool_, jobs, ns / static_cast<double>(jobs), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto job = static_cast<size_t>(i);
      if (materialised)
        run_materialised(call, jobs_[job]);
      else
        run_whole(call, job);
    }
  });
}

}  // namespace orrery::kernels::cpu
