#include "agent/core/report.h"

#include <algorithm>

namespace nolapse {
namespace {

// Names in a verdict; the rest is a number.
constexpr std::size_t named_in_verdict = 5;

void count_moment(Tally& tally, const ReportMoment& moment) {
  switch (moment.kind) {
    case MomentKind::renewed:
      tally.renewed += moment.count;
      break;
    case MomentKind::failed:
      tally.failed += moment.count;
      break;
    case MomentKind::deployed:
      tally.deployed += moment.count;
      break;
    case MomentKind::rolled_back:
      // That the roll-back was looked at is no second one.
      if (moment.code != "ROLLBACK_VERIFIED") tally.rolled_back += moment.count;
      break;
    case MomentKind::revoked:
      tally.revoked += moment.count;
      break;
    case MomentKind::rehearsed:
      (moment.code == "REHEARSAL_FAILED" ? tally.rehearsals_failed : tally.rehearsals_passed) +=
          moment.count;
      break;
    case MomentKind::found:
      tally.found += moment.count;
      break;
    default:
      break;
  }
}

void add(Tally& sum, const Tally& tally) {
  sum.renewed += tally.renewed;
  sum.failed += tally.failed;
  sum.deployed += tally.deployed;
  sum.rolled_back += tally.rolled_back;
  sum.revoked += tally.revoked;
  sum.rehearsals_passed += tally.rehearsals_passed;
  sum.rehearsals_failed += tally.rehearsals_failed;
  sum.found += tally.found;
}

// Served, or recorded at a target, but not what was issued last; and what changed meanwhile.
std::vector<std::string> drift_of(const ReportedCertificate& certificate) {
  std::vector<std::string> drift;
  const bool unjudged = certificate.status.serving == Serving::unknown;
  for (const EndpointState& state : certificate.status.endpoints) {
    if (unjudged || (state.verdict != Verdict::wrong && state.verdict != Verdict::expired))
      continue;
    const bool named = state.address.empty() || state.endpoint == state.address;
    drift.push_back(state.endpoint + (named ? "" : " at " + state.address) + " " + state.detail);
  }
  for (const auto& [target, record] : certificate.status.deployments) {
    const auto& newest = certificate.status.generation;
    if (!newest || record.generation == newest->number) continue;
    drift.push_back("target " + target + " has generation " + std::to_string(record.generation) +
                    ", the newest is " + std::to_string(newest->number));
  }
  if (!certificate.records.changed.empty() && certificate.records.proven_at) {
    drift.push_back("changed since the last renewal that went well, on " +
                    acme::format_rfc3339(*certificate.records.proven_at) + ": " +
                    certificate.records.changed);
  }
  return drift;
}

bool is_red(Serving serving) {
  return serving == Serving::wrong || serving == Serving::expired ||
         serving == Serving::unreachable;
}

// One that is due is on its way; it is overdue soon enough.
bool is_red(RenewalHealth health) {
  return health == RenewalHealth::overdue || health == RenewalHealth::failing ||
         health == RenewalHealth::missing || health == RenewalHealth::orphan;
}

const Finding* worst_of(const std::vector<Finding>& findings, FindingSeverity severity) {
  const auto found = std::find_if(findings.begin(), findings.end(), [&](const Finding& finding) {
    return finding.severity == severity;
  });
  return found == findings.end() ? nullptr : &*found;
}

std::string why_not_served(const CertificateStatus& status) {
  const auto bad =
      std::find_if(status.endpoints.begin(), status.endpoints.end(),
                   [](const EndpointState& state) { return state.verdict != Verdict::ok; });
  return bad == status.endpoints.end() ? std::string("serving ") + name_of(status.serving)
                                       : bad->endpoint + " " + bad->detail;
}

void judge(ReportedCertificate& certificate, Time now) {
  const CertificateStatus& status = certificate.status;
  const acme::Certificate* const leaf = certificate.leaf();
  const Finding* const error = worst_of(certificate.open, FindingSeverity::error);
  certificate.judgement = Judgement::attention;
  if (certificate.step > 0 && leaf != nullptr) {
    certificate.why = describe_expiry(*leaf, now);
    if (status.last_error) certificate.why += ": " + status.last_error->message;
  } else if (is_red(status.serving)) {
    certificate.why = why_not_served(status);
  } else if (is_red(status.renewal)) {
    certificate.why = std::string("renewal ") + name_of(status.renewal) + ": " +
                      (status.last_error ? status.last_error->message : status.renew_reason);
  } else if (error != nullptr) {
    certificate.why = error->code + " " + error->summary;
  } else if (const Finding* const unknown = worst_of(certificate.open, FindingSeverity::unknown)) {
    certificate.judgement = Judgement::unknown;
    certificate.why = unknown->code + " " + unknown->summary;
  } else if (status.serving == Serving::unknown || status.renewal == RenewalHealth::unknown) {
    certificate.judgement = Judgement::unknown;
    certificate.why = status.renew_reason;
  } else if (status.serving != Serving::ok) {
    certificate.judgement = Judgement::unknown;
    certificate.why = "nobody can tell what is served: no endpoint is known";
  } else {
    certificate.judgement = Judgement::fine;
  }
}

using FindingsByName = std::map<std::string, std::vector<Finding>>;

// The worst first; without what is fine.
FindingsByName findings_by_name(const std::vector<Finding>& findings) {
  FindingsByName by_name;
  for (const Finding& finding : findings) {
    if (finding.severity != FindingSeverity::ok) by_name[finding.certificate].push_back(finding);
  }
  for (auto& [name, list] : by_name) {
    std::stable_sort(list.begin(), list.end(), [](const Finding& one, const Finding& another) {
      return one.severity > another.severity;
    });
  }
  return by_name;
}

// One command: what a finding names, or what usually ends such a state.
std::string fix_of(const ReportedCertificate& certificate) {
  const CertificateStatus& status = certificate.status;
  if (certificate.judgement == Judgement::fine) return {};
  for (const FindingSeverity severity : {FindingSeverity::error, FindingSeverity::unknown}) {
    const Finding* const finding = worst_of(certificate.open, severity);
    if (finding != nullptr && !finding->fix.empty()) return finding->fix;
  }
  const Finding* const doubt = worst_of(status.doubts, FindingSeverity::error);
  if (doubt != nullptr && !doubt->fix.empty()) return doubt->fix;
  if (status.renewal == RenewalHealth::orphan) return status.renew_reason;
  if (certificate.step > 0 || is_red(status.renewal)) return "nolapse renew --force " + status.name;
  if (status.serving == Serving::wrong || status.serving == Serving::expired) {
    return "nolapse deploy " + status.name;
  }
  return "nolapse check " + status.name;
}

ReportedCertificate reported(ReportInput& input, FindingsByName& findings,
                             CertificateStatus status) {
  ReportedCertificate certificate;
  certificate.status = std::move(status);
  const std::string& name = certificate.status.name;
  const auto records = input.records.find(name);
  if (records != input.records.end()) certificate.records = std::move(records->second);
  if (const acme::Certificate* const leaf = certificate.leaf()) {
    const auto& planned = certificate.records.planned_renewal;
    const ExpiryDays& days = input.config.alerts.expiry_days;
    certificate.thresholds = expiry_thresholds(*leaf, planned, days);
    certificate.step = expiry_step(*leaf, planned, input.now, days);
  }
  certificate.open = std::move(findings[name]);
  const auto story = input.history.stories().find(name);
  if (story != input.history.stories().end()) certificate.story = story->second;
  const auto left_out = input.history.left_out().find(name);
  if (left_out != input.history.left_out().end()) certificate.left_out = left_out->second;
  for (const ReportMoment& moment : certificate.story) count_moment(certificate.tally, moment);
  certificate.drift = drift_of(certificate);
  judge(certificate, input.now);
  certificate.fix = fix_of(certificate);
  return certificate;
}

bool is_more_urgent(const ReportedCertificate& one, const ReportedCertificate& another) {
  if (one.judgement != another.judgement) return one.judgement > another.judgement;
  const Time never = Time::max();
  const Time one_ends = one.leaf() != nullptr ? one.leaf()->not_after : never;
  const Time another_ends = another.leaf() != nullptr ? another.leaf()->not_after : never;
  if (one_ends != another_ends) return one_ends < another_ends;
  return one.status.name < another.status.name;
}

int plain_step(std::optional<Time> not_after, const ExpiryDays& days, Time now) {
  acme::Certificate leaf;
  if (!not_after) return 0;
  leaf.not_after = *not_after;
  return expiry_step(leaf, {}, now, days);
}

std::vector<ReportedWatch> reported_watches(ReportInput& input) {
  std::vector<ReportedWatch> watched = std::move(input.watched);
  for (ReportedWatch& watch : watched) {
    watch.step = plain_step(watch.not_after, input.config.alerts.expiry_days, input.now);
  }
  std::stable_sort(
      watched.begin(), watched.end(), [](const ReportedWatch& one, const ReportedWatch& another) {
        if (one.ok != another.ok) return !one.ok;
        return one.not_after.value_or(Time::max()) < another.not_after.value_or(Time::max());
      });
  return watched;
}

void add_alerts(Report& report, const ReportInput& input) {
  for (const Alert& alert : input.alerts.open) {
    const Silence* const silence = silence_of(input.alerts, alert.finding, input.now);
    report.alerts.push_back(
        {alert, silence != nullptr ? std::optional<Silence>(*silence) : std::nullopt});
  }
  for (const Silence& silence : input.alerts.silences) {
    if (silence.until > input.now) report.silences.push_back(silence);
  }
  for (const AlertChannel& channel : input.config.alerts.channels) {
    const auto record = input.alerts.channels.find(channel.name);
    const auto waiting =
        std::count_if(input.alerts.queue.begin(), input.alerts.queue.end(),
                      [&](const AlertMessage& each) { return each.channel == channel.name; });
    report.channels.push_back(
        {channel.name, channel.type,
         record == input.alerts.channels.end() ? ChannelRecord{} : record->second,
         static_cast<std::size_t>(waiting)});
  }
}

bool is_fine(const ReportedWatch& watch) {
  return watch.ok && watch.step == 0;
}

}  // namespace

const char* name_of(Judgement judgement) {
  switch (judgement) {
    case Judgement::fine:
      return "fine";
    case Judgement::unknown:
      return "unknown";
    case Judgement::attention:
      break;
  }
  return "attention";
}

std::size_t Report::count(Judgement wanted) const {
  auto number = std::count_if(
      certificates.begin(), certificates.end(),
      [&](const ReportedCertificate& certificate) { return certificate.judgement == wanted; });
  if (wanted == Judgement::unknown) return static_cast<std::size_t>(number);
  number += std::count_if(watched.begin(), watched.end(), [&](const ReportedWatch& watch) {
    return is_fine(watch) == (wanted == Judgement::fine);
  });
  return static_cast<std::size_t>(number);
}

Judgement Report::judgement() const {
  if (count(Judgement::attention) > 0 || worst_of(host_findings, FindingSeverity::error)) {
    return Judgement::attention;
  }
  const bool unknown = count(Judgement::unknown) > 0 || !problems.empty() ||
                       worst_of(host_findings, FindingSeverity::unknown) != nullptr ||
                       (certificates.empty() && watched.empty());
  return unknown ? Judgement::unknown : Judgement::fine;
}

Report make_report(ReportInput input) {
  Report report;
  report.host = input.host;
  report.since = input.history.since();
  report.until = input.history.until();
  report.made_at = input.now;
  report.months = input.history.months();
  report.self_tested_at = input.findings.checked_at;
  report.problems = std::move(input.problems);
  FindingsByName findings = findings_by_name(input.findings.findings);
  std::map<std::string, bool> known = {{std::string(), true}};
  for (CertificateStatus& status : input.statuses) {
    known[status.name] = true;
    report.certificates.push_back(reported(input, findings, std::move(status)));
    add(report.tally, report.certificates.back().tally);
  }
  std::sort(report.certificates.begin(), report.certificates.end(), is_more_urgent);
  report.watched = reported_watches(input);
  const auto is_watched = [&report](const std::string& name) {
    return std::any_of(report.watched.begin(), report.watched.end(),
                       [&](const ReportedWatch& watch) { return watch.name == name; });
  };
  for (const auto& [name, story] : input.history.stories()) {
    if (name.empty()) report.host_story = story;
    if (!known[name]) report.others.push_back({name, story, is_watched(name)});
  }
  const auto left_out = input.history.left_out().find({});
  if (left_out != input.history.left_out().end()) report.host_left_out = left_out->second;
  report.host_findings = std::move(findings[{}]);
  add_alerts(report, input);
  return report;
}

namespace {

bool is_trouble(const ReportMoment& moment) {
  switch (moment.kind) {
    case MomentKind::failed:
    case MomentKind::rolled_back:
    case MomentKind::revoked:
    case MomentKind::expiring:
    case MomentKind::found:
      return true;
    case MomentKind::rehearsed:
      return moment.code == "REHEARSAL_FAILED";
    default:
      return moment.severity == Severity::error;
  }
}

// The last renewal before `time`, where the story itself does not tell of it.
std::optional<ReportMoment> success_before(const ReportedCertificate& certificate, Time time) {
  for (const ReportMoment& moment : certificate.story) {
    if (moment.kind == MomentKind::renewed && moment.at < time) return {};
  }
  const auto& generations = certificate.records.generations;
  const auto last = std::find_if(
      generations.rbegin(), generations.rend(),
      [&](const ReportedGeneration& generation) { return generation.issued_at < time; });
  if (last == generations.rend()) return {};
  ReportMoment moment;
  moment.at = moment.last = last->issued_at;
  moment.kind = MomentKind::renewed;
  moment.code = "CERTIFICATE_ISSUED";
  moment.message = "generation " + std::to_string(last->number) + " is issued by " + last->ca +
                   ", valid until " + acme::format_rfc3339(last->not_after) +
                   "; the last success before";
  return moment;
}

}  // namespace

ReportMoments incident_of(const Report& report, const ReportedCertificate& certificate) {
  const auto& story = certificate.story;
  const auto first = std::find_if(story.begin(), story.end(), is_trouble);
  if (first == story.end()) return {};
  const auto last = std::find_if(story.rbegin(), story.rend(), is_trouble);
  ReportMoments incident;
  if (auto success = success_before(certificate, first->at)) {
    incident.push_back(std::move(*success));
  }
  incident.insert(incident.end(), story.begin(), story.end());
  // Whoever is told of the beginning is told within minutes, and of the end likewise.
  const Time end = last->last + std::chrono::hours(3);
  for (const ReportMoment& moment : report.host_story) {
    const bool is_message = moment.kind == MomentKind::told || moment.kind == MomentKind::not_told;
    if (is_message && moment.last >= first->at && moment.at <= end) incident.push_back(moment);
  }
  std::stable_sort(
      incident.begin(), incident.end(),
      [](const ReportMoment& one, const ReportMoment& another) { return one.at < another.at; });
  return incident;
}

namespace {

std::string some(std::size_t number) {
  return std::to_string(number) + (number == 1 ? " certificate" : " certificates");
}

std::string names_of(const Report& report, Judgement judgement) {
  std::string text;
  std::size_t named = 0;
  std::size_t all = 0;
  const auto name = [&](const std::string& each) {
    ++all;
    if (named == named_in_verdict) return;
    text += (named++ == 0 ? "" : ", ") + each;
  };
  for (const ReportedCertificate& certificate : report.certificates) {
    if (certificate.judgement == judgement) name(certificate.status.name);
  }
  for (const ReportedWatch& watch : report.watched) {
    if (judgement == Judgement::attention && !is_fine(watch)) name(watch.name);
  }
  if (all > named) text += " and " + std::to_string(all - named) + " more";
  return text;
}

}  // namespace

std::string verdict_of(const Report& report) {
  const std::size_t all = report.certificates.size() + report.watched.size();
  const std::size_t attention = report.count(Judgement::attention);
  const std::size_t unknown = report.count(Judgement::unknown);
  if (all == 0) return "there is no certificate";
  std::string text;
  if (attention > 0) {
    text = std::to_string(attention) + " of " + some(all) +
           (attention == 1 ? " needs attention: " : " need attention: ") +
           names_of(report, Judgement::attention);
  } else if (unknown > 0) {
    text = "of " + std::to_string(unknown) + " of " + some(all) +
           " nobody can tell: " + names_of(report, Judgement::unknown);
  } else {
    const std::size_t own = report.certificates.size();
    if (own > 0) {
      text = own == 1 ? "the one certificate is provably renewed"
                      : "all " + some(own) + " are provably renewed";
    }
    if (!report.watched.empty()) {
      text += (own > 0 ? ", and " : "") + some(report.watched.size()) +
              " that others renew: nothing is wrong with them";
    }
  }
  if (worst_of(report.host_findings, FindingSeverity::error) != nullptr) {
    text += attention > 0 ? "; this host does, too" : "; but this host needs attention";
  }
  return text;
}

}  // namespace nolapse
