// What a renewal tells of the certificate that it got: less than was asked for, or by a proof that
// will not be there the next time.
#include "agent/core/renewal.h"
#include "agent/core/schedule.h"

namespace nolapse {

using namespace std::chrono_literals;

void Renewal::tell_of_other_lifetime(const acme::Certificate& leaf) {
  const auto& asked = request_.spec.lifetime;
  const Duration given = leaf.not_after - leaf.not_before;
  if (!asked || std::chrono::abs(given - *asked) <= std::max<Duration>(*asked / 20, 2h)) return;
  events_.emit(Severity::warning, request_.spec.name, "LIFETIME_NOT_AS_ASKED",
               ca_.config().name + " issued for " + acme::format_duration(given) + ", not for " +
                   acme::format_duration(*asked));
}

// A record that was set once is forgotten until it is missed: told of while there are two renewals
// to act in.
void Renewal::tell_of_ending_proof(const acme::Certificate& leaf) {
  if (!proof_until_) return;
  const auto end = ends_too_early(*proof_until_, leaf, request_.spec.renew_before);
  if (!end) return;
  events_.emit(end->late ? Severity::error : Severity::warning, request_.spec.name, "PROOF_ENDS",
               "its " + std::string(solver_.challenge_type()) + " record ends at " +
                   acme::format_rfc3339(*proof_until_) + ", before the " +
                   (end->late ? "next renewal" : "renewal after the next") + " (about " +
                   acme::format_rfc3339(end->before) + "); give it a later persistUntil");
}

}  // namespace nolapse
