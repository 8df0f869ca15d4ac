// The client's side of the control socket. Blocking, for a command that has nothing else to do. The
// answer is bounded: a command of root may be talking to a daemon of another user.
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>

#include "agent/world/control_socket.h"
#include "agent/world/system_error.h"
#include "agent/world/unique_fd.h"
#include "agent/world/unix_address.h"

namespace nolapse {
namespace {

constexpr std::size_t longest_line = 64 << 20;

tl::unexpected<Error> no_daemon(const std::string& path, const std::string& why) {
  return fail(
      ErrorKind::local, "NO_DAEMON",
      "no nolapse daemon answers on " + path + ": " + why + "; start it if there should be one");
}

tl::unexpected<Error> no_answer(const std::string& path) {
  return fail(
      ErrorKind::transient, "NO_ANSWER",
      "the daemon on " + path +
          " ended the connection before its answer was complete; see its log and try again");
}

tl::unexpected<Error> silent(const std::string& path) {
  return fail(ErrorKind::transient, "DAEMON_SILENT",
              "the daemon on " + path +
                  " accepts commands but does not answer; restart it if that goes on");
}

void set_patience(int fd, Duration patience) {
  timeval value{};
  value.tv_sec = patience.count() / 1000;
  value.tv_usec = patience.count() % 1000 * 1000;
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &value, sizeof value);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof value);
}

Result<void> connect_to(int fd, const std::string& path) {
  const auto address = UnixAddress::parse(path);
  if (!address) return no_daemon(path, "that path cannot be a socket's");
  if (::connect(fd, address->get(), address->size()) == 0) return {};
  const int cause = errno;
  if (cause == ENOENT) return no_daemon(path, "there is no such socket");
  if (cause == ECONNREFUSED) return no_daemon(path, "nobody listens there");
  if (cause == EAGAIN) return silent(path);
  if (cause == EACCES || cause == EPERM) {
    return fail(ErrorKind::local, "PERMISSION_DENIED",
                "you may not talk to the nolapse daemon on " + path +
                    "; run this as root or as a member of the socket's group");
  }
  return fail(file_error(cause, "cannot talk to the nolapse daemon on " + path));
}

// False when the daemon did not take it in time. When it has closed already, its reason may be
// there to be read.
bool send_all(int fd, const std::string& text) {
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t count = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno != EAGAIN;
    sent += static_cast<std::size_t>(count);
  }
  return true;
}

}  // namespace

Result<void> control_call(const std::string& path, const std::string& line,
                          const std::function<void(const std::string&)>& on_line,
                          Duration patience) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail(file_error(errno, "cannot talk to the nolapse daemon on " + path));
  set_patience(fd.get(), patience);
  if (auto connected = connect_to(fd.get(), path); !connected) return connected;
  if (!send_all(fd.get(), line + "\n")) return silent(path);

  std::array<char, 16384> buffer;
  std::string input;
  bool answered = false;
  while (input.size() <= longest_line) {
    const ssize_t count = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return silent(path);
    if (count <= 0) return answered && input.empty() ? Result<void>() : no_answer(path);
    std::size_t searched = input.size();
    input.append(buffer.data(), static_cast<std::size_t>(count));
    std::size_t begin = 0;
    for (auto end = input.find('\n', searched); end != std::string::npos;
         end = input.find('\n', begin)) {
      if (!answered) set_patience(fd.get(), Duration::zero());
      answered = true;
      on_line(input.substr(begin, end - begin));
      begin = end + 1;
    }
    input.erase(0, begin);
  }
  return no_answer(path);
}

}  // namespace nolapse
