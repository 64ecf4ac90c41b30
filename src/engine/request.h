// Request: one sequence of tokens on its way through the engine.
//
// `num_computed_tokens` chases `num_tokens()`: the keys and values of the first are in the cache,
// and the difference is all that the scheduler needs to know. There are no phases: a prompt, a
// token to decode, and a preempted request's tokens to recompute differ only in how many they are.
#pragma once

#include <compare>
#include <cstdint>
#include <utility>
#include <vector>

#include "engine/prefix_cache.h"
#include "trace/event.h"

namespace orrery::engine {

enum class RequestStatus : uint8_t { kWaiting, kRunning, kFinished };
enum class FinishReason : uint8_t { kNone, kStop, kLength, kAborted, kError };
trace::Reason trace_reason(FinishReason reason);

struct NewRequest {
  uint32_t id = 0;  // from 1, never used twice
  std::vector<int32_t> prompt_token_ids;
  int32_t max_tokens = 0;  // at least 1
  int32_t priority = 0;    // smaller goes first, under the priority policy
  uint32_t tenant = 0;     // who shares fairly with whom, under the fair policy
  PrefixSpace space = {};
  // Computes its whole prompt, whatever the cache holds: all rows of logits are wanted.
  bool skip_reading_prefix_cache = false;
  int32_t max_chunk_tokens = 0;  // in a step; 0: only the budget limits it
};

// Its place among requests: by rank (what the policy says), then by arrival. Kept through
// preemptions.
struct QueueKey {
  uint64_t rank = 0;
  uint64_t arrival = 0;
  auto operator<=>(const QueueKey&) const = default;
};

// What the KvCacheManager knows about a request.
struct KvState {
  std::vector<int32_t> block_table;     // kNoBlock where the sliding window has moved on
  std::vector<BlockHash> block_hashes;  // of the first full blocks of token_ids
  // The first so many blocks were found in the prefix cache or entered into it, and the entry of
  // the last of them.
  int32_t num_entered_blocks = 0;
  PrefixNode node = 0;
  int32_t num_left_blocks = 0;  // the first so many are behind the sliding window
};

// Why a request is not running.
struct Wait {
  trace::Reason reason = trace::Reason::kBehindOthers;
  int32_t needed = 0;        // blocks
  int32_t available = 0;     // blocks
  uint32_t for_request = 0;  // who computes its prefix
};

struct Request {
  explicit Request(NewRequest asked)
      : id(asked.id),
        num_prompt_tokens(static_cast<int32_t>(asked.prompt_token_ids.size())),
        max_tokens(asked.max_tokens),
        priority(asked.priority),
        tenant(asked.tenant),
        space(asked.space),
        skip_reading_prefix_cache(asked.skip_reading_prefix_cache),
        max_chunk_tokens(asked.max_chunk_tokens > 0 ? asked.max_chunk_tokens : INT32_MAX),
        token_ids(std::move(asked.prompt_token_ids)) {}

  const uint32_t id;
  const int32_t num_prompt_tokens;
  const int32_t max_tokens;
  const int32_t priority;
  const uint32_t tenant;
  const PrefixSpace space;
  const bool skip_reading_prefix_cache;
  const int32_t max_chunk_tokens;

  std::vector<int32_t> token_ids;  // prompt and output
  RequestStatus status = RequestStatus::kWaiting;
  FinishReason finish_reason = FinishReason::kNone;
  int32_t num_computed_tokens = 0;
  int32_t num_scheduled_tokens = 0;  // in the current step
  int32_t num_cached_tokens = 0;     // found in the prefix cache when first admitted
  int32_t num_preemptions = 0;
  int32_t num_times_passed = 0;  // admissions of later requests while this one waited
  Wait wait;
  QueueKey key;
  KvState kv;

  int32_t num_tokens() const { return static_cast<int32_t>(token_ids.size()); }
  int32_t num_new_tokens() const { return num_tokens() - num_computed_tokens; }
  int32_t num_output_tokens() const { return num_tokens() - num_prompt_tokens; }
  // Tokens whose keys and values it can come to need: the last one's are never read.
  int32_t max_kv_tokens() const { return num_prompt_tokens + max_tokens - 1; }
};

}  // namespace orrery::engine
