// From what was seen of an endpoint to a cause: is it the certificate, and which command ends it?
// Pure functions over evidence, which diagnosis_probe gathers.
//
// "Not the certificate" is a strong word for somebody who hunts an outage, and so it is said only
// where the handshake is fine, the page is too, or what fails is plainly something else. A page
// that fails behind a healthy handshake is nobody's fault before the servers behind it have been
// seen.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "acme/revocation_list.h"
#include "acme/x509.h"
#include "agent/core/config.h"
#include "agent/core/server_configuration.h"
#include "agent/world/world.h"

namespace nolapse {

// ---- evidence

struct SeenHttp {
  int status = 0;            // 0: no response
  std::optional<Time> date;  // what the server's clock says
  std::string code;          // of Http::send, where there was no response
  std::string detail;
  std::string location = {};  // where a redirect leads to
};

// One address of an endpoint, as it answered.
struct SeenAddress {
  std::string address;
  bool of_this_host = false;
  bool looked_at = true;  // false: there was no time for it
  ProbeReply::Outcome outcome = ProbeReply::Outcome::unreachable;
  std::string detail;                    // why there was no handshake
  std::vector<acme::Certificate> chain;  // as served, leaf first
  std::string chain_error;               // as in ProbeReply
  std::optional<acme::Revocation> revocation;
  std::string revocation_unknown;  // why nobody knows; empty: it is known, or nobody could be asked
  std::optional<SeenHttp> http;    // nothing: not asked
  bool plain_http = false;         // it answers HTTP in the clear
};

// What a server of this host is configured to show for the endpoint, as the files have it; or a
// file that may hold the rest of its chain.
struct PairOnDisk {
  ConfigurationPlace place;  // without a server: only what is in it matters
  std::string certificate_file;
  std::string key_file;
  std::vector<acme::Certificate> chain;  // empty: not there, or not to be read
  std::string fault;                     // why it cannot be read
  bool missing = false;                  // the file is not there
  bool mismatched = false;               // the key is another one's
};

struct TimelineEntry {
  Time at{};
  std::string what;
};

// The configured certificate that the endpoint is to serve.
struct ManagedCertificate {
  std::string name;
  std::optional<acme::Certificate> newest;  // the newest leaf that was issued
  bool former_is_good = false;              // the one before it could be gone back to
  std::string undeployed;  // the one target that has not got it; empty: none, or several
  std::vector<std::string> obstacles;  // that the self-tests have found: "CODE: what to do"
  std::vector<TimelineEntry> history;
};

struct SeenEndpoint {
  // What was asked for; declared for the same name; passed on to by a server of this host; known
  // otherwise, and so perhaps behind it.
  enum class Role { asked, declared, hop, known };
  Role role = Role::asked;
  Endpoint endpoint;
  std::string lookup_code;    // of Dns::resolve, where that failed
  std::string lookup_detail;  // and why
  std::vector<SeenAddress> addresses;
  std::vector<PairOnDisk> pairs;
  std::optional<ManagedCertificate> managed;
  std::string port_holder;  // of this host; empty: nobody, or not to be seen
  // Of a hop.
  bool surely = true;        // what was asked for goes there; false: perhaps
  ConfigurationPlace place;  // that passes on to it
  bool tls = true;
  bool verified = true;  // its certificate must validate; of other roles nobody knows
  bool dates_checked = true;
  bool name_checked = true;
};

struct Evidence {
  SeenEndpoint asked;
  std::vector<SeenEndpoint> behind;  // all but the one that was asked for
  std::vector<std::string> hidden;   // where it may go besides, and nobody could look
  Time now{};
};

// ---- judgement

enum class Cause { certificate, other, unknown };

struct DiagnosedAddress {
  SeenEndpoint::Role role = SeenEndpoint::Role::asked;
  std::string endpoint;
  std::string address;  // empty: none was found
  bool ok = false;
  std::string code;  // of the fault; empty: there is none
  std::string fingerprint_sha256;
  std::optional<Time> not_after;
  int http_status = 0;  // 0: none
  std::string detail;
};

struct Diagnosis {
  std::string target;
  Cause cause = Cause::unknown;
  std::string code;     // "EXPIRED"
  std::string summary;  // one line: what, where, since when
  std::vector<std::string> why;
  std::string fix;  // one command or edit; empty: there is nothing to do
  std::vector<DiagnosedAddress> addresses;
  std::vector<TimelineEntry> timeline;
};

Diagnosis diagnose(const Evidence& evidence);

// Of several: the worst.
Cause worst_cause(const std::vector<Diagnosis>& diagnoses);

}  // namespace nolapse
