// What the rehearsals showed, and how long ago: nothing stays green for ever.
#include "agent/core/checks/families.h"
#include "agent/core/checks/not_known.h"
#include "agent/core/rehearsal_schedule.h"

namespace nolapse {
namespace {

Finding finding(const char* code, FindingSeverity severity, std::string summary,
                std::string evidence, std::string fix) {
  return {code, {}, {}, severity, std::move(summary), std::move(evidence), std::move(fix), {}};
}

std::string listed(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : "; ") + item;
  return text;
}

// A new certificate is evidence enough for the first time.
Time evidence_at(const std::optional<RehearsalRecord>& record, const Generation& newest) {
  return record ? record->at : newest.issued_at;
}

std::vector<Finding> check_rehearsal(const CheckContext& context, const CheckSubject& subject) {
  const CertificateSpec& spec = *subject.certificate;
  const Duration configured = context.config.daemon.rehearse_interval;
  if (configured == Duration{0}) return {};
  const auto known = newest_of(context, spec);
  const auto records = context.store.load_rehearsals(spec.name);
  if (!known || !records) {
    return {not_known("REHEARSAL_OLD", spec.name + ": nobody knows how its last rehearsals went",
                      known ? records.error() : known.error())};
  }
  const Generation* const newest = *known;
  if (newest == nullptr) return {};
  const auto record = counted_rehearsal(*records, *subject.ca, newest);
  const std::string at_ca = " at " + subject.ca->name;
  if (record && record->result == RehearsalResult::failed) {
    return {finding("REHEARSAL_FAILED", FindingSeverity::error,
                    spec.name + ": its rehearsal" + at_ca + " failed, as its renewal would",
                    "on " + acme::format_rfc3339(record->at) +
                        (record->error ? ", " + record->error->code + ": " + record->error->message
                                       : std::string()),
                    "correct that, then: nolapse rehearse " + spec.name)};
  }
  const Time now = context.world.clock.now();
  const Time at = evidence_at(record, *newest);
  const RehearsalAge age = rehearsal_age(at, rehearsal_interval(configured, &newest->leaf()), now);
  if (age != RehearsalAge::green) {
    const bool red = age == RehearsalAge::red;
    return {finding("REHEARSAL_OLD", red ? FindingSeverity::error : FindingSeverity::warning,
                    spec.name + ": nobody has tried its renewal" + at_ca + " for " +
                        acme::format_duration(std::max<Duration>(now - at, Duration{0})),
                    record ? "the last rehearsal was on " + acme::format_rfc3339(at)
                           : "it was never rehearsed; issued on " + acme::format_rfc3339(at),
                    "nolapse rehearse " + spec.name + "; see whether the daemon runs")};
  }
  if (!record || record->result != RehearsalResult::partial) return {};
  // A colour of its own: as much as can be shown was shown.
  return {finding("REHEARSAL_PARTIAL", FindingSeverity::ok,
                  spec.name + ": its rehearsal" + at_ca + " could not show everything",
                  listed(record->not_shown), {})};
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
