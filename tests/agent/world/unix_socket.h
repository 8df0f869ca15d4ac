// Plain blocking unix sockets for the other side of a test; every wait is bounded.
#pragma once

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>

#include "agent/world/unique_fd.h"

namespace nolapse {

inline sockaddr_un unix_path(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

inline UniqueFd unix_socket(int type) {
  UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  const timeval patience{5, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return fd;
}

// An invalid descriptor when nobody answers there; the cause is in errno.
inline UniqueFd connect_unix(const std::string& path) {
  UniqueFd fd = unix_socket(SOCK_STREAM);
  const sockaddr_un address = unix_path(path);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return UniqueFd();
  }
  return fd;
}

inline UniqueFd bind_unix(const std::string& path, int type) {
  UniqueFd fd = unix_socket(type);
  const sockaddr_un address = unix_path(path);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return UniqueFd();
  }
  return fd;
}

inline bool say(const UniqueFd& fd, const std::string& text) {
  return ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(text.size());
}

// What is there by now.
inline std::string heard(const UniqueFd& fd) {
  std::string text;
  std::array<char, 65536> buffer;
  ssize_t count = 0;
  while ((count = ::recv(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return text;
}

// Has the other side closed, all that it sent being read?
inline bool hung_up(const UniqueFd& fd) {
  char octet = 0;
  const ssize_t count = ::recv(fd.get(), &octet, 1, MSG_DONTWAIT | MSG_PEEK);
  return count == 0 || (count < 0 && errno == ECONNRESET);
}

}  // namespace nolapse
