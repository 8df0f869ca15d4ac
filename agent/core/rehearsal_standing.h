// How a certificate stands with its rehearsals at one CA, and what there is to find about that:
// the same for the self-tests and for the status.
#pragma once

#include <optional>
#include <string>

#include "agent/core/finding.h"
#include "agent/core/rehearsal_schedule.h"

namespace nolapse {

struct RehearsalStanding {
  enum class State {
    not_wanted,  // none are configured, or there is no certificate yet
    passed,
    partial,  // as much as can be shown was shown
    old,      // whatever it showed, it is yellow or red by now
    failed,
  };
  State state = State::not_wanted;
  std::optional<RehearsalRecord> record = {};  // that counts; nothing: it was never rehearsed
  Time at{};                                   // of the record, else of the certificate's issue
  RehearsalAge age = RehearsalAge::green;
};

// `interval` as configured.
RehearsalStanding rehearsal_standing(const RehearsalRecords& records, const CaConfig& ca,
                                     const Generation* newest, Duration interval, Time now);

// Nothing: it passed, or need not. A partial one is fine, and says what it did not show.
std::optional<Finding> finding_on(const RehearsalStanding& standing, const std::string& certificate,
                                  const std::string& ca, Time now);

}  // namespace nolapse
