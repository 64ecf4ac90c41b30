// The manual: a page of section 1 for `orrery`, and one for each command, as roff (man(7)).
#pragma once

#include <string>
#include <vector>

namespace orrery::cli {

struct ManualPage {
  std::string name;  // "orrery", "orrery-serve", "orrery-bench-latency"
  std::string roff;
};
std::vector<ManualPage> manual_pages();

}  // namespace orrery::cli
