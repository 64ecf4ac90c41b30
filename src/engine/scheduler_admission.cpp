// Scheduler: who of the waiting requests is admitted.
#include <algorithm>

#include "engine/scheduler.h"

namespace orrery::engine {

using trace::EventKind;
using trace::Reason;

namespace {

// Requests at the front whose prefixes are looked up in a step. Only those that wait for a prefix
// are stepped over beyond the lookahead, so this bounds the cost when thousands share one.
constexpr size_t kMaxLookups = 64;

}  // namespace

void Scheduler::admit_waiting() {
  while (!waiting_.empty()) {
    if (const Reason reason = closed_gate(); reason != Reason::kNone) {
      note_waiting(waiting_[0], {reason});
      return;
    }
    const Candidates candidates = find_candidates();
    if (!candidates.best ||
        (!try_admit(*candidates.best) &&
         (candidates.best->place == candidates.first->place || !try_admit(*candidates.first)))) {
      return;
    }
  }
}

// What keeps everybody out.
Reason Scheduler::closed_gate() const {
  if (options_.static_batches && batch_running_) return Reason::kBatchRunning;
  if (running_.size() >= static_cast<size_t>(options_.max_num_seqs)) return Reason::kSequences;
  if (num_tokens_left_ == 0) return Reason::kTokenBudget;
  return Reason::kNone;
}

Scheduler::Candidates Scheduler::find_candidates() {
  Candidates result;
  int32_t num_seen = 0;
  const size_t num_lookups = std::min(waiting_.size(), kMaxLookups);
  for (size_t place = 0; place < num_lookups && num_seen < options_.prefix_lookahead; ++place) {
    Request& request = waiting_[place];
    const Candidate candidate = {&request, kv_.find_prefix(request), place};
    if (candidate.hit.pending_request != 0) {
      note_waiting(request, {Reason::kPrefixPending, 0, 0, candidate.hit.pending_request});
      continue;
    }
    if (request.wait.reason == Reason::kPrefixPending) note_waiting(request, {});
    ++num_seen;
    if (!result.first) {
      result.first = result.best = candidate;
    } else if (candidate.hit.num_tokens > result.best->hit.num_tokens &&
               policy_->may_pass(request, *result.first->request)) {
      result.best = candidate;
    }
    if (request.num_times_passed >= options_.max_times_passed) break;
  }
  return result;
}

bool Scheduler::try_admit(const Candidate& candidate) {
  Request& request = *candidate.request;
  const int32_t num_new = request.num_tokens() - candidate.hit.num_tokens;
  if (!options_.chunked_prefill && num_new > num_tokens_left_) {
    note_waiting(request, {Reason::kTokenBudget, num_new, num_tokens_left_});
    return false;
  }
  const int32_t num_reserved = request.num_preemptions >= kMaxPreemptions
                                   ? std::max(request.max_kv_tokens(), request.num_tokens())
                                   : request.num_tokens();
  const int32_t needed = kv_.blocks_to_admit(candidate.hit, num_reserved);
  const bool grows = options_.kv.reservation == KvReservation::kPaged;
  const int32_t headroom = grows ? static_cast<int32_t>(running_.size()) : 0;
  const int32_t available = std::max(0, kv_.num_free_blocks() - headroom);
  if (needed > available) {
    note_waiting(request, {Reason::kBlocks, needed, available});
    return false;
  }
  for (size_t place = 0; place < candidate.place; ++place) {
    if (waiting_[place].wait.reason != Reason::kPrefixPending) ++waiting_[place].num_times_passed;
  }
  waiting_.erase(request);
  kv_.admit(request, candidate.hit, num_reserved);
  run(request);
  policy_->on_admitted(request);
  if (request.num_preemptions == 0) {
    request.num_cached_tokens = candidate.hit.num_tokens;
    ++counts_.admitted;
    counts_.prompt_tokens += request.num_prompt_tokens;
    if (options_.kv.enable_prefix_caching && !request.skip_reading_prefix_cache) {
      counts_.prefix_queries += request.num_tokens();
      counts_.prefix_hits += candidate.hit.num_tokens;
    }
  }
  decide({plan_.step,
          request.id,
          EventKind::kAdmitted,
          Reason::kNone,
          static_cast<uint16_t>(std::min(request.num_times_passed, int32_t{UINT16_MAX})),
          {candidate.hit.num_tokens, request.num_new_tokens(), candidate.hit.num_blocks,
           static_cast<int32_t>(request.kv.block_table.size()) - candidate.hit.num_blocks}});
  schedule_tokens(request,
                  std::min({request.num_new_tokens(), num_tokens_left_, request.max_chunk_tokens}));
  request.wait = {};
  return true;
}

// A reason is told when it changes, not in each step that it lasts.
void Scheduler::note_waiting(Request& request, Wait wait) {
  const bool changed = request.wait.reason != wait.reason;
  request.wait = wait;
  if (!changed) return;
  decide({plan_.step,
          request.id,
          EventKind::kWaiting,
          wait.reason,
          0,
          {wait.needed, wait.available, static_cast<int32_t>(wait.for_request)}});
}

}  // namespace orrery::engine
