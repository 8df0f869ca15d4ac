// Is what clients get what was issued? From the endpoints as they answered just now.
#include <algorithm>

#include "agent/core/checks/families.h"
#include "agent/core/checks/not_known.h"

namespace nolapse {
namespace {

std::string where(const EndpointState& state) {
  return state.address.empty() ? state.endpoint : state.endpoint + " at " + state.address;
}

Finding about(const EndpointState& state, const char* code, FindingSeverity severity,
              std::string summary, std::string fix) {
  return {code, {}, where(state), severity, std::move(summary), state.detail, std::move(fix), {}};
}

std::string deploy_again(const CheckSubject& subject) {
  return "nolapse deploy " + subject.certificate->name +
         (subject.certificate->deploy.empty() ? " (it has no deploy target: reload the service)"
                                              : "");
}

std::string issue_anew(const CheckSubject& subject) {
  return "nolapse renew --force " + subject.certificate->name;
}

// As diagnose says: what lies there already needs no order.
std::string replace_expired(const CheckSubject& subject, const CertificateStatus& status,
                            bool is_newest, Time now) {
  const acme::Certificate* newest = status.generation ? &status.generation->leaf() : nullptr;
  const bool better_is_there =
      newest != nullptr && !is_newest && newest->not_before <= now && now < newest->not_after;
  return better_is_there ? deploy_again(subject) : issue_anew(subject);
}

// `again`: the command that brings what is to be served.
std::optional<Finding> finding_on(const EndpointState& state, const CheckSubject& subject,
                                  const CertificateStatus& status, const std::string& again,
                                  Time now) {
  const std::string& name = subject.certificate->name;
  const bool is_newest =
      status.generation && status.generation->leaf().fingerprint_sha256 == state.fingerprint_sha256;
  if (state.service == Service::no_handshake && state.verdict != Verdict::unreachable) {
    return about(state, "HANDSHAKE_FAILS", FindingSeverity::error,
                 name + ": " + where(state) + " answers, but makes no TLS handshake",
                 "see the service's log; " + again);
  }
  switch (state.verdict) {
    case Verdict::expired:
      return about(state, "SERVED_EXPIRED", FindingSeverity::error,
                   name + ": " + where(state) + " serves an expired certificate",
                   replace_expired(subject, status, is_newest, now));
    case Verdict::wrong:
      if (state.newer && !is_newest) {
        return about(state, "NOT_SERVED", FindingSeverity::error,
                     name + ": " + where(state) + " serves a newer certificate than there is here",
                     issue_anew(subject) +
                         "; see whether the state directory was restored, or somebody else renews");
      }
      if (is_newest) {
        return about(
            state, "CHAIN_INVALID", FindingSeverity::error,
            name + ": what " + where(state) + " serves does not validate",
            "let the service read fullchain.pem instead of cert.pem; " + deploy_again(subject));
      }
      return about(state, "NOT_SERVED", FindingSeverity::error,
                   name + ": " + where(state) + " does not serve what was issued", again);
    case Verdict::unreachable:
      // A listener of this host that has served it: nothing stands between.
      if (state.service) {
        return about(state, "ENDPOINT_UNREACHABLE", FindingSeverity::error,
                     name + ": nothing answers any more at " + where(state),
                     "start the service; where it is gone for good: nolapse deploy " + name);
      }
      return about(
          state, "ENDPOINT_UNREACHABLE", FindingSeverity::warning,
          name + ": " + where(state) + " cannot be reached from here",
          "start the service, correct `endpoints`, or the address record that leads there");
    case Verdict::ok:
      break;
  }
  return {};
}

std::vector<Finding> check_endpoints(const CheckContext& context, const CheckSubject& subject) {
  const CertificateStatus& status = context.status_of(*subject.certificate);
  const auto newest = newest_of(context, *subject.certificate);
  std::vector<Finding> findings;
  const Time now = context.world.clock.now();
  const bool nothing_issued = newest && *newest == nullptr;
  const std::string again = nothing_issued ? issue_anew(subject) : deploy_again(subject);
  for (const EndpointState& state : status.endpoints) {
    // Right or wrong by what was issued, and by the roots of whoever issued it.
    const bool certificate_seen = state.service != Service::no_handshake;
    if (!newest && certificate_seen && state.verdict == Verdict::wrong) continue;
    auto finding = finding_on(state, subject, status, again, now);
    if (finding) findings.push_back(std::move(*finding));
  }
  if (newest) return findings;
  findings.push_back(not_known(
      "NOT_SERVED", subject.certificate->name + ": nobody knows whether what was issued is served",
      newest.error()));
  return findings;
}

// Who lists no endpoints on purpose (`endpoints = []`) has said so.
std::vector<Finding> check_verifiable(const CheckContext& context, const CheckSubject& subject) {
  const CertificateSpec& spec = *subject.certificate;
  const CertificateStatus& status = context.status_of(spec);
  if (!status.endpoints.empty() || spec.endpoints) return {};
  const auto newest = newest_of(context, spec);
  if (!newest) {
    return {not_known("UNVERIFIED", spec.name + ": nobody knows whether there is anything to serve",
                      newest.error())};
  }
  if (*newest == nullptr) return {};
  return {{"UNVERIFIED",
           {},
           {},
           FindingSeverity::warning,
           spec.name + ": nobody can say what is served",
           "no local listener answers for its names, and no endpoints are configured",
           "list them: endpoints = [\"HOST:PORT\"]; or write endpoints = [] where there are none",
           {}}};
}

}  // namespace

CheckFamily served_checks() {
  return {
      {{"NOT_SERVED", "an endpoint serves another certificate than was issued",
        "The service was not reloaded, reads other files, somebody put an old file back, or "
        "another "
        "server answers at that address.",
        "openssl s_client -connect HOST:PORT -servername NAME </dev/null | openssl x509 -noout "
        "-serial -enddate -issuer",
        "nolapse deploy NAME; where that does not help, compare the paths in the service's "
        "configuration with what the hook installs."},
       {"SERVED_EXPIRED", "clients get an expired certificate now",
        "It was not renewed, or the new one did not reach the service.",
        "openssl s_client -connect HOST:PORT -servername NAME </dev/null | openssl x509 -noout "
        "-enddate",
        "nolapse deploy NAME, where a good one was issued already; else nolapse renew --force "
        "NAME. The finding says which."},
       {"CHAIN_INVALID", "what is served does not lead to a trusted root",
        "Only the leaf is served, the intermediate is an old one, or issuer_roots names other "
        "roots.",
        "openssl s_client -connect HOST:PORT -servername NAME -verify_return_error </dev/null",
        "Let the service read fullchain.pem; for a private CA set issuer_roots."},
       {"HANDSHAKE_FAILS", "a service answers, but no TLS handshake comes about",
        "Key and certificate do not match, a configuration is broken, or the port speaks another "
        "protocol first (!smtp and others, see endpoints).",
        "openssl s_client -connect HOST:PORT -servername NAME </dev/null",
        "Read the service's log and correct it, then nolapse deploy NAME."},
       {"ENDPOINT_UNREACHABLE", "an endpoint, or one of its addresses, cannot be reached from here",
        "The service is down, a firewall is between, or an address record (often AAAA) leads "
        "nowhere.",
        "curl -v --connect-to ::ADDRESS: https://NAME/",
        "Start the service or correct the record. Where this host cannot reach it by design, list "
        "the endpoints that it can."},
       {"UNVERIFIED", "nobody can say what is served",
        "No endpoints are configured, and no local listener answers for the names.",
        "ss -ltnp | grep -E ':(443|465|636|993|995)'",
        "List the endpoints of the certificate, or write endpoints = []."}},
      {plain_check({"NOT_SERVED", "SERVED_EXPIRED", "CHAIN_INVALID", "HANDSHAKE_FAILS",
                    "ENDPOINT_UNREACHABLE"},
                   CheckDepth::cheap, CheckScope::certificate, check_endpoints),
       plain_check({"UNVERIFIED"}, CheckDepth::cheap, CheckScope::certificate, check_verifiable)}};
}

}  // namespace nolapse
