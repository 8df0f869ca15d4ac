// What endpoints serve, held against what they should serve. The judgement is a pure function;
// the probing resolves each endpoint and asks every address it has.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "acme/x509.h"
#include "agent/core/config.h"
#include "agent/world/world.h"

namespace nolapse {

enum class Verdict { ok, wrong, expired, unreachable };

// How well a client fares that connects, whichever certificate it is; the worst first.
enum class Service { no_handshake, expired, not_trusted, good };

struct EndpointState {
  std::string endpoint;  // as configured, or "ADDRESS:PORT" of a local listener
  std::string address;   // empty when the name does not resolve
  Verdict verdict = Verdict::unreachable;
  std::string fingerprint_sha256;  // of the leaf served; empty: none
  std::optional<Time> not_after;
  std::string detail;  // one line for people
  // Nothing: it was not reached, or serves what it should and that says nothing yet, because a name
  // was left out on purpose or this host's clock is behind.
  std::optional<Service> service = {};
  // Another one than was expected: for the same names, valid, and issued after that was obtained.
  bool newer = false;

  bool ok() const { return verdict == Verdict::ok; }
};

// What is to be served; by default nothing is known of it.
struct ExpectedLeaf {
  std::string fingerprint_sha256;
  Time not_after{};
  Time not_before{};
  std::vector<acme::Identifier> names = {};
  std::string issuer = {};      // its common name
  Time obtained_at = {};        // by whoever expects it
  std::string roots_file = {};  // anchors of its chain; empty: the system's
};
ExpectedLeaf expected_leaf(const acme::Certificate& leaf);

struct VerificationRequest {
  std::vector<acme::Identifier> domains;
  std::optional<std::vector<Endpoint>> endpoints;  // nothing: the local listeners
  ExpectedLeaf expected;
  std::string key_kind = {};  // of several that are served side by side; empty: there is one
  std::vector<ExpectedLeaf> also = {};  // as good, while targets are meant to have different ones
  // Local listeners, "ADDRESS:PORT", that were seen to serve it: one of them that does not any more
  // is told of, and does not merely cease to count.
  std::vector<std::string> known_places = {};
};
// Of what is wanted: the names, where, and which of several key types.
VerificationRequest verification_of(const CertificateSpec& spec);

EndpointState judge(const Endpoint& endpoint, const std::string& address, const ProbeReply& reply,
                    const ExpectedLeaf& expected, Time now);

// Listening sockets of this host on ports where TLS begins with the first octet, from the text of
// /proc/net/tcp and tcp6. Nobody is sent a handshake on a port that may speak something else.
std::vector<Endpoint> local_listeners(const std::string& proc_net_tcp,
                                      const std::string& proc_net_tcp6,
                                      const std::string& server_name);

// One state per endpoint and address. Of the local listeners only those count that serve a
// certificate for one of the domains, and those that are known to have done so; an empty answer
// means that nothing could be verified.
void verify_endpoints(World world, VerificationRequest request,
                      std::function<void(std::vector<EndpointState>)> done);

// The same, and where anything is bad, all of it once more after that time: a connection that was
// closed, or an answer that was lost, is no news. Bad is what was bad both times.
inline constexpr Duration second_look_after = std::chrono::seconds(3);
void verify_endpoints_twice(World world, VerificationRequest request,
                            std::function<void(std::vector<EndpointState>)> done);
bool needs_second_look(const std::vector<EndpointState>& first);
std::vector<EndpointState> of_two_looks(const std::vector<EndpointState>& first,
                                        std::vector<EndpointState> second);

}  // namespace nolapse
