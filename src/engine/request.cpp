#include "engine/request.h"

namespace orrery::engine {

using trace::Reason;

Reason trace_reason(FinishReason reason) {
  switch (reason) {
    case FinishReason::kNone:
      return Reason::kNone;
    case FinishReason::kStop:
      return Reason::kStop;
    case FinishReason::kLength:
      return Reason::kLength;
    case FinishReason::kAborted:
      return Reason::kAborted;
    case FinishReason::kError:
      return Reason::kError;
  }
  return Reason::kNone;
}

}  // namespace orrery::engine
