#include "agent/front/json_output.h"

#include <algorithm>
#include <utility>

#include "acme/json_read.h"
#include "agent/front/json_values.h"

namespace nolapse {
namespace {

using nlohmann::json;

json problem_or_null(const std::string& problem) {
  const json document = json::parse(problem, nullptr, false);
  return document.is_object() ? document : json(nullptr);
}

json error_object(const std::optional<SavedError>& error) {
  if (!error) return nullptr;
  return {{"at", acme::format_rfc3339(error->at)},
          {"code", error->code},
          {"message", error->message},
          {"problem", problem_or_null(error->problem)}};
}

}  // namespace

json error_object(const Error& error) {
  return {{"code", error.code},
          {"kind", acme::name_of(error.kind)},
          {"message", error.message},
          {"problem", problem_or_null(error.problem)},
          {"retry_after", time_or_null(error.retry_after)}};
}

namespace {

json domains_array(const std::vector<acme::Identifier>& domains) {
  json list = json::array();
  for (const acme::Identifier& domain : domains) list.push_back(domain.value);
  return list;
}

json wait_object(const TargetWait& wait) {
  return {{"generation", wait.generation},
          {"reason", name_of(wait.reason)},
          {"until", time_or_null(wait.until)}};
}

json doubts_array(const std::vector<Finding>& doubts) {
  json list = json::array();
  for (const Finding& doubt : doubts) {
    list.push_back({{"code", doubt.code},
                    {"subject", text_or_null(doubt.subject)},
                    {"severity", name_of(doubt.severity)},
                    {"summary", doubt.summary},
                    {"evidence", doubt.evidence},
                    {"fix", doubt.fix},
                    {"since", time_or_null(doubt.since)}});
  }
  return list;
}

// Nothing that counts: null, and the age of the certificate's issue.
json rehearsals_array(const std::map<std::string, RehearsalStanding>& rehearsals) {
  json list = json::array();
  for (const auto& [ca, standing] : rehearsals) {
    if (standing.state == RehearsalStanding::State::not_wanted) continue;
    const auto& record = standing.record;
    list.push_back({{"ca", ca},
                    {"result", record ? json(name_of(record->result)) : json(nullptr)},
                    {"at", acme::format_rfc3339(standing.at)},
                    {"age", name_of(standing.age)},
                    {"not_shown", record ? json(record->not_shown) : json::array()}});
  }
  return list;
}

json deployments_array(const DeploymentRecords& records,
                       const std::vector<TargetWait>& waits = {}) {
  json list = json::array();
  for (const auto& [target, record] : records) {
    list.push_back({{"target", target},
                    {"stage", name_of(record.stage)},
                    {"generation", record.generation},
                    {"last_error", error_object(record.last_error)}});
    const auto wait =
        std::find_if(waits.begin(), waits.end(),
                     [&name = target](const TargetWait& each) { return each.target == name; });
    if (wait != waits.end()) list.back()["waits"] = wait_object(*wait);
  }
  return list;
}

json endpoints_array(const std::vector<EndpointState>& endpoints) {
  json list = json::array();
  for (const EndpointState& state : endpoints) {
    list.push_back({{"endpoint", state.endpoint},
                    {"address", text_or_null(state.address)},
                    {"ok", state.ok()},
                    {"fingerprint_sha256", text_or_null(state.fingerprint_sha256)},
                    {"not_after", time_or_null(state.not_after)},
                    {"detail", state.detail}});
  }
  return list;
}

// Members that say which certificate it is; null where there is none.
void add_generation(json& object, const std::optional<Generation>& generation) {
  const acme::Certificate* leaf = generation ? &generation->leaf() : nullptr;
  object["generation"] = generation ? json(generation->number) : json(nullptr);
  object["serial"] = leaf != nullptr ? json(leaf->serial_number) : json(nullptr);
  object["fingerprint_sha256"] = leaf != nullptr ? json(leaf->fingerprint_sha256) : json(nullptr);
  object["not_before"] = leaf != nullptr ? json(acme::format_rfc3339(leaf->not_before)) : nullptr;
  object["not_after"] = leaf != nullptr ? json(acme::format_rfc3339(leaf->not_after)) : nullptr;
}

json proof_object(const std::optional<SavedProof>& proof) {
  if (!proof) return nullptr;
  return {{"challenge", proof->challenge},
          {"at", acme::format_rfc3339(proof->at)},
          {"took_seconds", std::chrono::floor<std::chrono::seconds>(proof->took).count()},
          {"seen", proof->seen}};
}

json standby_object(const CertificateStatus& standby) {
  const auto& generation = standby.generation;
  return {{"ca", standby.ca},
          {"generation", generation ? json(generation->number) : json(nullptr)},
          {"not_after",
           generation ? json(acme::format_rfc3339(generation->leaf().not_after)) : json(nullptr)},
          {"renewal", name_of(standby.renewal)},
          {"next_attempt", time_or_null(standby.next_attempt)},
          {"renew_reason", standby.renew_reason},
          {"last_error", error_object(standby.last_error)},
          {"failures", standby.failures}};
}

std::string document_of(const char* member, json list) {
  return acme::dump(json{{"schema", 1}, {member, std::move(list)}}, 2) + "\n";
}

}  // namespace

nlohmann::json status_object(const CertificateStatus& status) {
  json object{{"name", status.name},
              {"domains", domains_array(status.domains)},
              {"ca", status.ca},
              {"profile", text_or_null(status.profile)},
              {"serving", name_of(status.serving)},
              {"renewal", name_of(status.renewal)},
              {"next_attempt", time_or_null(status.next_attempt)},
              {"renew_reason", status.renew_reason},
              {"last_error", error_object(status.last_error)},
              {"failures", status.failures},
              {"proof", proof_object(status.proof)},
              {"deployments", deployments_array(status.deployments, status.waits)},
              {"doubts", doubts_array(status.doubts)},
              {"rehearsals", rehearsals_array(status.rehearsals)},
              {"endpoints", endpoints_array(status.endpoints)}};
  add_generation(object, status.generation);
  if (status.standby) object["standby"] = standby_object(*status.standby);
  return object;
}

json facts_object(const acme::Certificate* certificate) {
  const bool known = certificate != nullptr;
  return {{"names", known ? domains_array(certificate->subject_alternative_names) : json::array()},
          {"not_before", known ? json(acme::format_rfc3339(certificate->not_before)) : nullptr},
          {"not_after", known ? json(acme::format_rfc3339(certificate->not_after)) : nullptr},
          {"issuer", known ? json(acme::printable(certificate->issuer, 300)) : nullptr},
          {"fingerprint_sha256", known ? json(certificate->fingerprint_sha256) : nullptr}};
}

namespace {

json watched_array(const std::vector<WatchedCertificate>& all) {
  json list = json::array();
  for (const WatchedCertificate& watched : all) {
    json object = facts_object(watched.leaf ? &*watched.leaf : nullptr);
    object["name"] = watched.watch;
    object["endpoint"] = text_or_null(watched.endpoint);
    object["address"] = text_or_null(watched.address);
    object["file"] = text_or_null(watched.file);
    object["ok"] = watched.ok();
    object["state"] = name_of(watched.state);
    object["detail"] = watched.detail;
    list.push_back(std::move(object));
  }
  return list;
}

}  // namespace

std::string status_document(const std::vector<CertificateStatus>& certificates,
                            const std::vector<WatchedCertificate>& watched) {
  json list = json::array();
  for (const CertificateStatus& status : certificates) list.push_back(status_object(status));
  return acme::dump(json{{"schema", 1},
                         {"certificates", std::move(list)},
                         {"watched", watched_array(watched)}},
                    2) +
         "\n";
}

// Each is written by itself: ten thousand as one JSON value would take a hundred megabytes.
std::string known_status_document(const std::vector<KnownStatusPointer>& certificates,
                                  const std::vector<KnownWatchPointer>& watched, Time as_of) {
  std::string text =
      "{\"schema\": 1, \"as_of\": \"" + acme::format_rfc3339(as_of) + "\", \"certificates\": [";
  const char* before = "\n";
  for (const KnownStatusPointer& known : certificates) {
    text += std::exchange(before, ",\n");
    text += acme::dump(status_object(known->status));
  }
  text += "\n], \"watched\": [";
  before = "\n";
  for (const KnownWatchPointer& places : watched) {
    for (const json& place : watched_array(*places)) {
      text += std::exchange(before, ",\n");
      text += acme::dump(place);
    }
  }
  return text + "\n]}\n";
}

namespace {

json spent_object(const std::optional<TimeSpent>& spent) {
  json object = json::object();
  for (std::size_t i = 0; spent && i < TimeSpent::phases; ++i) {
    const auto phase = static_cast<TimeSpent::Phase>(i);
    object[TimeSpent::name_of(phase)] = spent->in(phase).count();
  }
  return object;
}

}  // namespace

std::string renew_document(const std::vector<CertificateOutcome>& outcomes) {
  json list = json::array();
  for (const CertificateOutcome& outcome : outcomes) {
    json object{{"name", outcome.name},
                {"action", name_of(outcome.action)},
                {"reason", outcome.reason},
                {"issued", outcome.issued},
                {"error", outcome.error ? error_object(*outcome.error) : json(nullptr)},
                {"deployments", deployments_array(outcome.deployments)},
                {"endpoints", endpoints_array(outcome.endpoints)},
                {"took_ms", outcome.took.count()},
                {"spent_ms", spent_object(outcome.spent)}};
    add_generation(object, outcome.generation);
    list.push_back(std::move(object));
  }
  return document_of("certificates", std::move(list));
}

std::string problems_document(const std::vector<ConfigProblem>& problems) {
  json list = json::array();
  for (const ConfigProblem& problem : problems) {
    list.push_back({{"file", problem.file},
                    {"line", problem.line},
                    {"key", problem.key},
                    {"reason", problem.reason},
                    {"fix", problem.fix}});
  }
  return acme::dump(json{{"schema", 1}, {"ok", problems.empty()}, {"problems", list}}, 2) + "\n";
}

std::string forgotten_document(const std::string& name) {
  return acme::dump(json{{"schema", 1}, {"forgotten", name}}, 2) + "\n";
}

std::string forgotten_line(const std::string& name) {
  return name + ": forgotten, and all its files are removed\n";
}

std::string error_document(const Error& error) {
  return acme::dump(json{{"schema", 1}, {"error", error_object(error)}}, 2) + "\n";
}

}  // namespace nolapse
