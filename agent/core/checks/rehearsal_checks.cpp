// What the rehearsals showed, and how long ago: nothing stays green for ever.
#include "agent/core/checks/families.h"
#include "agent/core/checks/not_known.h"
#include "agent/core/rehearsal_standing.h"

namespace nolapse {
namespace {

std::vector<Finding> check_rehearsal(const CheckContext& context, const CheckSubject& subject) {
  const CertificateSpec& spec = *subject.certificate;
  const Duration interval = context.config.daemon.rehearse_interval;
  if (interval == Duration{0}) return {};
  const auto newest = newest_of(context, spec);
  const auto records = context.store.load_rehearsals(spec.name);
  if (!newest || !records) {
    return {not_known("REHEARSAL_OLD", spec.name + ": nobody knows how its last rehearsals went",
                      newest ? records.error() : newest.error())};
  }
  const Time now = context.world.clock.now();
  const auto found = finding_on(rehearsal_standing(*records, *subject.ca, *newest, interval, now),
                                spec.name, subject.ca->name, now);
  return found ? std::vector{*found} : std::vector<Finding>{};
}

}  // namespace

CheckFamily rehearsal_checks() {
  return {{{"REHEARSAL_FAILED", "the last rehearsal failed, as the renewal would",
            "What the evidence says, at the CA's staging directory.", "nolapse rehearse NAME",
            "Correct it; the next rehearsal comes by itself, sooner after a failure."},
           {"REHEARSAL_OLD", "nobody has tried the renewal for too long",
            "The daemon does not run, or rehearsals are put off again and again.",
            "nolapse rehearse NAME; grep REHEARSAL STATE_DIR/events/*.jsonl",
            "nolapse rehearse NAME, and see what it says."},
           {"REHEARSAL_PARTIAL", "the rehearsal could not show everything; no fault",
            "The CA has no staging directory, or CAA or dns-persist records name the production "
            "account.",
            "nolapse rehearse NAME", "Nothing; set `staging` where the CA has one."}},
          {plain_check({"REHEARSAL_FAILED", "REHEARSAL_OLD", "REHEARSAL_PARTIAL"},
                       CheckDepth::cheap, CheckScope::certificate_and_ca, check_rehearsal)}};
}

}  // namespace nolapse
