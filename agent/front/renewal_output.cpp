#include "agent/front/renewal_output.h"

#include <algorithm>
#include <ostream>

#include "acme/json_read.h"
#include "agent/front/exit_status.h"
#include "agent/front/json_output.h"

namespace nolapse {
namespace {

using Action = CertificateOutcome::Action;

std::string headline(const CertificateOutcome& outcome) {
  const std::string took = " in " + acme::format_duration(outcome.took);
  const std::string generation =
      outcome.generation
          ? "generation " + std::to_string(outcome.generation->number) + ", valid until " +
                acme::format_rfc3339(outcome.generation->leaf().not_after)
          : "no certificate";
  switch (outcome.action) {
    case Action::not_due:
      return "not due: " + outcome.reason;
    case Action::would_deploy:
      return "would be deployed again: " + generation;
    case Action::would_renew:
      return "would be renewed: " + outcome.reason;
    case Action::renewed:
      return "renewed" + took + " (" + outcome.reason + "): " + generation;
    case Action::deployed:
      return "deployed again" + took + ": " + generation;
    case Action::waiting:
      return "WAITING: " + outcome.error->message;
    case Action::failed:
      break;
  }
  if (outcome.error->code == "NAME_QUARANTINED") {
    return "RENEWED WITHOUT A NAME" + took + ": " + outcome.error->message;
  }
  return (outcome.issued ? "ISSUED BUT NOT SERVED: " : "FAILED: ") + outcome.error->message;
}

void print(std::ostream& out, const CertificateOutcome& outcome) {
  out << outcome.name << ": " << acme::printable(headline(outcome)) << '\n';
  // An order that failed says why, in one line.
  if (outcome.spent && (outcome.issued || outcome.action == Action::deployed)) {
    const std::string spent = outcome.spent->text();
    if (!spent.empty()) out << "  time: " << spent << '\n';
  }
  if (outcome.unverified) {
    out << (outcome.endpoints.empty()
                ? "  UNVERIFIED: no local TLS listener answers for its names; is the server up? "
                  "List its endpoints to be sure\n"
                : "  UNVERIFIED: no endpoint serves this generation; list one of its target\n");
  }
  for (const EndpointState& state : outcome.endpoints) {
    out << "  " << (state.ok() ? "ok  " : "BAD ") << state.endpoint;
    if (!state.address.empty()) out << " at " << state.address;
    out << ' ' << state.detail << '\n';
  }
}

int status_of(const std::vector<CertificateOutcome>& outcomes) {
  const auto any = [&](Action action) {
    return std::any_of(outcomes.begin(), outcomes.end(),
                       [&](const CertificateOutcome& outcome) { return outcome.action == action; });
  };
  if (any(Action::failed)) return exit_status::failed;
  const bool unverified =
      std::any_of(outcomes.begin(), outcomes.end(),
                  [](const CertificateOutcome& outcome) { return outcome.unverified; });
  if (unverified) return exit_status::undecided;
  return any(Action::waiting) ? exit_status::undecided : exit_status::ok;
}

}  // namespace

int write_renewal(std::ostream& out, bool json, const std::vector<CertificateOutcome>& outcomes) {
  if (json) {
    out << renew_document(outcomes);
  } else {
    for (const CertificateOutcome& outcome : outcomes) print(out, outcome);
  }
  return status_of(outcomes);
}

}  // namespace nolapse
