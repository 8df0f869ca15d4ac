// getaddrinfo with AI_NUMERICHOST is the one parser that also knows scopes ("fe80::1%eth0"), which
// name servers in resolv.conf have; with that flag it asks nobody.
#include "agent/world/sockets.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace nolapse {

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;  // an IPv6 address needs its brackets
  }
  if (digits.empty() || digits.size() > 5) return std::nullopt;
  unsigned port = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  if (port > 65535) return std::nullopt;
  return make(std::string(host), static_cast<std::uint16_t>(port));
}

std::optional<SocketAddress> SocketAddress::make(const std::string& address, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (address.empty() ||
      getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
    return std::nullopt;
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  SocketAddress result;
  if (found->ai_addrlen > result.storage_.size()) return std::nullopt;
  std::memcpy(result.storage_.data(), found->ai_addr, found->ai_addrlen);
  result.size_ = found->ai_addrlen;
  return result;
}

std::optional<SocketAddress> SocketAddress::local_end(int fd) {
  SocketAddress result;
  socklen_t size = static_cast<socklen_t>(result.storage_.size());
  if (getsockname(fd, reinterpret_cast<sockaddr*>(result.storage_.data()), &size) != 0) {
    return std::nullopt;
  }
  result.size_ = size;
  if (result.family() != AF_INET && result.family() != AF_INET6) return std::nullopt;
  return result;
}

const sockaddr* SocketAddress::get() const {
  return reinterpret_cast<const sockaddr*>(storage_.data());
}

int SocketAddress::family() const {
  return get()->sa_family;
}

std::uint16_t SocketAddress::port() const {
  if (family() == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(get())->sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in*>(get())->sin_port);
}

bool SocketAddress::is_unspecified_ipv6() const {
  return family() == AF_INET6 &&
         IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6*>(get())->sin6_addr);
}

bool SocketAddress::is_loopback() const {
  if (family() == AF_INET6) {
    return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(get())->sin6_addr);
  }
  return ntohl(reinterpret_cast<const sockaddr_in*>(get())->sin_addr.s_addr) >> 24 == 127;
}

std::string SocketAddress::text() const {
  char host[NI_MAXHOST] = {};
  if (getnameinfo(get(), size_, host, sizeof host, nullptr, 0, NI_NUMERICHOST) != 0) return {};
  const std::string port_text = ":" + std::to_string(port());
  return family() == AF_INET6 ? "[" + std::string(host) + "]" + port_text : host + port_text;
}

UniqueFd open_socket(int family, SocketKind kind) {
  const int type = kind == SocketKind::stream ? SOCK_STREAM : SOCK_DGRAM;
  return UniqueFd(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

int start_connecting(int fd, const SocketAddress& peer) {
  if (::connect(fd, peer.get(), peer.size()) == 0 || errno == EINPROGRESS) return 0;
  return errno;
}

int connect_result(int fd) {
  int error_number = 0;
  socklen_t size = sizeof error_number;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error_number, &size) != 0) return errno;
  return error_number;
}

}  // namespace nolapse
