// Event: one decision of the engine, as a record of fixed size.
//
// Everything that the engine decides is one of these: the live page, recordings, metrics and the
// answer to "why did my request wait" read nothing else. doc/step-event-log.md describes each kind
// for readers of files. Values; safe to copy between threads.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace orrery::trace {

// What happened, and what value[0] .. value[3] hold. Numbers are part of the file format: add at
// the end, never renumber.
enum class EventKind : uint8_t {
  kStepPlanned = 1,    // tokens scheduled, requests scheduled, running, waiting
  kStepTimed = 2,      // µs to schedule, to run the model, to sample, for all else
  kArrived = 3,        // prompt tokens, max_tokens, tenant, priority
  kPromptTokens = 4,   // detail (1 .. 4) token ids
  kRefused = 5,        // needed, available; reason
  kAdmitted = 6,       // prompt tokens found in the cache, tokens to compute, blocks shared, blocks
                       // taken; detail: times passed over
  kWaiting = 7,        // needed, available, the request waited for; reason
  kStalled = 8,        // runs, but gets no block this step: blocks needed, blocks free
  kChunk = 9,          // first position, tokens, tokens still to compute after it
  kBlockTaken = 10,    // block, index in the request's table
  kBlockShared = 11,   // block, index, users now
  kBlockFreed = 12,    // block, users left, 1 if its content stays cached
  kBlockEvicted = 13,  // block
  kBlockCopied = 14,   // from block, to block, index
  kBlockCached = 15,   // block, index: its content can be found by others from now on
  kForked = 16,        // from request, tokens shared, blocks shared
  kPreempted = 17,     // tokens to recompute, blocks gained, for which request, its preemptions
  kSampled = 18,       // token, position, random number's upper and lower 32 bits; detail:
                       // candidates left
  kFiltered = 19,      // candidates left after masks, min-p, top-k, top-p
  kCandidate = 20,     // token, bits of the fp32 logit and probability; detail: filter that cut it
  kTextReleased = 21,  // bytes released, bytes released so far
  kTextHeldBack = 22,  // bytes held back; reason
  kFinished = 23,  // output tokens, prompt tokens, preemptions, tokens found in the cache; reason;
                   // detail: 1 if ended from outside (abort, stop string), 0 by its own token
  kRequestParams = 24,  // detail (1 .. 16) bytes of JSON, in memory order: how to sample, ...
  kTechniques = 25,     // bits of those that are on from now on, tokens that a step may compute;
                        // no request is unfinished, no block in use or cached
};
inline constexpr uint8_t kMaxEventKind = 25;

enum class Reason : uint8_t {
  kNone = 0,
  // Why a request waits.
  kTokenBudget = 1,    // the step's tokens are all given out
  kSequences = 2,      // max_num_seqs requests are running
  kBlocks = 3,         // too few blocks for the whole prompt
  kPrefixPending = 4,  // another request is computing its prefix; it will be shared
  kBatchRunning = 5,   // static batches: the running one must end first
  kBehindOthers = 6,   // not its turn
  // Why it was refused at the door.
  kInvalid = 7,    // no tokens, or a parameter out of range
  kTooLong = 8,    // prompt and max_tokens exceed max_model_len
  kNeverFits = 9,  // needs more blocks than there are
  // Why this one was preempted.
  kCheapest = 10,    // fewest tokens to recompute among those behind the needy request
  kOnlyShares = 11,  // frees no block, but its shares stood in the way
  // Why it finished.
  kStop = 12,
  kLength = 13,
  kAborted = 14,
  kError = 15,
  // Why text is held back.
  kIncompleteUtf8 = 16,
  kStopString = 17,
};
inline constexpr uint8_t kMaxReason = 17;

std::string_view name_of(EventKind kind);  // "admitted", ...
std::string_view name_of(Reason reason);   // "blocks", ...; "" for kNone

struct Event {
  uint64_t step = 0;     // of the engine, from 1; 0: before the first
  uint32_t request = 0;  // number of the request, from 1; 0: none
  EventKind kind = EventKind::kStepPlanned;
  Reason reason = Reason::kNone;
  uint16_t detail = 0;
  std::array<int32_t, 4> value = {};

  bool operator==(const Event&) const = default;
};
static_assert(sizeof(Event) == 32 && std::is_trivially_copyable_v<Event>);

}  // namespace orrery::trace
