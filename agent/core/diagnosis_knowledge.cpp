#include "agent/core/diagnosis_knowledge.h"

#include <regex.h>

#include <algorithm>

#include "agent/core/deployment.h"
#include "agent/core/diagnosis_history.h"
#include "agent/core/diagnosis_pair.h"
#include "agent/core/store.h"
#include "agent/core/verification.h"

namespace nolapse {
namespace {

constexpr std::size_t most_pairs = 8;
constexpr std::size_t most_behind = 16;
constexpr std::size_t names_per_site = 3;  // that are asked for, where nobody asked

bool covers(const std::vector<std::string>& names, const std::string& name) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& each) { return acme::name_covers(each, name); });
}

std::string port_of(const std::string& listen) {
  return listen.substr(listen.rfind(':') + 1);  // the whole where there is no colon
}

bool has_port(const std::vector<std::string>& listens, std::uint16_t port) {
  return std::any_of(listens.begin(), listens.end(), [&](const std::string& each) {
    return port_of(each) == std::to_string(port);
  });
}

// Where a server listens that is not told where.
std::vector<std::string> usual_ports(const std::string& server) {
  if (server == "dovecot") return {"110", "143", "993", "995", "4190"};
  if (server == "postfix") return {"25", "465", "587"};
  return {"443"};
}

bool listens_on(const ShownCertificate& shown, std::uint16_t port) {
  return has_port(shown.listens.empty() ? usual_ports(shown.place.server) : shown.listens, port);
}

// Those that name it, or else those that answer for any name.
std::vector<const ShownCertificate*> shown_for(const Endpoint& endpoint, const KnownHost& host) {
  std::vector<const ShownCertificate*> named;
  std::vector<const ShownCertificate*> others;
  for (const ShownCertificate& each : host.servers.certificates) {
    if (!listens_on(each, endpoint.port)) continue;
    if (covers(each.names, endpoint.server_name)) named.push_back(&each);
    if (each.names.empty()) others.push_back(&each);
  }
  return named.empty() ? others : named;
}

const CertificateSpec* managed_for(const std::string& name, const KnownHost& host) {
  if (host.config == nullptr) return nullptr;
  for (const CertificateSpec& spec : host.config->certificates) {
    const bool named = std::any_of(
        spec.domains.begin(), spec.domains.end(),
        [&](const acme::Identifier& domain) { return acme::name_covers(domain.value, name); });
    if (named) return &spec;
  }
  return nullptr;
}

bool has_former(const Store& store, const std::string& name, unsigned newest, Time now) {
  const auto numbers = store.generation_numbers(name);
  if (!numbers) return false;
  for (auto number = numbers->rbegin(); number != numbers->rend(); ++number) {
    if (*number >= newest) continue;
    const auto generation = store.load_generation(name, *number);
    return generation && now < generation->leaf().not_after;
  }
  return false;
}

std::string the_undeployed(const CertificateSpec& spec, const Store& store, unsigned newest) {
  if (spec.deploy.size() < 2) return {};
  const auto records = store.load_deployments(spec.name);
  if (!records) return {};
  std::vector<std::string> late;
  for (const std::string& target : spec.deploy) {
    const auto record = records->find(target);
    const bool there = record != records->end() && record->second.generation == newest &&
                       record->second.stage == DeploymentStage::verified;
    if (!there) late.push_back(target);
  }
  return late.size() == 1 ? late.front() : std::string();
}

void add_managed(SeenEndpoint& endpoint, const CertificateSpec& spec, const KnownHost& host,
                 const Files& files, Time now) {
  const Store store(host.config->state_directory, files);
  ManagedCertificate managed;
  managed.name = spec.name;
  const auto newest = store.newest_generation(spec.name);
  if (newest && *newest) {
    const Generation& generation = **newest;
    managed.newest = generation.leaf();
    managed.former_is_good = has_former(store, spec.name, generation.number, now);
    managed.undeployed = the_undeployed(spec, store, generation.number);
    // Its chain, in case that a server shows only a part of it.
    ShownCertificate own;
    own.certificate_file = generation.directory + "/fullchain.pem";
    endpoint.pairs.push_back(read_chain(own, files));
  }
  managed.obstacles = obstacles_to(spec.name, store);
  if (host.history_wanted)
    managed.history = history_of(spec.name, host.config->state_directory, files);
  endpoint.managed = std::move(managed);
}

