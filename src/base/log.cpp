#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>

#include <string>

namespace orrery::log {

void init(const char* level) {
  auto logger = spdlog::stderr_color_st("orrery");
  logger->set_pattern("%^%l%$ %v");
  const std::string name = level == nullptr ? "warn" : level;
  const auto parsed = spdlog::level::from_str(name);
  // from_str answers "off" for a name it does not know.
  logger->set_level(parsed == spdlog::level::off && name != "off" ? spdlog::level::warn : parsed);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace orrery::log
