#include "tensor/tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace orrery {

std::string Shape::to_string() const {
  return fmt::format("[{}]", fmt::join(dims_.begin(), dims_.begin() + rank_, ", "));
}

}  // namespace orrery
