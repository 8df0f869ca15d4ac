// The configuration as values. What the file may say is in README.md; every key that is accepted
// has an effect, everything else is an error that names file, line, key, reason and fix.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "acme/identifier.h"
#include "acme/private_key.h"
#include "agent/core/rate_ledger.h"
#include "agent/world/world.h"

namespace nolapse {

struct CaConfig {
  std::string name;
  std::string directory;
  std::string staging;  // directory for rehearsals; may be empty
  bool terms_of_service_agreed = false;
  std::string roots_file;         // for the CA's HTTPS API; empty: the system's
  std::string issuer_roots_file;  // for the certificates it issues; empty: the system's
  std::string eab_key_id;
  std::string eab_hmac_key_file;
  std::string profile;
  std::string preferred_chain;
  acme::KeyType account_key_type = acme::KeyType::ecdsa_p256;
  std::string proxy;
  RateLimits rate_limits;
};

struct ChallengeConfig {
  std::string name;
  std::string type;                    // "http-01", "tls-alpn-01", "dns-01"
  std::string listen;                  // standalone: "[::]:80"
  std::string webroot;                 // http-01: or this
  std::uint16_t validation_port = 80;  // where the CA connects to

  // The challenges of the DNS.
  std::string provider;  // the way into the zone: "rfc2136"
  // What that way needs, by key, as config_dns_provider.cpp lists it; `*_file` are absolute paths.
  std::map<std::string, std::string> settings;
  std::map<std::string, std::string> environment;  // of the provider's process
  // After that long the CA is asked although not all name servers show the proof.
  Duration propagation_timeout = std::chrono::minutes(10);
};

// ADDRESS:PORT[#SNI][!STARTTLS], an IPv6 address in brackets
struct Endpoint {
  std::string text;  // as configured; the name it has in output
  std::string host;  // name or canonical address
  std::uint16_t port = 443;
  // SNI; where none was given, the host's name or, for an address, the certificate's first host
  // name (its address when it has no names).
  std::string server_name;
  std::string starttls = {};  // as ProbeRequest has it

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// Whose calling convention a hook speaks.
enum class HookKind { nolapse, certbot, dehydrated, acme_sh };

// A part of each day, in local time; one that ends before it begins passes midnight.
struct DailyWindow {
  Duration from{};  // since midnight
  Duration until{};
};

// One service on one host. A section with `hosts` is one target for each of them.
struct DeployTarget {
  std::string name;  // the section's, or "edge@web1"
  std::string section;
  std::string host = {};
  std::string hook;  // absolute path of the executable; for certbot also of a folder
  HookKind kind = HookKind::nolapse;
  std::string user;       // whom it runs as; empty: whoever runs nolapse
  unsigned parallel = 8;  // of the section's hosts, worked on at once
  std::optional<DailyWindow> window = {};
  Duration timeout = std::chrono::seconds(60);
  std::map<std::string, std::string> environment;
  std::string shim = {};  // for acme.sh: what calls the script's function; empty: the installed one
};

// What the operator wants of one certificate.
struct CertificateSpec {
  std::string name;
  std::vector<acme::Identifier> domains;  // as configured, without duplicates
  std::vector<std::string> challenges;    // names of ChallengeConfigs, in order of preference
  acme::KeyType key_type = acme::KeyType::ecdsa_p256;
  // Several key types are wanted side by side: each is a certificate of its own. The first has the
  // configured name, the others have their key type behind it: "shop.rsa-2048".
  std::string family = {};  // the configured name
  bool beside_others = false;
  bool reuse_key = false;
  std::string key_file = {};  // the operator's own key; empty: nolapse makes them
  // The operator's own signing request, see own_request.h; without key_file beside it nobody here
  // has the key. Empty: nolapse makes them.
  std::string csr_file = {};
  bool must_staple = false;               // [RFC 7633]
  std::optional<Duration> lifetime = {};  // asked of the CA as notAfter; nothing: the CA's choice
  std::vector<std::string> cas;           // names, in order of preference
  std::vector<std::string> deploy;        // names of targets
  std::optional<std::vector<Endpoint>> endpoints;  // nothing: local listeners; empty: unverified
  std::optional<Duration> renew_before;
  std::string profile;   // empty: the CA's setting
  std::string group;     // may read the key; empty: none
  bool standby = false;  // a second one from another CA is kept ready, see standby.h
};

// A certificate that somebody else renews: looked at, and told of as those of our own are.
struct WatchSpec {
  std::string name;
  std::vector<Endpoint> endpoints;
  std::vector<std::string> files;  // absolute paths of certificates in PEM
  std::string roots_file;          // trust anchors of both; empty: the system's
};

// A way to tell somebody.
struct AlertChannel {
  std::string name;
  std::string type;  // "email", "webhook", "slack", "pagerduty", "alertmanager", "ntfy", "exec",
                     // "syslog"
  // What that way needs, by key, as config_alerts.cpp lists it; `*_file` are absolute paths.
  std::map<std::string, std::string> settings = {};
  std::vector<std::string> to = {};  // of mail
  Duration timeout = std::chrono::seconds(30);
};

// How often the audit is sent through the channels.
enum class ReportPeriod { never, weekly, monthly };

// Who is told, and when.
struct AlertsConfig {
  // How long before expiry, where nobody renews a certificate; they shrink with shorter lifetimes.
  std::array<Duration, 3> expiry_days = {std::chrono::hours(30 * 24), std::chrono::hours(15 * 24),
                                         std::chrono::hours(7 * 24)};
  Duration repeat = std::chrono::hours(24);  // of what lasts
  std::string heartbeat_url;                 // of a service that alarms when we are silent
  ReportPeriod report = ReportPeriod::monthly;
  std::vector<AlertChannel> channels;
};

// How the agent goes about its work when nobody watches.
struct DaemonConfig {
  Duration check_interval = std::chrono::hours(1);  // between two looks at what is served
  // Between two self-tests that ask CAs, prove control and run hooks.
  Duration deep_check_interval = std::chrono::hours(24);
  Duration rehearse_interval = std::chrono::hours(24 * 7);  // 0: none, as in simulated fleets
  // No key in the file: simulated fleets have none.
  bool self_tests = true;
  unsigned orders_parallel = 16;  // certificates worked on at once
  // No key in the file: who watches the heartbeat relies on it. Simulated fleets beat less often.
  Duration heartbeat_interval = std::chrono::minutes(5);
  unsigned keep_generations = 5;  // of each certificate, whatever else is kept
  Duration keep_events = std::chrono::hours(24 * 400);
  std::string status_listen;  // "ADDRESS:PORT" of the status page; empty: there is none
};

struct Config {
  std::string state_directory = "/var/lib/nolapse";
  std::string hook_directory;
  std::vector<std::string> contact;
  std::string resolver;                                   // "ADDRESS:PORT"; empty: the system's
  std::string hook_socket = "/run/nolapse-hooks/socket";  // where the hook service listens
  std::vector<CaConfig> cas;
  std::map<std::string, ChallengeConfig> challenges;
  std::map<std::string, DeployTarget> targets;
  std::vector<CertificateSpec> certificates;
  std::vector<WatchSpec> watches;
  AlertsConfig alerts;
  DaemonConfig daemon;
  std::vector<std::string> files;  // all that were read

