// Addresses of unix sockets: a path, or a name in the abstract namespace [unix(7)].
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>

struct sockaddr;

namespace nolapse {

class UnixAddress {
 public:
  static constexpr std::size_t longest_path = 107;  // octets

  // "/path", or "@name" for the abstract namespace, as service managers write it. Nothing for
  // other forms, a NUL, and what does not fit.
  static std::optional<UnixAddress> parse(const std::string& text);

  const sockaddr* get() const;
  unsigned size() const { return size_; }

 private:
  alignas(8) std::array<std::byte, 110> storage_{};
  unsigned size_ = 0;
};

}  // namespace nolapse