bool is_same(const Endpoint& a, const Endpoint& b) {
  return a.host == b.host && a.port == b.port && a.server_name == b.server_name;
}

enum class Passage { never, perhaps, surely };

// The servers' own dialect knows more than this one: what that may be is not guessed at.
Passage matches(const std::string& pattern, bool any_case, const std::string& path) {
  for (const char* foreign : {"(?", "*?", "+?", "\\d", "\\D", "\\A", "\\z"}) {
    if (pattern.find(foreign) != std::string::npos) return Passage::perhaps;
  }
  regex_t compiled;
  const int flags = REG_EXTENDED | REG_NOSUB | (any_case ? REG_ICASE : 0);
  if (regcomp(&compiled, pattern.c_str(), flags) != 0) return Passage::perhaps;
  const bool found = regexec(&compiled, path.c_str(), 0, nullptr, 0) == 0;
  regfree(&compiled);
  return found ? Passage::surely : Passage::never;
}

// Does a location, as in Upstream, hold for this path? "perhaps": its pattern cannot be read here.
Passage holds_for(const std::string& location, const std::string& path) {
  const auto answer = [](bool holds) { return holds ? Passage::surely : Passage::never; };
  if (location.starts_with('@')) return Passage::never;  // only what others name
  if (location.starts_with('=')) return answer(path == location.substr(1));
  if (!location.starts_with('~')) return answer(path.starts_with(location));
  const bool any_case = location.starts_with("~*");
  return matches(location.substr(any_case ? 2 : 1), any_case, path);
}

// Of two locations that hold, which one takes the request? An exact one, then a pattern, then the
// longer. (Between patterns the first; their order is not known here.)
bool goes_before(const std::string& other, const std::string& own) {
  const auto rank = [](const std::string& location) {
    return location.starts_with('=') ? 2 : location.starts_with('~') ? 1 : 0;
  };
  if (rank(other) != rank(own)) return rank(other) > rank(own);
  return rank(own) == 1 || other.size() > own.size();
}

Passage passage(const Upstream& upstream, const Endpoint& asked, const std::string& path) {
  if (!upstream.listens.empty() && !has_port(upstream.listens, asked.port)) return Passage::never;
  Passage passage = holds_for(upstream.location, path);
  for (const std::string& other : upstream.other_locations) {
    const Passage elsewhere = holds_for(other, path);
    if (elsewhere == Passage::never || !goes_before(other, upstream.location)) continue;
    const bool both_patterns = upstream.location.starts_with('~') && other.starts_with('~');
    const Passage most =
        elsewhere == Passage::surely && !both_patterns ? Passage::never : Passage::perhaps;
    passage = std::min(passage, most);
  }
  return upstream.conditional ? std::min(passage, Passage::perhaps) : passage;
}

Behind hop_of(const Upstream& upstream) {
  Behind behind;
  SeenEndpoint& hop = behind.endpoint;
  hop.role = SeenEndpoint::Role::hop;
  const HostPort at{upstream.host, upstream.port, false};
  std::string text = at.text();
  if (!upstream.server_name.empty() && upstream.server_name != upstream.host) {
    text += "#" + upstream.server_name;
  }
  hop.endpoint = {std::move(text), upstream.host, upstream.port, upstream.server_name};
  hop.place = upstream.place;
  hop.tls = upstream.tls;
  hop.verified = upstream.verified;
  hop.dates_checked = upstream.dates_checked;
  hop.name_checked = upstream.name_checked;
  behind.roots_file = upstream.roots_file;
  return behind;
}

class Collected {
 public:
  explicit Collected(const Endpoint& asked) : asked_(asked) {}

