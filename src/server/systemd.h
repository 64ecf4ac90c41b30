// What systemd is told by services of Type=notify. Nothing happens without $NOTIFY_SOCKET.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace orrery::server {

// `state`: "READY=1", "STOPPING=1", "WATCHDOG=1". Never waits.
void notify_systemd(std::string_view state);

// How often systemd wants to hear "WATCHDOG=1"; nothing: it does not.
std::optional<std::chrono::microseconds> systemd_watchdog_period();

}  // namespace orrery::server
