// [[fill]align][sign][#][0][width][group][.precision][type]
#pragma once

#include <string>
#include <string_view>

#include "jinja/ops.h"

namespace orrery::jinja {

struct FormatSpec {
  std::string fill = " ";  // one character
  char align = 0;          // < > = ^, or 0 for the type's own
  char sign = '-';
  bool alternate = false;
  bool zero = false;
  int64_t width = 0;
  char group = 0;
  int64_t precision = -1;
  char type = 0;
};

// False if it breaks the syntax.
bool parse_format_spec(std::string_view spec, FormatSpec& out);
// Of an int, bool or float. False after an error.
bool format_number(Interpreter& vm, const Value& value, FormatSpec spec, Text& out);

}  // namespace orrery::jinja