  void add(Behind behind) {
    const Endpoint& endpoint = behind.endpoint.endpoint;
    if (is_same(endpoint, asked_)) return;
    const auto known = std::find_if(all_.seen.begin(), all_.seen.end(), [&](const Behind& each) {
      return is_same(each.endpoint.endpoint, endpoint);
    });
    if (known != all_.seen.end()) {
      known->endpoint.surely = known->endpoint.surely || behind.endpoint.surely;
    } else if (all_.seen.size() < most_behind) {
      all_.seen.push_back(std::move(behind));
    } else {
      hide(endpoint.text);
    }
  }
  void hide(const std::string& what) {
    auto& hidden = all_.hidden;
    if (std::find(hidden.begin(), hidden.end(), what) == hidden.end()) hidden.push_back(what);
  }
  void add(const Endpoint& endpoint, SeenEndpoint::Role role, const std::string& roots_file) {
    Behind behind;
    behind.endpoint.role = role;
    behind.endpoint.endpoint = endpoint;
    behind.roots_file = roots_file;
    add(std::move(behind));
  }
  AllBehind take() { return std::move(all_); }

 private:
  const Endpoint& asked_;
  AllBehind all_;
};

std::vector<Endpoint> listeners(const Files& files, const std::string& server_name) {
  return local_listeners(files.read("/proc/net/tcp").value_or(""),
                         files.read("/proc/net/tcp6").value_or(""), server_name);
}

}  // namespace

bool KnownHost::has(const std::string& address) const {
  return address.starts_with("127.") || address == "::1" || addresses.contains(address);
}

std::set<std::string> addresses_of_host(const std::string& fib_trie, const std::string& if_inet6) {
  std::set<std::string> addresses;
  std::string last;
  for (std::size_t begin = 0; begin < fib_trie.size();) {
    const std::size_t end = std::min(fib_trie.find('\n', begin), fib_trie.size());
    const std::string line = fib_trie.substr(begin, end - begin);
    begin = end + 1;
    if (const auto mark = line.find("|-- "); mark != std::string::npos) {
      last = acme::canonical_address(line.substr(mark + 4));
    } else if (line.find("/32 host LOCAL") != std::string::npos && !last.empty()) {
      addresses.insert(last);
    }
  }
  for (std::size_t begin = 0; begin < if_inet6.size();) {
    const std::size_t end = std::min(if_inet6.find('\n', begin), if_inet6.size());
    std::string address;
    for (std::size_t i = 0; i < 32 && begin + i < end; ++i) {
      address += (i > 0 && i % 4 == 0 ? ":" : "") + if_inet6.substr(begin + i, 1);
    }
    begin = end + 1;
    if (auto canonical = acme::canonical_address(address); !canonical.empty()) {
      addresses.insert(std::move(canonical));
    }
  }
  return addresses;
}

void add_knowledge(SeenEndpoint& endpoint, const KnownHost& host, const Files& files, Time now) {
  for (const ShownCertificate* shown : shown_for(endpoint.endpoint, host)) {
    if (endpoint.pairs.size() >= most_pairs) break;
    endpoint.pairs.push_back(read_pair(*shown, files));
    for (PairOnDisk& each : read_siblings(endpoint.pairs.back(), files)) {
      endpoint.pairs.push_back(std::move(each));
    }
  }
  const std::string& name = endpoint.endpoint.server_name.empty() ? endpoint.endpoint.host
                                                                  : endpoint.endpoint.server_name;
  if (const CertificateSpec* spec = managed_for(name, host)) {
    add_managed(endpoint, *spec, host, files, now);
  }
}

namespace {

// Who issued what is served nobody may read: most likely the one that is asked first.
std::string roots_of_first_ca(const Config& config, const std::string& name) {
  const CertificateSpec* const spec = config.find_certificate(name);
  if (spec == nullptr || spec->cas.empty()) return {};
  const CaConfig* const ca = config.find_ca(spec->cas.front());
  return ca == nullptr ? std::string() : ca->issuer_roots_file;
}

}  // namespace

