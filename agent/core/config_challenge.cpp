// [challenge.NAME]: a way to prove control over names: http-01, standalone or by files in a web
// server's document root [RFC 8555 §8.3]; tls-alpn-01 [RFC 8737]; the challenges of the DNS
// [RFC 8555 §8.4]. What the permanent record of dns-persist-01 has to be, the CA says.
#include "agent/core/config_endpoint.h"
#include "agent/core/config_files.h"
#include "agent/core/config_parts.h"

namespace nolapse {
namespace {

constexpr const char* all_types =
    "\"http-01\", \"tls-alpn-01\", \"dns-01\", \"dns-account-01\" or \"dns-persist-01\"";

void read_listen(ConfigSection& section, ChallengeConfig& challenge) {
  const auto text = section.text("listen");
  if (!text) return;
  const auto at = parse_host_port(*text);
  if (!at) {
    section.problem("listen", at.error().reason,
                    std::string("write ADDRESS:PORT; \"[::]:") +
                        (challenge.type == "http-01" ? "80" : "443") +
                        "\" listens on every address");
  } else if (!at->is_address) {
    section.problem("listen", "\"" + *text + "\" has a name where the address belongs",
                    "write an address of this host, or \"[::]:" + std::to_string(at->port) +
                        "\" for all of them");
  } else {
    challenge.listen = at->text();
  }
}

void read_webroot(ConfigSection& section, ChallengeConfig& challenge,
                  const ConfigContext& context) {
  challenge.webroot = read_path(section, "webroot");
  if (challenge.webroot.empty() || context.use == ConfigUse::look) return;
  const auto status = status_through_links(context.files, challenge.webroot);
  if (!status && status.error().code == "FILE_MISSING") {
    section.problem("webroot", challenge.webroot + " does not exist",
                    "create it, or name the directory from which the web server serves files");
  } else if (!status) {
    section.problem_at(*section.table().find("webroot"), "webroot", status.error(),
                       "name a directory that nolapse may enter");
  } else if (status->kind != FileStatus::Kind::directory) {
    section.problem("webroot", challenge.webroot + " is not a directory",
                    "name the directory from which the web server serves files");
  }
}

// Gives nothing for a type whose other keys cannot be judged.
std::optional<std::string> read_type(ConfigSection& section) {
  const auto type = section.text("type");
  if (!type) {
    if (section.table().find("type") == nullptr) {
      section.problem("type", "this challenge has no type", std::string("add type = ") + all_types);
    }
    return {};
  }
  for (const char* known :
       {"http-01", "tls-alpn-01", "dns-01", "dns-account-01", "dns-persist-01"}) {
    if (*type == known) return type;
  }
  section.problem("type", "\"" + *type + "\" is no challenge type",
                  std::string("write ") + all_types);
  return {};
}

void read_http01(ConfigSection& section, ChallengeConfig& challenge, const ConfigContext& context) {
  read_listen(section, challenge);
  read_webroot(section, challenge, context);
  const bool standalone = section.table().find("listen") != nullptr;
  const bool files = section.table().find("webroot") != nullptr;
  if (standalone && files) {
    section.problem("webroot", "stands beside listen, and only one of them can answer",
                    "remove webroot, or remove listen when a web server has the port");
  }
  if (!standalone && !files) challenge.listen = "[::]:80";
  challenge.validation_port = section.port("validation_port").value_or(80);
}

void read_tls_alpn01(ConfigSection& section, ChallengeConfig& challenge) {
  challenge.listen = "[::]:443";
  read_listen(section, challenge);
  challenge.validation_port = section.port("validation_port").value_or(443);
}

void read_dns(ConfigSection& section, ChallengeConfig& challenge, const ConfigContext& context) {
  if (challenge.type != "dns-persist-01") {
    read_dns_provider(section, challenge, context);
  } else if (section.find("provider") != nullptr) {
    section.problem("provider",
                    "nolapse does not write the record of a dns-persist-01: it is "
                    "permanent, and yours to set",
                    "remove it");
  }
  challenge.validation_port = section.port("validation_port").value_or(53);
  challenge.propagation_timeout = section
                                      .duration("propagation_timeout", std::chrono::seconds(1),
                                                std::chrono::hours(2), "from 1s to 2h")
                                      .value_or(challenge.propagation_timeout);
}

}  // namespace

void read_challenge(const ConfigNode& table, ConfigContext& context) {
  ConfigSection section(table, "challenge", "challenge." + table.key, context.problems);
  if (!define_name(section, table.key, "", context)) return;
  if (context.first_challenge.empty()) context.first_challenge = table.key;
  ChallengeConfig challenge;
  challenge.name = table.key;
  if (const auto type = read_type(section)) {
    challenge.type = *type;
    if (*type == "http-01") {
      read_http01(section, challenge, context);
    } else if (*type == "tls-alpn-01") {
      read_tls_alpn01(section, challenge);
    } else {
      read_dns(section, challenge, context);
    }
    section.refuse_unknown_keys();
  }
  context.config.challenges.emplace(challenge.name, challenge);
}

}  // namespace nolapse
