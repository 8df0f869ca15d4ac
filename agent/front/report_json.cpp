#include <nlohmann/json.hpp>

#include "acme/json_read.h"
#include "agent/front/json_output.h"
#include "agent/front/json_values.h"
#include "agent/front/report_output.h"

namespace nolapse {
namespace {

using nlohmann::json;

json tally_object(const Tally& tally) {
  return {{"renewed", tally.renewed},
          {"failed", tally.failed},
          {"deployed", tally.deployed},
          {"rolled_back", tally.rolled_back},
          {"revoked", tally.revoked},
          {"rehearsals_passed", tally.rehearsals_passed},
          {"rehearsals_failed", tally.rehearsals_failed},
          {"found", tally.found}};
}

json findings_array(const std::vector<Finding>& findings) {
  json list = json::array();
  for (const Finding& finding : findings) list.push_back(finding_values(finding));
  return list;
}

json generations_array(const std::vector<ReportedGeneration>& generations) {
  json list = json::array();
  for (const ReportedGeneration& generation : generations) {
    list.push_back({{"number", generation.number},
                    {"ca", generation.ca},
                    {"issued_at", acme::format_rfc3339(generation.issued_at)},
                    {"not_before", acme::format_rfc3339(generation.not_before)},
                    {"not_after", acme::format_rfc3339(generation.not_after)}});
  }
  return list;
}

json rehearsals_array(const RehearsalRecords& rehearsals) {
  json list = json::array();
  for (const auto& [ca, record] : rehearsals) {
    list.push_back({{"ca", ca},
                    {"at", acme::format_rfc3339(record.at)},
                    {"result", name_of(record.result)},
                    {"not_shown", record.not_shown},
                    {"failures", record.failures},
                    {"error", record.error ? json(record.error->message) : json(nullptr)}});
  }
  return list;
}

json thresholds_array(const ReportedCertificate& certificate) {
  json list = json::array();
  const acme::Certificate* const leaf = certificate.leaf();
  if (leaf == nullptr) return list;
  for (const Duration threshold : certificate.thresholds) {
    list.push_back(acme::format_rfc3339(leaf->not_after - threshold));
  }
  return list;
}

json certificate_object(const ReportedCertificate& certificate) {
  json object = status_object(certificate.status);
  object["judgement"] = name_of(certificate.judgement);
  object["why"] = text_or_null(certificate.why);
  object["fix"] = text_or_null(certificate.fix);
  object["planned_renewal"] = time_or_null(certificate.records.planned_renewal);
  object["last_success"] = time_or_null(certificate.records.proven_at);
  object["changed_since"] = text_or_null(certificate.records.changed);
  object["thresholds"] = thresholds_array(certificate);
  object["thresholds_passed"] = certificate.step;
  object["generations"] = generations_array(certificate.records.generations);
  object["rehearsals"] = rehearsals_array(certificate.records.rehearsals);
  object["findings"] = findings_array(certificate.open);
  object["drift"] = certificate.drift;
  object["in_period"] = tally_object(certificate.tally);
  object["events"] = moments_array(certificate.story);
  object["events_left_out"] = certificate.left_out;
  return object;
}

json watched_array(const std::vector<ReportedWatch>& watched) {
  json list = json::array();
  for (const ReportedWatch& watch : watched) {
    list.push_back({{"name", watch.name},
                    {"place", watch.place},
                    {"ok", watch.ok},
                    {"detail", watch.detail},
                    {"issuer", text_or_null(watch.issuer)},
                    {"not_before", time_or_null(watch.not_before)},
                    {"not_after", time_or_null(watch.not_after)},
                    {"thresholds_passed", watch.step}});
  }
  return list;
}

json alerts_object(const Report& report) {
  json open = json::array();
  for (const ReportedAlert& each : report.alerts) {
    json object = finding_values(each.alert.finding);
    object["raised_at"] = acme::format_rfc3339(each.alert.raised_at);
    object["told_at"] = time_or_null(each.alert.told_at());
    object["silence"] = each.silence ? silence_values(*each.silence) : json(nullptr);
    open.push_back(std::move(object));
  }
  json silences = json::array();
  for (const Silence& silence : report.silences) silences.push_back(silence_values(silence));
  json channels = json::array();
  for (const ReportedChannel& channel : report.channels) {
    channels.push_back(channel_values(channel.name, channel.type, channel.record, channel.waiting));
  }
  return {{"open", std::move(open)},
          {"silences", std::move(silences)},
          {"channels", std::move(channels)}};
}

json months_array(const std::vector<ReportedMonth>& months) {
  json list = json::array();
  for (const ReportedMonth& month : months) {
    list.push_back({{"month", month.month},
                    {"record", name_of(month.record)},
                    {"torn_lines", month.torn_lines}});
  }
  return list;
}

}  // namespace

std::string report_document(const Report& report, int indent) {
  json certificates = json::array();
  for (const ReportedCertificate& certificate : report.certificates) {
    certificates.push_back(certificate_object(certificate));
  }
  json others = json::array();
  for (const ReportedOther& other : report.others) {
    others.push_back(
        {{"name", other.name}, {"watched", other.watched}, {"events", moments_array(other.story)}});
  }
  json document{{"schema", 1},
                {"ok", report.judgement() == Judgement::fine},
                {"judgement", name_of(report.judgement())},
                {"verdict", verdict_of(report)},
                {"host", report.host},
                {"since", acme::format_rfc3339(report.since)},
                {"until", acme::format_rfc3339(report.until)},
                {"at", acme::format_rfc3339(report.made_at)},
                {"in_period", tally_object(report.tally)},
                {"certificates", std::move(certificates)},
                {"watched", watched_array(report.watched)},
                {"others", std::move(others)},
                {"findings", findings_array(report.host_findings)},
                {"self_tested_at", time_or_null(report.self_tested_at)},
                {"alerts", alerts_object(report)},
                {"events", moments_array(report.host_story)},
                {"events_left_out", report.host_left_out},
                {"record", months_array(report.months)},
                {"problems", report.problems}};
  return acme::dump(document, indent) + "\n";
}

}  // namespace nolapse
