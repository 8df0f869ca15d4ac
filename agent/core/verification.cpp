#include "agent/core/verification.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <sstream>

#include "acme/json_read.h"
#include "acme/x509.h"
#include "agent/core/config_endpoint.h"

namespace nolapse {
namespace {

// https and its usual alternative, and the ports of RFC 8314, RFC 7858, RFC 4642, LDAP, IRC.
constexpr std::array<unsigned, 11> implicit_tls_ports = {443, 465, 563,  636,  853, 990,
                                                         993, 995, 5061, 6697, 8443};

std::string server_name_of(const std::vector<acme::Identifier>& domains) {
  for (const acme::Identifier& domain : domains) {
    if (domain.type == "dns" && domain.value.front() != '*') return domain.value;
  }
  return domains.empty() ? std::string() : domains.front().value;
}

// "0100007F:01BB" in the host's byte order, 32 bits at a time (the kernel's own format).
std::optional<std::pair<std::string, unsigned>> parse_socket(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon != 8 && colon != 32) return {};
  std::string octets;
  for (std::size_t word = 0; word < colon; word += 8) {
    for (std::size_t byte = 4; byte-- > 0;) {
      unsigned value = 0;
      const char* const begin = text.data() + word + byte * 2;
      if (std::from_chars(begin, begin + 2, value, 16).ptr != begin + 2) return {};
      octets += static_cast<char>(value);
    }
  }
  unsigned port = 0;
  const std::string_view port_text = text.substr(colon + 1);
  std::from_chars(port_text.data(), port_text.data() + port_text.size(), port, 16);
  return std::pair{acme::address_text(octets), port};
}

struct Round {
  World world;
  VerificationRequest request;
  std::function<void(std::vector<EndpointState>)> done;
  bool local = false;
  std::vector<std::vector<EndpointState>> states;  // by endpoint, then by address
  std::size_t open = 0;

  void close_one() {
    if (--open > 0) return;
    std::vector<EndpointState> all;
    for (auto& of_endpoint : states) {
      for (EndpointState& state : of_endpoint) all.push_back(std::move(state));
    }
    done(std::move(all));
  }
};

bool serves_domains(const ProbeReply& reply, const std::vector<acme::Identifier>& domains) {
  if (reply.chain_der.empty()) return false;
  const auto leaf = acme::parse_certificate(reply.chain_der.front());
  return leaf && std::any_of(domains.begin(), domains.end(), [&](const acme::Identifier& domain) {
           return acme::names(*leaf, domain);
         });
}

// What is served, where it is one of those that are as good; else what is expected.
const ExpectedLeaf& expected_of(const VerificationRequest& request, const ProbeReply& reply) {
  if (request.also.empty() || reply.chain_der.empty()) return request.expected;
  const std::string fingerprint = acme::fingerprint_sha256(reply.chain_der.front());
  const auto found = std::find_if(
      request.also.begin(), request.also.end(),
      [&](const ExpectedLeaf& leaf) { return leaf.fingerprint_sha256 == fingerprint; });
  return found == request.also.end() ? request.expected : *found;
}

// The chain was held against the anchors of the one that is expected: of another CA's certificate
// that says nothing.
ProbeReply with_roots_of(const VerificationRequest& request, ProbeReply reply) {
  if (expected_of(request, reply).roots_file != request.expected.roots_file) {
    reply.chain_error.clear();
  }
  return reply;
}

bool is_known_place(const VerificationRequest& request, const Endpoint& endpoint) {
  const auto& places = request.known_places;
  return std::find(places.begin(), places.end(), endpoint.text) != places.end();
}

void add_known_places(VerificationRequest& request) {
  auto& endpoints = *request.endpoints;
  for (const std::string& text : request.known_places) {
    auto place = parse_endpoint(text, request.domains);
    const bool there = std::any_of(endpoints.begin(), endpoints.end(),
                                   [&](const Endpoint& each) { return each.text == text; });
    if (!place || there) continue;
    place->server_name = server_name_of(request.domains);
    endpoints.push_back(std::move(*place));
  }
}

void probe(const std::shared_ptr<Round>& round, std::size_t index, const Endpoint& endpoint,
           const std::string& address) {
  ++round->open;
  ProbeRequest request;
  request.address = address;
  request.port = endpoint.port;
  request.server_name = endpoint.server_name;
  request.roots_file = round->request.expected.roots_file;
  request.key_kind = round->request.key_kind;
  request.starttls = endpoint.starttls;
  round->world.tls_probe.probe(
      std::move(request), [round, index, endpoint, address](const ProbeReply& reply) {
        const bool known = round->local && is_known_place(round->request, endpoint);
        if (!round->local || known || serves_domains(reply, round->request.domains)) {
          EndpointState state = judge(endpoint, address, with_roots_of(round->request, reply),
                                      expected_of(round->request, reply), round->world.clock.now());
          // Nothing stands between this host and itself: it is gone.
          if (known && state.verdict == Verdict::unreachable) state.service = Service::no_handshake;
          round->states[index].push_back(std::move(state));
        }
        round->close_one();
      });
}

void probe_all(const std::shared_ptr<Round>& round, std::size_t index, const Endpoint& endpoint) {
  ++round->open;
  round->world.dns.resolve(
      endpoint.host, [round, index, endpoint](Result<std::vector<std::string>> addresses) {
        if (!addresses) {
          round->states[index].push_back(
              {endpoint.text, {}, Verdict::unreachable, {}, {}, addresses.error().message});
        } else {
          for (const std::string& address : *addresses) probe(round, index, endpoint, address);
        }
        round->close_one();
      });
}

}  // namespace

