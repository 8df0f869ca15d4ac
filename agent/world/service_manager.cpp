// The wait for a busy manager breaks the rule that the loop never stalls, on purpose: a lost
// "READY=1" would have the daemon killed as one that never came up.
#include "agent/world/service_manager.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include "agent/world/system_error.h"
#include "agent/world/unique_fd.h"
#include "agent/world/unix_address.h"

namespace nolapse {
namespace {

constexpr timeval longest_wait{1, 0};

std::optional<std::int64_t> number(const char* text) {
  if (text == nullptr) return std::nullopt;
  const std::string_view digits(text);
  std::int64_t value = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::optional<Duration> half_of_watchdog(const char* usec, const char* pid) {
  if (pid != nullptr && number(pid) != ::getpid()) return std::nullopt;
  const auto limit = number(usec);
  if (!limit || *limit <= 0) return std::nullopt;
  const auto half = std::chrono::floor<Duration>(std::chrono::microseconds(*limit / 2));
  return std::max(half, Duration(1));
}

}  // namespace

ServiceManager::ServiceManager(const char* notify_socket, const char* watchdog_usec,
                               const char* watchdog_pid)
    : socket_(notify_socket == nullptr ? "" : notify_socket),
      watchdog_interval_(half_of_watchdog(watchdog_usec, watchdog_pid)) {}

ServiceManager ServiceManager::of_this_process() {
  return {std::getenv("NOTIFY_SOCKET"), std::getenv("WATCHDOG_USEC"), std::getenv("WATCHDOG_PID")};
}

Result<void> ServiceManager::notify(const std::string& state) const {
  if (socket_.empty()) return {};
  const std::string what = "cannot tell the service manager on " + socket_ + ": ";
  const auto address = UnixAddress::parse(socket_);
  if (!address) {
    return fail(ErrorKind::local, "NOTIFY_FAILED",
                what + "$NOTIFY_SOCKET is neither a path nor an abstract name");
  }
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  bool sent = false;
  if (fd) {
    setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &longest_wait, sizeof longest_wait);
    sent = ::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL, address->get(),
                    address->size()) >= 0;
  }
  if (!sent) return fail(ErrorKind::local, "NOTIFY_FAILED", what + describe_errno(errno));
  return {};
}

Result<void> ServiceManager::notify_reloading(const std::string& status) const {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const auto since_boot = std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  const auto usec = std::chrono::floor<std::chrono::microseconds>(since_boot).count();
  return notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(usec) + "\nSTATUS=" + status);
}

}  // namespace nolapse
