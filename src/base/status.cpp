#include "base/status.h"

namespace orrery {

Status Status::with_context(std::string_view context) const {
  return ok() ? *this : Status(code_, fmt::format("{}: {}", context, message_));
}

}  // namespace orrery