VerificationRequest verification_of(const CertificateSpec& spec) {
  VerificationRequest request{spec.domains, spec.endpoints, {}};
  if (spec.beside_others) request.key_kind = acme::kind_of(spec.key_type);
  return request;
}

ExpectedLeaf expected_leaf(const acme::Certificate& leaf) {
  return {leaf.fingerprint_sha256, leaf.not_after, leaf.not_before, leaf.subject_alternative_names,
          leaf.issuer_common_name};
}

namespace {

Service service_with(const acme::Certificate& leaf, const ProbeReply& reply, Time now) {
  if (now >= leaf.not_after) return Service::expired;
  return reply.chain_error.empty() ? Service::good : Service::not_trusted;
}

bool says_something(const Endpoint& endpoint, const ExpectedLeaf& expected, Time now) {
  if (now < expected.not_before) return false;
  if (expected.names.empty()) return true;
  acme::Certificate leaf;
  leaf.subject_alternative_names = expected.names;
  const bool is_address = !acme::canonical_address(endpoint.server_name).empty();
  return acme::names(leaf, {is_address ? "ip" : "dns", endpoint.server_name});
}

// One that was obtained since is the newer, whenever its CA says that it begins.
bool is_newer(const acme::Certificate& leaf, const ProbeReply& reply, const ExpectedLeaf& expected,
              Time now) {
  if (expected.names.empty() || now < leaf.not_before || now >= leaf.not_after) return false;
  if (leaf.not_before <= std::max(expected.not_before, expected.obtained_at)) return false;
  const auto& there = leaf.subject_alternative_names;
  const bool same_names =
      std::all_of(expected.names.begin(), expected.names.end(), [&](const acme::Identifier& name) {
        return std::find(there.begin(), there.end(), name) != there.end();
      });
  const bool same_issuer = !expected.issuer.empty() && leaf.issuer_common_name == expected.issuer;
  return same_names && (same_issuer || reply.chain_error.empty());
}

}  // namespace

EndpointState judge(const Endpoint& endpoint, const std::string& address, const ProbeReply& reply,
                    const ExpectedLeaf& expected, Time now) {
  EndpointState state{endpoint.text, address, Verdict::wrong, {}, {}, reply.detail};
  if (reply.outcome == ProbeReply::Outcome::unreachable) {
    state.verdict = Verdict::unreachable;
    return state;
  }
  state.service = Service::no_handshake;
  if (reply.outcome == ProbeReply::Outcome::no_handshake) return state;
  const std::string der = reply.chain_der.empty() ? std::string() : reply.chain_der.front();
  const std::string fingerprint = acme::fingerprint_sha256(der);
  // What is the right one needs no parsing, which is most of what a look would cost.
  const bool is_expected = fingerprint == expected.fingerprint_sha256;
  acme::Certificate leaf;
  if (is_expected) {
    leaf.not_after = expected.not_after;
  } else if (auto parsed = acme::parse_certificate(der)) {
    leaf = std::move(*parsed);
  } else {
    state.detail = "serves something that is no X.509 certificate";
    return state;
  }
  state.fingerprint_sha256 = fingerprint;
  state.not_after = leaf.not_after;
  state.service = service_with(leaf, reply, now);
  if (is_expected && !says_something(endpoint, expected, now)) state.service.reset();
  const std::string until = " valid until " + acme::format_rfc3339(leaf.not_after);
  if (now >= leaf.not_after) {
    state.verdict = Verdict::expired;
    state.detail = "serves a certificate that expired " +
                   acme::format_duration(now - leaf.not_after) + " ago, on " +
                   acme::format_rfc3339(leaf.not_after);
  } else if (!is_expected) {
    state.newer = is_newer(leaf, reply, expected, now);
    state.detail = "serves another certificate (" + fingerprint.substr(0, 16) + "…, issued by \"" +
                   acme::printable(leaf.issuer_common_name, 100) + "\"," + until + ")";
  } else if (!reply.chain_error.empty()) {
    state.detail =
        "serves the right certificate, but its chain does not validate: " + reply.chain_error;
  } else {
    state.verdict = Verdict::ok;
    state.detail = "serves the right certificate," + until;
  }
  return state;
}

