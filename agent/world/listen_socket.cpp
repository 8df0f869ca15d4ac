// SO_REUSEADDR only skips the minute that closed connections linger; two listeners on one port are
// still refused, and that refusal names the one who has it.
#include "agent/world/listen_socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include "agent/world/port_holder.h"
#include "agent/world/sockets.h"
#include "agent/world/system_error.h"

namespace nolapse {
namespace {

constexpr int backlog = 128;
constexpr int most_passed = 64;

int number(const char* text) {
  if (text == nullptr) return -1;
  const std::string_view digits(text);
  int value = -1;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size() ? value : -1;
}

bool is_listening_on(int fd, std::uint16_t port) {
  int listening = 0;
  socklen_t size = sizeof listening;
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0) return false;
  const auto local = SocketAddress::local_end(fd);
  return listening != 0 && local && local->port() == port;
}

// An open descriptor, or errno.
UniqueFd bind_and_listen(const SocketAddress& address) {
  UniqueFd fd = open_socket(address.family(), SocketKind::stream);
  if (!fd) return fd;
  const int on = 1;
  const int only_ipv6 = address.is_unspecified_ipv6() ? 0 : 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.family() == AF_INET6) {
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_ipv6, sizeof only_ipv6);
  }
  if (::bind(fd.get(), address.get(), address.size()) != 0 || ::listen(fd.get(), backlog) != 0) {
    const int error_number = errno;
    fd.reset();
    errno = error_number;
  }
  return fd;
}

tl::unexpected<Error> listen_error(int error_number, const std::string& listen, std::uint16_t port,
                                   const char* remedy) {
  const std::string what = "cannot listen on " + listen + ": ";
  if (error_number == EADDRINUSE) {
    const std::string holder = port_holder(port);
    // A socket unit listens on while its service is down.
    if (holder == "systemd (pid 1)") {
      remedy =
          "a socket unit of systemd keeps it; if that is nolapse-http.socket or "
          "nolapse-tls-alpn.socket, the service has to renew: systemctl start nolapse; "
          "`systemctl list-sockets` shows which one it is";
    }
    return fail(ErrorKind::local, "PORT_IN_USE",
                what + "the port is in use by " + (holder.empty() ? unknown_listener : holder) +
                    "; " + remedy);
  }
  if (error_number == EACCES || error_number == EPERM) {
    return fail(ErrorKind::local, "PERMISSION_DENIED",
                what +
                    "ports below 1024 need root or CAP_NET_BIND_SERVICE, or a socket passed by "
                    "the service manager");
  }
  return fail(ErrorKind::local, "LISTEN_FAILED", what + describe_errno(error_number));
}

}  // namespace

std::vector<UniqueFd> passed_sockets(const char* listen_pid, const char* listen_fds, int first_fd) {
  std::vector<UniqueFd> sockets;
  const int count = number(listen_fds);
  if (number(listen_pid) != ::getpid() || count <= 0 || count > most_passed) return sockets;
  for (int fd = first_fd; fd < first_fd + count; ++fd) {
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) sockets.emplace_back(fd);
  }
  return sockets;
}

PassedSockets sockets_passed_to_this_process() {
  return std::make_shared<const std::vector<UniqueFd>>(
      passed_sockets(std::getenv("LISTEN_PID"), std::getenv("LISTEN_FDS")));
}

Result<UniqueFd> listening_socket(const std::string& listen, const PassedSockets& passed,
                                  const char* remedy) {
  const auto address = SocketAddress::parse(listen);
  if (!address) {
    return fail(ErrorKind::local, "LISTEN_FAILED",
                "cannot listen on \"" + listen + "\": it is not ADDRESS:PORT");
  }
  for (std::size_t i = 0; passed && i < passed->size(); ++i) {
    const UniqueFd& socket = (*passed)[i];
    if (!is_listening_on(socket.get(), address->port())) continue;
    UniqueFd copy(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 3));
    if (!copy || ::fcntl(copy.get(), F_SETFL, O_NONBLOCK) != 0) {
      return listen_error(errno, listen, address->port(), remedy);
    }
    return copy;
  }
  UniqueFd fd = bind_and_listen(*address);
  if (!fd && errno == EAFNOSUPPORT && address->is_unspecified_ipv6()) {
    fd = bind_and_listen(*SocketAddress::make("0.0.0.0", address->port()));
  }
  if (!fd) return listen_error(errno, listen, address->port(), remedy);
  return fd;
}

}  // namespace nolapse
