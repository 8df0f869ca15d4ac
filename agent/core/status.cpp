#include "agent/core/status.h"

#include <algorithm>

namespace nolapse {
namespace {

// A renewal that is this much later than its point is not merely due, it does not happen.
Duration overdue_grace(const acme::Certificate& leaf) {
  return std::min<Duration>(std::chrono::hours(24), (leaf.not_after - leaf.not_before) / 30);
}

bool any(const std::vector<EndpointState>& endpoints, Verdict verdict) {
  return std::any_of(endpoints.begin(), endpoints.end(),
                     [&](const EndpointState& state) { return state.verdict == verdict; });
}

// Of what was issued; that nothing was is known.
bool knows_nothing(const StatusInput& input) {
  return !input.newest && !input.records_readable;
}

// Another certificate than was issued is wrong only to whoever knows what was issued.
void leave_unjudged(std::vector<EndpointState>& endpoints) {
  for (EndpointState& state : endpoints) {
    const bool seen = !state.fingerprint_sha256.empty();
    if (!seen || state.verdict != Verdict::wrong) continue;
    state.detail = "serves a certificate, and nobody knows whether it is the right one";
    if (state.not_after) state.detail += "; valid until " + acme::format_rfc3339(*state.not_after);
  }
}

// The worst of all endpoints: one that is expired is an outage for somebody.
Serving serving_of(const StatusInput& input) {
  if (!input.newest && input.endpoints.empty()) return Serving::unknown;
  const bool unjudged = knows_nothing(input);
  const auto is_wrong = [&](const EndpointState& state) {
    return state.verdict == Verdict::wrong && (!unjudged || state.fingerprint_sha256.empty());
  };
  if (any(input.endpoints, Verdict::expired)) return Serving::expired;
  if (std::any_of(input.endpoints.begin(), input.endpoints.end(), is_wrong)) return Serving::wrong;
  if (any(input.endpoints, Verdict::unreachable)) return Serving::unreachable;
  if (unjudged) return Serving::unknown;
  return input.endpoints.empty() ? Serving::unverified : Serving::ok;
}

RenewalHealth renewal_of(const StatusInput& input, const Due& due) {
  if (!input.records_readable) return RenewalHealth::unknown;
  if (!input.newest) return RenewalHealth::missing;
  if (input.schedule.failures > 0) return RenewalHealth::failing;
  if (!due.now) return RenewalHealth::ok;
  const bool late = input.now > due.at + overdue_grace(input.newest->leaf());
  return late ? RenewalHealth::overdue : RenewalHealth::due;
}

}  // namespace

const char* name_of(Serving serving) {
  switch (serving) {
    case Serving::ok:
      return "ok";
    case Serving::wrong:
      return "wrong";
    case Serving::expired:
      return "expired";
    case Serving::unreachable:
      return "unreachable";
    case Serving::unverified:
      return "unverified";
    case Serving::unknown:
      return "unknown";
  }
  return "unknown";
}

const char* name_of(RenewalHealth health) {
  switch (health) {
    case RenewalHealth::ok:
      return "ok";
    case RenewalHealth::due:
      return "due";
    case RenewalHealth::overdue:
      return "overdue";
    case RenewalHealth::failing:
      return "failing";
    case RenewalHealth::missing:
      return "missing";
    case RenewalHealth::orphan:
      return "orphan";
    case RenewalHealth::unknown:
      return "unknown";
  }
  return "unknown";
}

namespace {

void describe_renewal(const StatusInput& input, CertificateStatus& status) {
  if (input.orphan) {
    status.renewal = RenewalHealth::orphan;
    status.renew_reason =
        "its configuration is gone; put it back, or `nolapse forget " + input.spec.name + "`";
    return;
  }
  RenewalInput renewal{input.spec, input.config};
  renewal.newest = input.newest ? &*input.newest : nullptr;
  renewal.under_way = input.under_way;
  renewal.now = input.now;
  renewal.failed = input.schedule.failures > 0;
  if (input.schedule.renewal_info) renewal.renewal_info = &*input.schedule.renewal_info;
  if (input.schedule.revocation) renewal.revocation = &*input.schedule.revocation;
  renewal.own_public_key = input.own_public_key;
  renewal.lost = input.lost;
  if (input.in_use_instead) renewal.in_use_instead = &*input.in_use_instead;
  const Due due = next_renewal(renewal);
  status.renewal = renewal_of(input, due);
  status.next_attempt = due.at;
  if (input.schedule.next_attempt) {
    status.next_attempt = std::max(due.at, *input.schedule.next_attempt);
  }
  status.renew_reason = due.reason;
  if (input.records_readable) return;
  status.next_attempt.reset();
  status.renew_reason = "its records cannot be read";
}

void take_account_of_standby(CertificateStatus& status) {
  if (!status.standby || status.renewal != RenewalHealth::ok) return;
  const CertificateStatus& standby = *status.standby;
  if (standby.renewal == RenewalHealth::ok) return;
  status.renewal = standby.renewal;
  if (standby.renewal == RenewalHealth::missing) {
    status.renewal = standby.failures > 0 ? RenewalHealth::failing : RenewalHealth::due;
  }
  status.renew_reason = "its standby: " + standby.renew_reason;
}

// What a target that it has no more once got is nobody's business.
void forget_removed_targets(const CertificateSpec& spec, DeploymentRecords& deployments) {
  std::erase_if(deployments, [&](const auto& entry) {
    return std::find(spec.deploy.begin(), spec.deploy.end(), entry.first) == spec.deploy.end();
  });
}

}  // namespace

bool CertificateStatus::has_failed_target() const {
  return std::any_of(deployments.begin(), deployments.end(), [](const auto& entry) {
    return entry.second.failures > 0 || entry.second.stage == DeploymentStage::failed;
  });
}

CertificateStatus make_status(StatusInput input) {
  const Generation* newest = input.newest ? &*input.newest : nullptr;
  CertificateStatus status;
  describe_renewal(input, status);
  status.name = input.spec.name;
  status.domains = input.spec.domains;
  status.ca = newest != nullptr && !newest->ca.empty() ? newest->ca : input.spec.cas.front();
  const CaConfig* ca = input.config.find_ca(status.ca);
  status.profile = !input.spec.profile.empty() || ca == nullptr ? input.spec.profile : ca->profile;
  status.serving = serving_of(input);
  if (knows_nothing(input)) leave_unjudged(input.endpoints);
  status.failures = input.schedule.failures;
  status.last_error = std::move(input.schedule.last_error);
  status.proof = std::move(input.schedule.proof);
  status.generation = std::move(input.newest);
  if (status.generation) {
    status.waits = waiting_targets(input.spec, input.config, input.deployments,
                                   status.generation->number, input.now);
  }
  if (!input.orphan) forget_removed_targets(input.spec, input.deployments);
  status.deployments = std::move(input.deployments);
  status.endpoints = std::move(input.endpoints);
  status.standby = std::move(input.standby);
  take_account_of_standby(status);
  return status;
}

}  // namespace nolapse
