#include "agent/core/public_names.h"

#include <libpsl.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace nolapse {
namespace {

constexpr std::array public_hosts = {"letsencrypt.org", "zerossl.com", "pki.goog",
                                     "ssl.com",         "buypass.com", "actalis.com"};

// [RFC 6761, RFC 6762, RFC 7686, RFC 8375, RFC 9476], and .internal by ICANN.
constexpr std::array reserved_names = {"localhost", "local", "test",      "invalid",
                                       "internal",  "alt",   "home.arpa", "onion"};

struct Block {
  std::string_view address;
  int bits;
};

// The registries of special-purpose addresses [RFC 6890], without those of documentation.
constexpr std::array reserved_blocks = {
    Block{"0.0.0.0", 8},    Block{"10.0.0.0", 8},     Block{"100.64.0.0", 10},
    Block{"127.0.0.0", 8},  Block{"169.254.0.0", 16}, Block{"172.16.0.0", 12},
    Block{"192.0.0.0", 24}, Block{"192.168.0.0", 16}, Block{"198.18.0.0", 15},
    Block{"224.0.0.0", 4},  Block{"240.0.0.0", 4},    Block{"2001::", 23},
    Block{"2002::", 16}};
// All else of IPv6 is not given out, or not reached from everywhere.
constexpr Block global_addresses = {"2000::", 3};

bool is_in(const Block& block, const std::string& octets) {
  const std::string network = acme::address_octets(block.address);
  if (network.size() != octets.size()) return false;
  for (int bit = 0; bit < block.bits; ++bit) {
    const auto at = static_cast<std::size_t>(bit / 8);
    const int mask = 0x80 >> (bit % 8);
    if (((network[at] ^ octets[at]) & mask) != 0) return false;
  }
  return true;
}

bool is_at_or_below(std::string_view name, std::string_view above) {
  return name == above || (name.ends_with(above) && name[name.size() - above.size() - 1] == '.');
}

std::string why_not_public_address(const std::string& address) {
  const std::string octets = acme::address_octets(address);
  const bool reserved = std::any_of(reserved_blocks.begin(), reserved_blocks.end(),
                                    [&](const Block& block) { return is_in(block, octets); }) ||
                        (acme::is_ipv6(address) && !is_in(global_addresses, octets));
  return reserved ? "is an address that is not reached from everywhere" : "";
}

}  // namespace

bool is_public_directory(const std::string& url) {
  std::string_view host = url;
  host.remove_prefix(std::min(host.size(), std::string_view("https://").size()));
  host = host.substr(0, host.find_first_of(":/"));
  return std::any_of(public_hosts.begin(), public_hosts.end(),
                     [&](const char* known) { return is_at_or_below(host, known); });
}

std::string why_not_public(const acme::Identifier& identifier) {
  if (identifier.type == "ip") return why_not_public_address(identifier.value);
  std::string name = identifier.value;
  if (name.starts_with("*.")) name.erase(0, 2);
  for (const std::string_view reserved : reserved_names) {
    if (is_at_or_below(name, reserved)) return "is below a name that is reserved for local use";
  }
  if (name.find('.') == std::string::npos) return "is a single word, not a name below a domain";
  // Those of registries. What companies listed for their customers is theirs to get one for.
  const bool suffix =
      psl_is_public_suffix2(psl_builtin(), name.c_str(), PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE);
  return suffix ? "is a public suffix: others register their domains directly below it" : "";
}

}  // namespace nolapse