  const CaConfig* find_ca(const std::string& name) const;
  // The CA that issued, which may have got another name since: it is known by its directory. Null:
  // it is not in the configuration any more.
  const CaConfig* find_issuer(const std::string& name, const std::string& directory) const;
  const CertificateSpec* find_certificate(const std::string& name) const;
  // The names of all certificates that these names stand for: several key types go together.
  std::vector<std::string> with_families(const std::vector<std::string>& names) const;
};

// Of all in the configuration that decides whether this certificate can be obtained and deployed.
std::string digest_of(const CertificateSpec& spec, const Config& config);

struct ConfigProblem {
  std::string file;
  int line = 0;     // 0: the whole file
  std::string key;  // "certificate.shop.domains"; empty: syntax
  std::string reason;
  std::string fix;

  // "FILE:LINE: KEY: REASON; FIX"
  std::string text() const;
};

struct ConfigResult {
  Config config;                        // usable only when there are no problems
  std::vector<ConfigProblem> problems;  // in the order of files and lines
};

// What the configuration is read for. Whoever only looks may be somebody else than the user who
// runs nolapse, and the files that only work needs (hooks, webroots, keys of external accounts,
// trust anchors of a CA's API) are not looked at.
enum class ConfigUse { work, look };

// Reads `path` and what it includes, and checks every value and reference. Never throws.
// `state_directory` overrides the file's when not empty. Pass absolute paths: relative ones are
// taken from wherever the process stands, and stay relative in the result.
ConfigResult load_config(const Files& files, const std::string& path,
                         const std::string& state_directory = {}, ConfigUse use = ConfigUse::work);

}  // namespace nolapse
