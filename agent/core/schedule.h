// When to renew, and when to try again: pure functions whose answers carry their reason.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/core/store.h"

namespace nolapse {

struct Due {
  bool now = false;
  Time at{};           // the renewal point; in the past when due
  std::string reason;  // "no certificate yet", "a third of the lifetime is left", …
};

struct RenewalInput {
  const CertificateSpec& spec;
  const Config& config;
  const Generation* newest = nullptr;  // none: never issued, or nothing readable
  bool requested = false;              // by an operator
  bool under_way = false;              // an attempt was interrupted and can be gone on with
  Time now{};
};

// An operator's request, an interrupted attempt, a changed CertificateSpec, or the renewal point:
// `renew_before`, else a third of the lifetime left, half when the lifetime is under ten days.
Due next_renewal(const RenewalInput& input);

// When the lifetime alone asks for a renewal. A `renew_before` that leaves less than a sixth of
// the lifetime for use is ignored: it would renew for ever.
Time renewal_point(const acme::Certificate& leaf, const std::optional<Duration>& renew_before);

struct RetryInput {
  int failures = 1;  // in a row, this one included
  ErrorKind kind = ErrorKind::transient;
  std::optional<Time> retry_after;
  std::optional<Time> not_after;  // of the certificate in use; nothing: there is none
  Time now{};
  std::uint64_t random = 0;
};

// 1 min doubling to 12 h, ± 25 %, so that six more attempts fit into what remains, but never
// under 5 min; past expiry every 15 min. What waits for a person starts at the slow end. The
// CA's Retry-After is obeyed over all.
Time next_attempt(const RetryInput& input);

}  // namespace nolapse
