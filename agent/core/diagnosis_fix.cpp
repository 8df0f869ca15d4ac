#include "agent/core/diagnosis_fix.h"

#include <algorithm>
#include <array>

#include "acme/json_read.h"
#include "agent/core/config_files.h"
#include "agent/core/diagnosis_disk.h"

namespace nolapse {
namespace {

struct Situation {
  const SeenEndpoint& endpoint;
  const SeenAddress* seen;  // nothing: the name has no address
  const Fault& fault;
  Time now;

  const acme::Certificate* served() const {
    return seen != nullptr && !seen->chain.empty() ? &seen->chain.front() : nullptr;
  }
  const PairOnDisk* pair() const {
    for (const PairOnDisk& each : endpoint.pairs) {
      if (!each.place.server.empty()) return &each;
    }
    return nullptr;
  }
  std::string where() const {
    return seen != nullptr && seen->of_this_host
               ? "here"
               : "on the host that serves " + endpoint.endpoint.text;
  }
};

std::string unit_of(const std::string& server) {
  return server == "apache" ? "apache2" : server;
}

// The word behind `marker` in a path: "/etc/letsencrypt/live/" gives "shop".
std::string component_behind(const std::string& path, const std::string& marker) {
  const std::size_t at = path.find(marker);
  if (at == std::string::npos) return {};
  const std::size_t begin = at + marker.size();
  const std::size_t end = path.find('/', begin);
  return end == std::string::npos ? std::string() : path.substr(begin, end - begin);
}

std::string deploy(const ManagedCertificate& managed) {
  return "nolapse deploy " + managed.name +
         (managed.undeployed.empty() ? "" : " --target " + managed.undeployed);
}

std::string renew_managed(const Situation& at) {
  const ManagedCertificate& managed = *at.endpoint.managed;
  const acme::Certificate* served = at.served();
  const bool newest_is_served = served != nullptr && managed.newest &&
                                managed.newest->fingerprint_sha256 == served->fingerprint_sha256;
  const bool newest_is_good =
      managed.newest && managed.newest->not_before <= at.now && at.now < managed.newest->not_after;
  if (newest_is_good && !newest_is_served) return deploy(managed);
  const bool could_go_back = at.fault.code == "UNTRUSTED_ROOT" ||
                             at.fault.code == "NOT_YET_VALID" || at.fault.code == "NOT_ACCEPTED";
  if (newest_is_served && managed.former_is_good && could_go_back) {
    return "nolapse rollback " + managed.name;
  }
  return "nolapse renew --force " + managed.name;
}

// Where the certificate may be good, only not for this name, or not for whoever looks at it.
std::string let_it_fit(const Situation& at) {
  const bool is_hop = at.endpoint.role == SeenEndpoint::Role::hop;
  if (at.fault.code == "WRONG_NAME") {
    return at.where() + ": let the server show a certificate for " +
           at.endpoint.endpoint.server_name +
           (is_hop ? ", or correct the name in " + text_of(at.endpoint.place) : "");
  }
  if (is_hop) {
    return "add its CA to the trust anchors that " + text_of(at.endpoint.place) +
           " names, or let " + at.endpoint.endpoint.text + " show another certificate";
  }
  return at.where() +
         ": let the server show a certificate of a CA that clients trust; for a "
         "private CA look again with --roots FILE";
}

std::string replace(const Situation& at) {
  if (at.endpoint.managed) return renew_managed(at);
  if (at.fault.code == "WRONG_NAME" || at.fault.code == "UNTRUSTED_ROOT" ||
      at.fault.code == "SELF_SIGNED" || at.fault.code == "NOT_ACCEPTED") {
    return let_it_fit(at);
  }
  const PairOnDisk* pair = at.pair();
  if (pair == nullptr) {
    const acme::Certificate* served = at.served();
    return at.where() + ": renew the certificate" +
           (served != nullptr ? " of \"" + acme::printable(served->issuer_common_name, 100) + "\""
                              : "") +
           " and reload the server";
  }
  const std::string renew = renewal_command(pair->certificate_file);
  const std::string reload = reload_command(pair->place.server);
  if (!renew.empty()) return renew + " && " + reload;
  return "put a good certificate into " + pair->certificate_file + ", then: " + reload;
}

std::string serve_whole_chain(const Situation& at) {
  const PairOnDisk* pair = at.pair();
  if (pair == nullptr) {
    return at.endpoint.managed ? "let the server read fullchain.pem instead of cert.pem, then: " +
                                     deploy(*at.endpoint.managed)
                               : at.where() +
                                     ": append the intermediate to the certificate file "
                                     "of the server, then reload it";
  }
  const std::string whole = directory_of(pair->certificate_file) + "/fullchain.pem";
  const bool is_leaf_alone = pair->certificate_file.ends_with("/cert.pem");
  return (is_leaf_alone ? "in " + text_of(pair->place) + " name " + whole
                        : "append the intermediate to " + pair->certificate_file) +
         ", then: " + reload_command(pair->place.server);
}

std::string make_pair_whole(const Situation& at) {
  if (at.endpoint.managed && at.endpoint.managed->newest) return deploy(*at.endpoint.managed);
  const auto broken =
      std::find_if(at.endpoint.pairs.begin(), at.endpoint.pairs.end(),
                   [](const PairOnDisk& pair) { return pair.mismatched || pair.missing; });
  if (broken == at.endpoint.pairs.end()) return {};
  const std::string renew = renewal_command(broken->certificate_file);
  const std::string restart = "systemctl restart " + unit_of(broken->place.server);
  if (!renew.empty()) return renew + " && " + restart;
  return "put a certificate into " + broken->certificate_file + " that belongs to the key" +
         (broken->key_file.empty() ? "" : " in " + broken->key_file) + ", then: " + restart;
}

std::string start_server(const Situation& at) {
  const PairOnDisk* pair = at.pair();
  if (pair != nullptr && at.seen != nullptr && at.seen->of_this_host) {
    const std::string unit = unit_of(pair->place.server);
    return "systemctl restart " + unit + ", and where that fails, journalctl -eu " + unit;
  }
  return at.where() + ": start the service, or let the firewall pass port " +
         std::to_string(at.endpoint.endpoint.port);
}

}  // namespace

std::string renewal_command(const std::string& file) {
  if (const auto name = component_behind(file, "/letsencrypt/live/"); !name.empty()) {
    return "certbot renew --force-renewal --cert-name " + name;
  }
  if (const auto name = component_behind(file, "/.acme.sh/"); !name.empty()) {
    const bool is_ecc = name.ends_with("_ecc");
    return "acme.sh --renew --force -d " + (is_ecc ? name.substr(0, name.size() - 4) : name) +
           (is_ecc ? " --ecc" : "");
  }
  if (const auto name = component_behind(file, "/dehydrated/certs/"); !name.empty()) {
    return "dehydrated --cron --force --domain " + name;
  }
  return {};
}

std::string reload_command(const std::string& server) {
  return "systemctl reload " + unit_of(server);
}

std::string fix_for(const SeenEndpoint& endpoint, const SeenAddress* seen, const Fault& fault,
                    Time now) {
  const Situation at{endpoint, seen, fault, now};
  const std::string& code = fault.code;
  if (code == "CLIENT_CLOCK_WRONG") return "timedatectl set-ntp true, then look again";
  if (code == "NO_SUCH_NAME") return "add the address record of " + endpoint.endpoint.host;
  if (code == "DNS_FAILS") return "see /etc/resolv.conf and whether the name server answers";
  if (code == "MISMATCHED_PAIR" || code == "CERTIFICATE_FILE_MISSING") return make_pair_whole(at);
  if (code == "INCOMPLETE_CHAIN") return serve_whole_chain(at);
  if (code == "OLD_ONE_SERVED") {
    const auto better = at.served() != nullptr ? better_on_disk(endpoint, *at.served(), now)
                                               : std::optional<BetterOnDisk>();
    if (endpoint.managed) return deploy(*endpoint.managed);
    return better && better->pair != nullptr ? reload_command(better->pair->place.server)
                                             : replace(at);
  }
  if (code == "SERVED_BY_SOMETHING_ELSE") {
    return endpoint.port_holder.empty()
               ? "ss -ltnp 'sport = :" + std::to_string(endpoint.endpoint.port) + "'"
               : "stop what holds the port (" + endpoint.port_holder + "), then start the server";
  }
  if (code == "PLAIN_HTTP_ON_TLS_PORT") {
    return at.where() + ": turn TLS on for port " + std::to_string(endpoint.endpoint.port) +
           " (nginx: `listen … ssl`)";
  }
  if (code == "TLS_VERSION") return at.where() + ": let the server speak TLS 1.2 and 1.3";
  if (code == "HANDSHAKE_FAILS") return at.where() + ": read the log of the server";
  if (code == "NOT_SEEN") return {};
  if (code == "ROOTS_UNREADABLE") return "correct the file of trust anchors";
  if (fault.cause != Cause::certificate) return start_server(at);
  return replace(at);
}

}  // namespace nolapse
