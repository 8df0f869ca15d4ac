// ldns objects with owners, and the two ways between octets and packets. For the sources that speak
// DNS only.
#pragma once

#include <ldns/ldns.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/world/dns_message.h"

namespace nolapse {

struct FreePacket {
  void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
};
using Packet = std::unique_ptr<ldns_pkt, FreePacket>;

struct FreeName {
  void operator()(ldns_rdf* name) const { ldns_rdf_deep_free(name); }
};
using Name = std::unique_ptr<ldns_rdf, FreeName>;

// Null for what is no host name.
inline Name ldns_name(const std::string& name) {
  return Name(is_host_name(name) ? ldns_dname_new_frm_str((name + ".").c_str()) : nullptr);
}

inline Packet parse_packet(std::string_view octets) {
  ldns_pkt* parsed = nullptr;
  const auto status =
      ldns_wire2pkt(&parsed, reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size());
  return Packet(status == LDNS_STATUS_OK ? parsed : nullptr);
}

inline std::optional<std::string> wire(const ldns_pkt* packet) {
  std::uint8_t* data = nullptr;
  std::size_t size = 0;
  if (ldns_pkt2wire(&data, packet, &size) != LDNS_STATUS_OK) return std::nullopt;
  const std::unique_ptr<std::uint8_t, decltype(&std::free)> owner(data, &std::free);
  return std::string(reinterpret_cast<const char*>(data), size);
}

}  // namespace nolapse
