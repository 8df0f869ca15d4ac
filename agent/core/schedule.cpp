#include "agent/core/schedule.h"

#include <algorithm>

namespace nolapse {
namespace {

using namespace std::chrono_literals;
using acme::Identifier;

std::vector<Identifier> sorted(std::vector<Identifier> identifiers) {
  std::sort(identifiers.begin(), identifiers.end());
  return identifiers;
}

// Names the first difference between what was issued and what is wanted now; empty: none.
std::string changed_specification(const RenewalInput& input) {
  const Generation& generation = *input.newest;
  const auto& present = generation.leaf().subject_alternative_names;
  for (const Identifier& wanted : input.spec.domains) {
    if (std::find(present.begin(), present.end(), wanted) == present.end()) {
      return "the configuration now names " + wanted.value;
    }
  }
  // A CA may add names of its own, so only what was asked for is compared.
  if (!generation.identifiers.empty() &&
      sorted(generation.identifiers) != sorted(input.spec.domains)) {
    return "the configuration names fewer domains";
  }
  if (generation.key_type && *generation.key_type != input.spec.key_type) {
    return std::string("the configured key is now ") + acme::name_of(input.spec.key_type);
  }
  if (generation.ca.empty()) return {};
  const auto& cas = input.spec.cas;
  if (std::find(cas.begin(), cas.end(), generation.ca) == cas.end()) {
    return "the configuration no longer lists the CA " + generation.ca;
  }
  const CaConfig* ca = input.config.find_ca(generation.ca);
  if (ca == nullptr) return {};
  if (ca->directory != generation.ca_directory)
    return "the CA " + ca->name + " has another directory";
  const std::string& profile = input.spec.profile.empty() ? ca->profile : input.spec.profile;
  if (profile != generation.profile) return "the configured profile changed";
  return {};
}

}  // namespace

Time renewal_point(const acme::Certificate& leaf, const std::optional<Duration>& renew_before) {
  const Duration lifetime = leaf.not_after - leaf.not_before;
  if (renew_before && *renew_before <= lifetime * 5 / 6) return leaf.not_after - *renew_before;
  return leaf.not_after - (lifetime < 240h ? lifetime / 2 : lifetime / 3);
}

Due next_renewal(const RenewalInput& input) {
  if (input.newest == nullptr) return {true, input.now, "there is no certificate yet"};
  if (input.requested) return {true, input.now, "requested with --force"};
  if (input.under_way) return {true, input.now, "an interrupted renewal is to be finished"};
  const std::string change = changed_specification(input);
  if (!change.empty()) return {true, input.now, change};
  const acme::Certificate& leaf = input.newest->leaf();
  const Time at = renewal_point(leaf, input.spec.renew_before);
  if (input.now >= leaf.not_after) return {true, at, "the certificate has expired"};
  return {input.now >= at, at,
          "the renewal point is " + acme::format_rfc3339(at) + ", " +
              acme::format_duration(leaf.not_after - at) + " before expiry"};
}

Time next_attempt(const RetryInput& input) {
  const int doublings = std::clamp(input.failures - 1, 0, 10);
  Duration interval = std::min<Duration>(1min * (1 << doublings), 12h);
  if (input.kind == ErrorKind::input) interval = 12h;
  const auto jitter = static_cast<std::int64_t>(input.random % 1001);  // 0 … 1000
  interval = interval * (750 + jitter / 2) / 1000;
  if (input.not_after) {
    const Duration remaining = *input.not_after - input.now;
    interval = remaining > Duration{0} ? std::min(interval, std::max<Duration>(remaining / 6, 5min))
                                       : std::min<Duration>(interval, 15min);
  }
  const Time at = input.now + interval;
  return input.retry_after ? std::max(at, *input.retry_after) : at;
}

}  // namespace nolapse
