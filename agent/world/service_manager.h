// What a service manager wants to hear [sd_notify(3), sd_watchdog_enabled(3)]: that the daemon is
// ready, reloads, stops, and lives. A datagram with a few lines; no library is needed for that.
#pragma once

#include <optional>
#include <string>

#include "agent/world/world.h"

namespace nolapse {

class ServiceManager {
 public:
  // The values of NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; null where one is missing.
  ServiceManager(const char* notify_socket, const char* watchdog_usec, const char* watchdog_pid);
  static ServiceManager of_this_process();

  // "READY=1\nSTATUS=…". Does nothing where no manager asked to be told. Waits for one that is
  // busy, at most a second. Error: local NOTIFY_FAILED.
  Result<void> notify(const std::string& state) const;

  // "RELOADING=1" with the moment at which it began, as Type=notify-reload wants it; "READY=1" ends
  // it. Errors as above.
  Result<void> notify_reloading(const std::string& status) const;

  // How often "WATCHDOG=1" is to be sent, half of what the manager allows; nothing where it does
  // not watch this process.
  std::optional<Duration> watchdog_interval() const { return watchdog_interval_; }

 private:
  std::string socket_;  // empty: nobody listens
  std::optional<Duration> watchdog_interval_;
};

}  // namespace nolapse
