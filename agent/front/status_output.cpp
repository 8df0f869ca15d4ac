#include "agent/front/status_output.h"

#include <algorithm>
#include <ostream>
#include <utility>

#include "acme/json_read.h"
#include "agent/front/exit_status.h"
#include "agent/front/json_output.h"

namespace nolapse {
namespace {

std::string next_moment(const CertificateStatus& status, Time now) {
  if (!status.next_attempt) return {};
  const std::string at = acme::format_rfc3339(*status.next_attempt);
  if (*status.next_attempt <= now) return "since " + at;
  return at + " (in " + acme::format_duration(*status.next_attempt - now) + ")";
}

void print_error(std::ostream& out, const CertificateStatus& status, const char* whose) {
  if (!status.last_error) return;
  out << "  " << whose << "last error, " << acme::format_rfc3339(status.last_error->at) << " ("
      << status.failures << " in a row): " << status.last_error->message << '\n';
}

// What is slow, or was not seen from here, is worth a line of its own.
void print_proof(std::ostream& out, const CertificateStatus& status, int verbosity) {
  const auto& proof = status.proof;
  if (!proof || (verbosity < 1 && proof->seen && proof->took < std::chrono::minutes(1))) return;
  const auto took = std::max<Duration>(std::chrono::seconds(1),
                                       std::chrono::floor<std::chrono::seconds>(proof->took));
  out << "  the last proof, by " << proof->challenge << " at " << acme::format_rfc3339(proof->at)
      << ", was " << (proof->seen ? "seen after " : "not seen from here within ")
      << acme::format_duration(took) << (proof->seen ? "" : ", but by the CA") << '\n';
}

std::string describe(const CertificateStatus& standby) {
  const std::string renewal = std::string(", renewal ") + name_of(standby.renewal);
  if (!standby.generation) return "none" + renewal;
  return standby.ca + " until " + acme::format_rfc3339(standby.generation->leaf().not_after) +
         renewal;
}

// Those of the host are the same for each certificate, and told once.
bool is_of_host(const Finding& doubt) {
  return doubt.certificate.empty();
}

void print_doubt(std::ostream& out, const Finding& doubt) {
  out << "  " << name_of(doubt.severity) << ' ' << doubt.code << ": "
      << acme::printable(doubt.summary, 400);
  if (!doubt.evidence.empty()) out << ": " << acme::printable(doubt.evidence, 400);
  if (doubt.since) out << " (since " << acme::format_rfc3339(*doubt.since) << ')';
  out << '\n';
}

// A partial one has a colour of its own; one that passed is worth no line.
void print_rehearsals(std::ostream& out, const CertificateStatus& status, int verbosity) {
  using State = RehearsalStanding::State;
  for (const auto& [ca, standing] : status.rehearsals) {
    const bool partial = standing.state == State::partial;
    if (!standing.record || (!partial && verbosity < 1)) continue;
    out << "  rehearsal at " << ca << " on " << acme::format_rfc3339(standing.at) << ": "
        << (partial ? "PARTIAL" : name_of(standing.record->result));
    const char* before = ", not shown: ";
    for (const std::string& what : standing.record->not_shown) {
      out << std::exchange(before, "; ") << acme::printable(what);
    }
    out << '\n';
  }
}

void print_wait(std::ostream& out, const TargetWait& wait, const std::string& name, Time now) {
  out << "  target " << wait.target << " has "
      << (wait.has == 0 ? "nothing yet" : "generation " + std::to_string(wait.has))
      << "; generation " << wait.generation;
  if (wait.reason == TargetWait::Reason::taken_back) {
    out << " was taken back from it, `nolapse deploy " << name << "` brings it again\n";
    return;
  }
  out << " waits for its window " << wait.window << " until " << acme::format_rfc3339(*wait.until)
      << " (in " << acme::format_duration(*wait.until - now) << ")\n";
}

void print(std::ostream& out, const CertificateStatus& status, std::size_t width, int verbosity,
           Time now) {
  std::string name = status.name;
  name.resize(std::max(width, name.size()), ' ');
  out << name << "  serving " << name_of(status.serving) << "  renewal " << name_of(status.renewal)
      << "  " << next_moment(status, now) << "  " << status.renew_reason;
  if (status.standby) out << "  standby " << describe(*status.standby);
  out << '\n';
  print_error(out, status, "");
  if (status.standby) print_error(out, *status.standby, "standby: ");
  for (const Finding& doubt : status.doubts) {
    if (!is_of_host(doubt)) print_doubt(out, doubt);
  }
  print_rehearsals(out, status, verbosity);
  print_proof(out, status, verbosity);
  for (const TargetWait& wait : status.waits) print_wait(out, wait, status.name, now);
  for (const auto& [target, record] : status.deployments) {
    if (record.last_error) {
      out << "  target " << target << " is " << name_of(record.stage) << ": "
          << record.last_error->message << '\n';
    }
  }
  for (const EndpointState& state : status.endpoints) {
    if (state.ok() && verbosity < 1) continue;
    out << "  " << state.endpoint;
    if (!state.address.empty()) out << " at " << state.address;
    out << ' ' << state.detail << '\n';
  }
}

void print(std::ostream& out, const WatchedCertificate& watched, std::size_t width) {
  std::string name = watched.watch;
  name.resize(std::max(width, name.size()), ' ');
  out << name << "  watched " << name_of(watched.state) << "  " << watched.place() << "  "
      << acme::printable(watched.detail) << '\n';
}

void print_doubts_of_host(std::ostream& out, const std::vector<CertificateStatus>& statuses) {
  std::vector<const Finding*> told;
  for (const CertificateStatus& status : statuses) {
    for (const Finding& doubt : status.doubts) {
      const bool known = std::any_of(told.begin(), told.end(),
                                     [&](const Finding* each) { return each->same_as(doubt); });
      if (is_of_host(doubt) && !known) told.push_back(&doubt);
    }
  }
  if (!told.empty()) out << "this host\n";
  for (const Finding* doubt : told) print_doubt(out, *doubt);
}

// Nothing worse than "nobody knows" is undecided, everything worse is a failure.
int status_of(const std::vector<CertificateStatus>& statuses,
              const std::vector<WatchedCertificate>& watched) {
  const bool all_watched_ok = std::all_of(watched.begin(), watched.end(),
                                          [](const WatchedCertificate& each) { return each.ok(); });
  if (!all_watched_ok) return exit_status::failed;
  int worst = exit_status::ok;
  for (const CertificateStatus& status : statuses) {
    if (status.has_failed_target()) return exit_status::failed;
    if (status.ok()) continue;
    const bool unknown_only =
        (status.serving == Serving::ok || status.serving == Serving::unknown ||
         status.serving == Serving::unverified) &&
        (status.renewal == RenewalHealth::ok || status.renewal == RenewalHealth::unknown);
    if (!unknown_only) return exit_status::failed;
    worst = exit_status::undecided;
  }
  return worst;
}

}  // namespace

int write_statuses(std::ostream& out, const StatusStyle& style, Time now,
                   const std::vector<CertificateStatus>& statuses,
                   const std::vector<WatchedCertificate>& watched) {
  if (style.json) {
    out << status_document(statuses, watched);
    return status_of(statuses, watched);
  }
  std::size_t width = 0;
  for (const CertificateStatus& status : statuses) width = std::max(width, status.name.size());
  for (const WatchedCertificate& each : watched) width = std::max(width, each.watch.size());
  for (const CertificateStatus& status : statuses) {
    print(out, status, width, style.verbosity, now);
  }
  for (const WatchedCertificate& each : watched) print(out, each, width);
  print_doubts_of_host(out, statuses);
  return status_of(statuses, watched);
}

}  // namespace nolapse
