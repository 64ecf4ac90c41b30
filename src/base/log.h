// Logging to stderr through spdlog: log::info("loaded {} tensors", n). The level comes from
// --log-level or ORRERY_LOG_LEVEL.
#pragma once

#include <spdlog/spdlog.h>

namespace orrery::log {

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

// Sends everything to stderr (stdout belongs to results) in a short format. Call once, at the start
// of main. Levels: "debug", "info", "warn", "error", "off"; anything else is "warn".
void init(const char* level);

}  // namespace orrery::log
