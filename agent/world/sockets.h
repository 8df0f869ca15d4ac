// Socket addresses as values, and the non-blocking sockets that the DNS client, the TLS probe and
// the responder make from them. Only literal addresses: names are resolved by Dns.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/world/unique_fd.h"

struct sockaddr;

namespace nolapse {

class SocketAddress {
 public:
  // "192.0.2.1:53" or "[2001:db8::1]:53".
  static std::optional<SocketAddress> parse(std::string_view text);
  static std::optional<SocketAddress> make(const std::string& address, std::uint16_t port);
  // The local end of a socket; nothing when it has none in the internet families.
  static std::optional<SocketAddress> local_end(int fd);

  const sockaddr* get() const;
  unsigned size() const { return size_; }
  int family() const;
  std::uint16_t port() const;
  bool is_unspecified_ipv6() const;  // [::], which serves both families
  bool is_loopback() const;
  std::string text() const;  // as parse() takes it

 private:
  alignas(8) std::array<std::byte, 128> storage_{};
  unsigned size_ = 0;
};

enum class SocketKind { stream, datagram };

// Non-blocking and closed on exec. An invalid descriptor leaves the cause in errno.
UniqueFd open_socket(int family, SocketKind kind);

// Starts connecting. 0 when it is under way or done, else an errno.
int start_connecting(int fd, const SocketAddress& peer);
// How connecting ended, once the socket is writable: 0 or an errno.
int connect_result(int fd);

}  // namespace nolapse
