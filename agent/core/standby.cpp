#include "agent/core/standby.h"

#include <algorithm>

#include "agent/core/schedule.h"

namespace nolapse {

CertificateSpec standby_of(const CertificateSpec& certificate) {
  CertificateSpec spec = certificate;
  spec.name = standby_name(certificate.name);
  spec.standby = false;
  spec.deploy.clear();
  spec.endpoints.emplace();
  return spec;
}

std::vector<std::string> other_cas(const CertificateSpec& spec, const Config& config,
                                   const Generation& in_use) {
  // What is from nowhere that is configured is about to be renewed by the first.
  const bool listed = std::find(spec.cas.begin(), spec.cas.end(), in_use.ca) != spec.cas.end();
  const CaConfig* home = config.find_ca(listed ? in_use.ca : spec.cas.front());
  std::vector<std::string> cas;
  for (const std::string& name : spec.cas) {
    const CaConfig* ca = config.find_ca(name);
    if (ca != nullptr && home != nullptr && ca->directory != home->directory) cas.push_back(name);
  }
  return cas;
}

bool is_revoked(const Generation& generation, const ScheduleRecord& schedule, Time now) {
  if (is_revoked(&generation, schedule.revocation ? &*schedule.revocation : nullptr)) return true;
  return is_recalled(&generation, schedule.renewal_info ? &*schedule.renewal_info : nullptr, now);
}

namespace {

bool is_usable(const TakeOverInput& input) {
  const acme::Certificate& leaf = input.standby.leaf();
  if (input.now < leaf.not_before || input.now >= leaf.not_after) return false;
  if (is_revoked(input.standby, input.standby_schedule, input.now)) return false;
  RenewalInput wanted{input.spec, input.config};
  wanted.newest = &input.standby;
  return changed_specification(wanted).empty();
}

}  // namespace

std::string reason_to_take_over(const TakeOverInput& input) {
  const acme::Certificate& leaf = input.standby.leaf();
  if (!is_usable(input) || (!input.ca.empty() && input.ca != input.standby.ca)) return {};
  if (input.requested && !input.ca.empty() && !little_is_left(&leaf, input.now)) {
    return "requested with --force --ca " + input.ca;
  }
  if (input.in_use != nullptr && is_revoked(*input.in_use, input.schedule, input.now)) {
    return "the CA has revoked what was in use";
  }
  if (!input.failed) return {};
  if (input.in_use == nullptr) return "there is no other, and no CA gives one";
  const acme::Certificate& used = input.in_use->leaf();
  if (!little_is_left(&used, input.now) || leaf.not_after <= used.not_after) return {};
  return "no CA renews what was in use, and little time is left";
}

}  // namespace nolapse
