#include "agent/front/rehearsal_output.h"

#include <ostream>

#include "acme/json_read.h"
#include "agent/front/exit_status.h"
#include "agent/front/json_output.h"

namespace nolapse {
namespace {

using nlohmann::json;

std::string headline(const RehearsalOutcome& outcome) {
  if (outcome.waits()) return "WAITING: " + outcome.error->message;
  const std::string took = " in " + acme::format_duration(outcome.record.took);
  switch (outcome.record.result) {
    case RehearsalResult::passed:
      return "passed" + took;
    case RehearsalResult::partial:
      return "PARTIAL" + took + ": what could be tried is well";
    case RehearsalResult::failed:
      break;
  }
  return "FAILED" + took + ": " + outcome.error->message;
}

json object_of(const std::string& name, const RehearsalOutcome& outcome) {
  const RehearsalRecord& record = outcome.record;
  return {{"name", name},
          {"ca", outcome.ca},
          {"result", outcome.waits() ? "waiting" : name_of(record.result)},
          {"at", acme::format_rfc3339(record.at)},
          {"not_shown", record.not_shown},
          {"proof_fresh", record.proof_fresh},
          {"error", outcome.error ? error_object(*outcome.error) : json(nullptr)},
          {"took_ms", record.took.count()}};
}

int status_of(const RehearsalOutcome& outcome) {
  if (outcome.waits()) return exit_status::undecided;
  return outcome.error ? exit_status::failed : exit_status::ok;
}

}  // namespace

int write_rehearsals(std::ostream& out, bool json_wanted,
                     const std::vector<CertificateRehearsal>& rehearsals) {
  json list = json::array();
  int worst = exit_status::ok;
  for (const CertificateRehearsal& rehearsal : rehearsals) {
    for (const RehearsalOutcome& outcome : rehearsal.cas) {
      list.push_back(object_of(rehearsal.name, outcome));
      const int status = status_of(outcome);
      if (worst != exit_status::failed && status != exit_status::ok) worst = status;
      if (json_wanted) continue;
      out << rehearsal.name << " at " << outcome.ca << ": " << acme::printable(headline(outcome))
          << '\n';
      for (const std::string& what : outcome.record.not_shown) {
        out << "  not shown: " << acme::printable(what) << '\n';
      }
    }
    if (!rehearsal.saved) worst = exit_status::failed;
  }
  if (json_wanted) {
    out << acme::dump(json{{"schema", 1}, {"rehearsals", std::move(list)}}, 2) << '\n';
  }
  return worst;
}

}  // namespace nolapse
