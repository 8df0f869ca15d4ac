// The two axes of every certificate, *serving now* and *will renew*, from artifacts and records.
// A pure function: unknown is never shown as good.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/config.h"
#include "agent/core/rehearsal_standing.h"
#include "agent/core/schedule.h"
#include "agent/core/store.h"
#include "agent/core/target_wait.h"
#include "agent/core/verification.h"

namespace nolapse {

enum class Serving { ok, wrong, expired, unreachable, unverified, unknown };
enum class RenewalHealth { ok, due, overdue, failing, missing, orphan, unknown };
const char* name_of(Serving serving);
const char* name_of(RenewalHealth health);

struct CertificateStatus {
  std::string name;
  std::vector<acme::Identifier> domains;
  std::string ca;  // of the newest generation, else the preferred one
  std::string profile;
  std::optional<Generation> generation;  // the newest
  Serving serving = Serving::unknown;
  RenewalHealth renewal = RenewalHealth::unknown;
  std::optional<Time> next_attempt;
  std::string renew_reason;
  std::optional<SavedError> last_error;
  std::optional<SavedProof> proof;  // of the last order that needed one
  int failures = 0;
  DeploymentRecords deployments;  // of its targets; of an orphan, all there are
  std::vector<TargetWait> waits;  // of them, those that are not to have the newest yet
  std::vector<EndpointState> endpoints;
  // See renewal_doubts.h: what speaks against its renewal, the worst first; and, by CA, how it
  // stands with its rehearsals. Empty where nobody weighed it.
  std::vector<Finding> doubts;
  std::map<std::string, RehearsalStanding> rehearsals;
  // Of its standby, all that concerns its renewal; nothing: none is wanted.
  std::shared_ptr<const CertificateStatus> standby;

  bool ok() const { return serving == Serving::ok && renewal == RenewalHealth::ok; }
  bool has_failed_target() const;
};

struct StatusInput {
  const CertificateSpec& spec;
  const Config& config;
  std::optional<Generation> newest;
  ScheduleRecord schedule;
  DeploymentRecords deployments;
  std::vector<EndpointState> endpoints;
  bool under_way = false;  // an interrupted attempt waits to be gone on with
  bool records_readable = true;
  Time now{};
  bool orphan = false;  // there is no configuration for it any more
  std::shared_ptr<const CertificateStatus> standby = {};
  std::string own_public_key = {};  // see own_request.h
};

// A standby that cannot be had is a renewal that is not well: the protection that is asked for is
// not there.
CertificateStatus make_status(StatusInput input);

}  // namespace nolapse
