#include "agent/core/diagnosis_disk.h"

#include <algorithm>

#include "acme/json_read.h"

namespace nolapse {
namespace {

bool is_good(const acme::Certificate& leaf, const SeenEndpoint& endpoint, Time now) {
  const std::string& name = endpoint.endpoint.server_name;
  const bool is_address = !acme::canonical_address(name).empty();
  return leaf.not_before <= now && now < leaf.not_after &&
         acme::names(leaf, {is_address ? "ip" : "dns", name});
}

// It could have been in the other's place once.
bool is_predecessor(const acme::Certificate& served, const acme::Certificate& newer) {
  if (served.not_before > newer.not_before) return false;
  const auto& names = newer.subject_alternative_names;
  return std::any_of(names.begin(), names.end(),
                     [&](const acme::Identifier& name) { return acme::names(served, name); });
}

const PairOnDisk* find_pair(const SeenEndpoint& endpoint, bool PairOnDisk::*fault) {
  const auto found = std::find_if(endpoint.pairs.begin(), endpoint.pairs.end(),
                                  [&](const PairOnDisk& pair) { return pair.*fault; });
  return found == endpoint.pairs.end() ? nullptr : &*found;
}

std::string do_not_fit(const PairOnDisk& pair) {
  return pair.certificate_file + " and " +
         (pair.key_file.empty() ? "the key in it" : pair.key_file) + " do not belong together (" +
         text_of(pair.place) + ")";
}

std::string where_it_lies(const BetterOnDisk& better) {
  return better.pair != nullptr ? better.pair->certificate_file : "nolapse's state directory";
}

// "apache2 (pid 12)" is Apache, and "nginx" nginx.
bool somebody_else_has_the_port(const SeenEndpoint& endpoint, const BetterOnDisk& better) {
  if (better.pair == nullptr || endpoint.port_holder.empty()) return false;
  const std::string& server = better.pair->place.server;
  const auto holds = [&](const char* program) {
    return endpoint.port_holder.find(program) != std::string::npos;
  };
  if (server == "apache") return !holds("apache") && !holds("httpd");
  // Others have helpers of other names.
  return (server == "nginx" || server == "haproxy" || server == "caddy") && !holds(server.c_str());
}

std::string server_name_of(const PairOnDisk& pair) {
  return pair.place.server.empty() ? "the server" : pair.place.server;
}

// No handshake comes about, or nobody listens at all.
Fault explained_outage(const SeenEndpoint& endpoint, Fault fault) {
  if (const PairOnDisk* pair = find_pair(endpoint, &PairOnDisk::mismatched)) {
    return {"MISMATCHED_PAIR", Cause::certificate,
            fault.what + "; " + do_not_fit(*pair) + ", and with them " + server_name_of(*pair) +
                " cannot serve"};
  }
  if (const PairOnDisk* pair = find_pair(endpoint, &PairOnDisk::missing)) {
    return {"CERTIFICATE_FILE_MISSING", Cause::certificate,
            fault.what + "; " + pair->certificate_file + " is missing (" + text_of(pair->place) +
                "), and without it " + server_name_of(*pair) + " does not start"};
  }
  return fault;
}

}  // namespace

std::string text_of(const ConfigurationPlace& place) {
  return place.server.empty() ? "nolapse" : acme::printable(place.text(), 400);
}

std::optional<BetterOnDisk> better_on_disk(const SeenEndpoint& endpoint,
                                           const acme::Certificate& served, Time now) {
  std::optional<BetterOnDisk> best;
  const auto consider = [&](const acme::Certificate& leaf, const PairOnDisk* pair) {
    if (leaf.fingerprint_sha256 == served.fingerprint_sha256 || !is_good(leaf, endpoint, now)) {
      return;
    }
    if (!best || leaf.not_before > best->leaf->not_before) best = BetterOnDisk{&leaf, pair};
  };
  // The pairs first: of one certificate in both places the server's file is the better answer.
  for (const PairOnDisk& pair : endpoint.pairs) {
    if (!pair.chain.empty() && !pair.place.server.empty()) consider(pair.chain.front(), &pair);
  }
  if (endpoint.managed && endpoint.managed->newest) consider(*endpoint.managed->newest, nullptr);
  return best;
}

Fault explained_by_disk(const SeenEndpoint& endpoint, const SeenAddress& seen, Fault fault,
                        Time now) {
  if (seen.outcome != ProbeReply::Outcome::handshake) {
    const bool may_be_the_pair =
        seen.of_this_host && (fault.code == "TCP_REFUSED" || fault.code == "HANDSHAKE_FAILS");
    return may_be_the_pair ? explained_outage(endpoint, std::move(fault)) : fault;
  }
  if (fault.cause != Cause::certificate || seen.chain.empty()) return fault;
  const acme::Certificate& served = seen.chain.front();
  const auto better = better_on_disk(endpoint, served, now);
  if (!better) return fault;
  const std::string lies = "a good one, valid until " +
                           acme::format_rfc3339(better->leaf->not_after) + ", lies in " +
                           where_it_lies(*better);
  if (better->pair != nullptr && better->pair->mismatched) {
    return {"MISMATCHED_PAIR", Cause::certificate,
            fault.what + "; " + lies + ", but " + do_not_fit(*better->pair) + ", so " +
                server_name_of(*better->pair) + " cannot take it"};
  }
  if (is_predecessor(served, *better->leaf) && !somebody_else_has_the_port(endpoint, *better)) {
    return {
        "OLD_ONE_SERVED", Cause::certificate,
        fault.what + ", although " + lies +
            (better->pair != nullptr ? ": " + server_name_of(*better->pair) + " was not reloaded"
                                     : ": it has not been deployed there")};
  }
  if (!seen.of_this_host || better->pair == nullptr) return fault;
  return {"SERVED_BY_SOMETHING_ELSE", Cause::certificate,
          fault.what + ", although " + server_name_of(*better->pair) + " is to show " +
              better->pair->certificate_file + " (" + text_of(better->pair->place) + ")" +
              (endpoint.port_holder.empty() ? ": something else answers there"
                                            : ": the port is held by " + endpoint.port_holder)};
}

std::string trouble_ahead(const SeenEndpoint& endpoint) {
  if (const PairOnDisk* pair = find_pair(endpoint, &PairOnDisk::mismatched)) {
    return do_not_fit(*pair) + ": the next reload or restart will fail";
  }
  if (const PairOnDisk* pair = find_pair(endpoint, &PairOnDisk::missing)) {
    return pair->certificate_file + " is missing (" + text_of(pair->place) +
           "): the next reload or restart will fail";
  }
  return {};
}

}  // namespace nolapse