std::vector<Endpoint> local_listeners(const std::string& proc_net_tcp,
                                      const std::string& proc_net_tcp6,
                                      const std::string& server_name) {
  std::vector<Endpoint> endpoints;
  for (const std::string* table : {&proc_net_tcp, &proc_net_tcp6}) {
    std::istringstream lines(*table);
    std::string line;
    while (std::getline(lines, line)) {
      std::istringstream fields(line);
      std::string slot;
      std::string local;
      std::string remote;
      std::string state;
      // 0A is LISTEN in the kernel's tcp_states.h.
      if (!(fields >> slot >> local >> remote >> state) || state != "0A") continue;
      const auto socket = parse_socket(local);
      if (!socket || std::find(implicit_tls_ports.begin(), implicit_tls_ports.end(),
                               socket->second) == implicit_tls_ports.end()) {
        continue;
      }
      std::string address = socket->first;
      if (address == "0.0.0.0") address = "127.0.0.1";
      if (address == "::") address = "::1";
      const std::string shown = acme::is_ipv6(address) ? "[" + address + "]" : address;
      Endpoint endpoint{shown + ":" + std::to_string(socket->second), address,
                        static_cast<std::uint16_t>(socket->second), server_name};
      if (std::find(endpoints.begin(), endpoints.end(), endpoint) == endpoints.end()) {
        endpoints.push_back(std::move(endpoint));
      }
    }
  }
  return endpoints;
}

void verify_endpoints(World world, VerificationRequest request,
                      std::function<void(std::vector<EndpointState>)> done) {
  const bool local = !request.endpoints.has_value();
  if (local) {
    request.endpoints = local_listeners(world.files.read("/proc/net/tcp").value_or(""),
                                        world.files.read("/proc/net/tcp6").value_or(""),
                                        server_name_of(request.domains));
    add_known_places(request);
  }
  auto round =
      std::make_shared<Round>(Round{world, std::move(request), std::move(done), local, {}, 1});
  const std::vector<Endpoint>& endpoints = *round->request.endpoints;
  round->states.resize(endpoints.size());
  for (std::size_t i = 0; i < endpoints.size(); ++i) probe_all(round, i, endpoints[i]);
  // The one that keeps the round open until everything was asked, and makes the completion late.
  world.clock.start_timer(Duration{0}, [round] { round->close_one(); });
}

// ---- twice

bool needs_second_look(const std::vector<EndpointState>& first) {
  return std::any_of(first.begin(), first.end(),
                     [](const EndpointState& state) { return !state.ok(); });
}

std::vector<EndpointState> of_two_looks(const std::vector<EndpointState>& first,
                                        std::vector<EndpointState> second) {
  for (EndpointState& state : second) {
    if (state.ok()) continue;
    const auto before = std::find_if(first.begin(), first.end(), [&](const EndpointState& then) {
      return then.endpoint == state.endpoint && then.address == state.address && then.ok();
    });
    if (before != first.end()) state = *before;
  }
  return second;
}

void verify_endpoints_twice(World world, VerificationRequest request,
                            std::function<void(std::vector<EndpointState>)> done) {
  VerificationRequest again = request;
  verify_endpoints(
      world, std::move(request),
      [world, again = std::move(again), done = std::move(done)](std::vector<EndpointState> first) {
        if (!needs_second_look(first)) return done(std::move(first));
        world.clock.start_timer(second_look_after, [world, again, done, first = std::move(first)] {
          verify_endpoints(world, again, [done, first](std::vector<EndpointState> second) {
            done(of_two_looks(first, std::move(second)));
          });
        });
      });
}

}  // namespace nolapse
