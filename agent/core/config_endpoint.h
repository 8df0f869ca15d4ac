// ADDRESS:PORT as the configuration writes it for listeners, resolvers and endpoints, and an
// endpoint's #SNI. An IPv6 address stands in brackets, for without them `::1:443` has two readings.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "agent/core/config.h"

namespace nolapse {

struct HostPort {
  std::string host;  // a name in lower-case A-labels or a canonical address
  std::uint16_t port = 0;
  bool is_address = false;

  std::string text() const;  // "192.0.2.1:80", "[2001:db8::1]:80", "shop.example:80"
};

struct EndpointFault {
  std::string reason;
  std::string fix;
};

tl::expected<HostPort, EndpointFault> parse_host_port(std::string_view text);

// The server name of an address without #SNI comes from `domains`: the first plain host name, or
// an address, this one before others.
tl::expected<Endpoint, EndpointFault> parse_endpoint(const std::string& text,
                                                     const std::vector<acme::Identifier>& domains);

}  // namespace nolapse