std::string roots_for(const SeenEndpoint& endpoint, const KnownHost& host, const Files& files) {
  if (host.config == nullptr) return {};
  if (endpoint.managed) {
    const Store store(host.config->state_directory, files);
    const auto newest = store.newest_generation(endpoint.managed->name);
    if (!newest) return roots_of_first_ca(*host.config, endpoint.managed->name);
    return issuer_roots(*host.config, *newest ? &**newest : nullptr);
  }
  for (const WatchSpec& watch : host.config->watches) {
    const auto found =
        std::find_if(watch.endpoints.begin(), watch.endpoints.end(),
                     [&](const Endpoint& each) { return is_same(each, endpoint.endpoint); });
    if (found != watch.endpoints.end()) return watch.roots_file;
  }
  return {};
}

AllBehind what_is_behind(const DiagnosisTarget& target, const KnownHost& host) {
  const Endpoint& asked = target.endpoint;
  const std::string path =
      target.path.empty() ? "/" : target.path.substr(0, target.path.find_first_of("?#"));
  Collected collected(asked);
  const bool is_named =
      std::any_of(host.servers.upstreams.begin(), host.servers.upstreams.end(),
                  [&](const Upstream& each) { return covers(each.names, asked.server_name); });
  for (const Upstream& upstream : host.servers.upstreams) {
    if (is_named ? !covers(upstream.names, asked.server_name) : !upstream.names.empty()) continue;
    const Passage passage = nolapse::passage(upstream, asked, path);
    if (passage == Passage::never) continue;
    if (upstream.host.empty()) {
      collected.hide("what " + upstream.place.text() + " passes on to");
      continue;
    }
    Behind hop = hop_of(upstream);
    hop.endpoint.surely = passage == Passage::surely;
    collected.add(std::move(hop));
  }
  if (const CertificateSpec* spec = managed_for(asked.server_name, host)) {
    for (const Endpoint& each : spec->endpoints.value_or(std::vector<Endpoint>{})) {
      collected.add(each, SeenEndpoint::Role::declared, {});
    }
  }
  return collected.take();
}

std::vector<Behind> what_else_is_known(const Endpoint& asked, const KnownHost& host) {
  Collected collected(asked);
  if (host.config == nullptr) return {};
  for (const CertificateSpec& spec : host.config->certificates) {
    for (const Endpoint& each : spec.endpoints.value_or(std::vector<Endpoint>{})) {
      collected.add(each, SeenEndpoint::Role::known, {});
    }
  }
  for (const WatchSpec& watch : host.config->watches) {
    for (const Endpoint& each : watch.endpoints) {
      collected.add(each, SeenEndpoint::Role::known, watch.roots_file);
    }
  }
  return collected.take().seen;
}

std::vector<KnownTarget> known_targets(const KnownHost& host, const Files& files) {
  std::vector<KnownTarget> targets;
  const auto add = [&](const Endpoint& endpoint, bool only_if_served) {
    const bool is_known = std::any_of(targets.begin(), targets.end(), [&](const KnownTarget& each) {
      return is_same(each.target.endpoint, endpoint);
    });
    if (!is_known) targets.push_back({target_of(endpoint), only_if_served});
  };
  if (host.config != nullptr) {
    for (const CertificateSpec& spec : host.config->certificates) {
      for (const Endpoint& each : spec.endpoints.value_or(std::vector<Endpoint>{})) {
        add(each, false);
      }
      if (spec.endpoints || spec.domains.empty()) continue;
      for (const Endpoint& each : listeners(files, spec.domains.front().value)) add(each, true);
    }
    for (const WatchSpec& watch : host.config->watches) {
      for (const Endpoint& each : watch.endpoints) add(each, false);
    }
  }
  for (const ShownCertificate& shown : host.servers.certificates) {
    for (const Endpoint& each : endpoints_of(shown, names_per_site)) add(each, false);
  }
  return targets;
}

}  // namespace nolapse
