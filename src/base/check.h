// CHECK(condition) << "why": for bugs of our own, never for what a file, a client or a setting can
// cause (that is a Status). A failed check prints file, line, condition and message to stderr and
// aborts. DCHECK is compiled only into debug builds.
#pragma once

#include <sstream>

namespace orrery {

class CheckFailure {
 public:
  CheckFailure(const char* file, int line, const char* condition);
  [[noreturn]] ~CheckFailure();
  std::ostream& stream() { return message_; }

 private:
  std::ostringstream message_;
};

// Makes both arms of CHECK's conditional void.
struct CheckVoidify {
  void operator&(std::ostream&) {}
};

}  // namespace orrery

#define CHECK(condition)     \
  (condition)                \
      ? static_cast<void>(0) \
      : ::orrery::CheckVoidify() & ::orrery::CheckFailure(__FILE__, __LINE__, #condition).stream()

#ifdef NDEBUG
#define DCHECK(condition) CHECK(true || (condition))
#else
#define DCHECK(condition) CHECK(condition)
#endif
