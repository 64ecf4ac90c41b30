#include "trace/event.h"

namespace orrery::trace {

std::string_view name_of(EventKind kind) {
  switch (kind) {
    case EventKind::kStepPlanned:
      return "step planned";
    case EventKind::kStepTimed:
      return "step timed";
    case EventKind::kArrived:
      return "arrived";
    case EventKind::kPromptTokens:
      return "prompt tokens";
    case EventKind::kRefused:
      return "refused";
    case EventKind::kAdmitted:
      return "admitted";
    case EventKind::kWaiting:
      return "waiting";
    case EventKind::kStalled:
      return "stalled";
    case EventKind::kChunk:
      return "chunk";
    case EventKind::kBlockTaken:
      return "block taken";
    case EventKind::kBlockShared:
      return "block shared";
    case EventKind::kBlockFreed:
      return "block freed";
    case EventKind::kBlockEvicted:
      return "block evicted";
    case EventKind::kBlockCopied:
      return "block copied";
    case EventKind::kBlockCached:
      return "block cached";
    case EventKind::kForked:
      return "forked";
    case EventKind::kPreempted:
      return "preempted";
    case EventKind::kSampled:
      return "sampled";
    case EventKind::kFiltered:
      return "filtered";
    case EventKind::kCandidate:
      return "candidate";
    case EventKind::kTextReleased:
      return "text released";
    case EventKind::kTextHeldBack:
      return "text held back";
    case EventKind::kFinished:
      return "finished";
    case EventKind::kRequestParams:
      return "request parameters";
    case EventKind::kTechniques:
      return "techniques";
  }
  return "unknown";
}

std::string_view name_of(Reason reason) {
  switch (reason) {
    case Reason::kNone:
      return "";
    case Reason::kTokenBudget:
      return "token budget";
    case Reason::kSequences:
      return "sequences";
    case Reason::kBlocks:
      return "blocks";
    case Reason::kPrefixPending:
      return "prefix being computed";
    case Reason::kBatchRunning:
      return "batch running";
    case Reason::kBehindOthers:
      return "behind others";
    case Reason::kInvalid:
      return "invalid";
    case Reason::kTooLong:
      return "too long";
    case Reason::kNeverFits:
      return "never fits";
    case Reason::kCheapest:
      return "cheapest to recompute";
    case Reason::kOnlyShares:
      return "only shares blocks";
    case Reason::kStop:
      return "stop";
    case Reason::kLength:
      return "length";
    case Reason::kAborted:
      return "aborted";
    case Reason::kError:
      return "error";
    case Reason::kIncompleteUtf8:
      return "incomplete UTF-8";
    case Reason::kStopString:
      return "stop string";
  }
  return "unknown";
}

}  // namespace orrery::trace
