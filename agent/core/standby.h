// The standby: a second certificate for the same names, from another CA, kept ready for the day
// when the one in use is revoked or its CA is gone. It is renewed as any other certificate is, and
// deployed nowhere. When it takes over, its generation moves, key and all, to the certificate's
// own series; after that a new standby is obtained, from another CA again.
//
// Moved, not copied: so it cannot take over twice, its key is never in two places, and one rename
// is all that a crash can come before or after.
#pragma once

#include <string>
#include <vector>

#include "agent/core/series.h"
#include "agent/core/store.h"

namespace nolapse {

// What is wanted of the standby. Its CAs are still all of the certificate's: see other_cas().
CertificateSpec standby_of(const CertificateSpec& certificate);

// Those of `spec.cas`, in order, that are not at the directory of the CA which `in_use` is from.
std::vector<std::string> other_cas(const CertificateSpec& spec, const Config& config,
                                   const Generation& in_use);

// Has its CA taken it back, or recalled it, by what is known? `schedule` is of its own series.
bool is_revoked(const Generation& generation, const ScheduleRecord& schedule, Time now);

struct TakeOverInput {
  const CertificateSpec& spec;  // of the certificate
  const Config& config;
  const Generation* in_use = nullptr;  // none: never issued, or nothing readable
  const ScheduleRecord& schedule;
  const Generation& standby;
  const ScheduleRecord& standby_schedule;
  bool requested = false;  // by an operator
  std::string ca = {};     // only this one will do; empty: any
  bool failed = false;     // no CA gave another one just now
  Time now{};
};

// Why the standby takes over now; empty: it does not. An operator who names its CA wants it, unless
// little is left of it; a revocation; and, as the last resort, that the CAs fail while little is
// left of what is in use. Never one that is not valid, revoked, or not what is wanted.
std::string reason_to_take_over(const TakeOverInput& input);

}  // namespace nolapse
