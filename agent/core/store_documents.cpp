#include "agent/core/store_documents.h"

#include <algorithm>
#include <array>

#include "acme/json_read.h"
#include "agent/core/state_document.h"

namespace nolapse {
namespace {

using acme::bool_member;
using acme::string_member;
using acme::time_member;
using nlohmann::json;

struct StageName {
  DeploymentStage stage;
  const char* name;
};
constexpr std::array<StageName, 6> stage_names = {{
    {DeploymentStage::issued, "issued"},
    {DeploymentStage::installed, "installed"},
    {DeploymentStage::reloaded, "reloaded"},
    {DeploymentStage::verified, "verified"},
    {DeploymentStage::failed, "failed"},
    {DeploymentStage::rolled_back, "rolled_back"},
}};

// Member by member: a list in braces is built three times over.
class Writer {
 public:
  Writer& add(const char* name, json value) {
    document_.emplace(name, std::move(value));
    return *this;
  }
  json take() { return std::move(document_); }
  std::string text() { return state_document(take()); }

 private:
  json document_ = json::object();
};

json time_or_null(const std::optional<Time>& time) {
  return time ? json(acme::format_rfc3339(*time)) : json(nullptr);
}

json error_or_null(const std::optional<SavedError>& error) {
  if (!error) return nullptr;
  return Writer()
      .add("at", acme::format_rfc3339(error->at))
      .add("kind", error->kind)
      .add("code", error->code)
      .add("message", error->message)
      .add("problem", error->problem)
      .add("retry_after", time_or_null(error->retry_after))
      .take();
}

std::optional<SavedError> read_error(const json& object) {
  if (object.empty()) return {};
  return SavedError{time_member(object, "at").value_or(Time{}),
                    string_member(object, "kind"),
                    string_member(object, "code"),
                    string_member(object, "message"),
                    string_member(object, "problem"),
                    time_member(object, "retry_after")};
}

bool is_time_or_null(const json& value) {
  return value.is_null() || (value.is_string() && acme::parse_rfc3339(value.get<std::string>()));
}

json names_of(const std::vector<acme::Identifier>& identifiers) {
  json list = json::array();
  for (const acme::Identifier& identifier : identifiers) list.push_back(identifier.value);
  return list;
}

std::vector<acme::Identifier> read_names(const json& document) {
  std::vector<acme::Identifier> identifiers;
  for (const std::string& name : acme::string_list_member(document, "identifiers")) {
    auto identifier = acme::parse_identifier(name);
    if (identifier) identifiers.push_back(std::move(*identifier));
  }
  return identifiers;
}

int small_integer(const json& object, const char* name) {
  return static_cast<int>(acme::integer_member(object, name).value_or(0) & 0x7fffffff);
}

}  // namespace

const char* name_of(DeploymentStage stage) {
  for (const StageName& entry : stage_names) {
    if (entry.stage == stage) return entry.name;
  }
  return "failed";
}

SavedError save_error(const Error& error, Time at) {
  return {
      at, acme::name_of(error.kind), error.code, error.message, error.problem, error.retry_after};
}

std::string write_document(const SavedIssuance& issuance) {
  return Writer()
      .add("ca", issuance.ca)
      .add("ca_directory", issuance.ca_directory)
      .add("account_url", issuance.account_url)
      .add("challenge", issuance.challenge)
      .add("profile", issuance.profile)
      .add("key_type", acme::name_of(issuance.key_type))
      .add("identifiers", names_of(issuance.identifiers))
      .add("generation", issuance.generation)
      .add("placed_at", acme::format_rfc3339(issuance.placed_at))
      .add("stuck", issuance.stuck)
      .add("order", acme::to_json(issuance.state))
      .text();
}

Result<SavedIssuance> read_issuance(std::string_view text) {
  const auto document = open_state_document(text);
  if (!document) return fail(document.error());
  SavedIssuance issuance;
  issuance.ca = string_member(*document, "ca");
  issuance.ca_directory = string_member(*document, "ca_directory");
  issuance.account_url = string_member(*document, "account_url");
  issuance.challenge = string_member(*document, "challenge");
  issuance.profile = string_member(*document, "profile");
  const auto key_type = acme::parse_key_type(string_member(*document, "key_type"));
  issuance.identifiers = read_names(*document);
  issuance.generation = static_cast<unsigned>(small_integer(*document, "generation"));
  issuance.placed_at = time_member(*document, "placed_at").value_or(Time{});
  issuance.stuck = bool_member(*document, "stuck");
  auto state = acme::parse_issuance_state(acme::object_member(*document, "order"));
  if (!state || !key_type || issuance.generation == 0) {
    return fail(ErrorKind::local, "BAD_STATE", "it is no saved issuance");
  }
  issuance.key_type = *key_type;
  issuance.state = std::move(*state);
  return issuance;
}

std::string write_document(const LeftProofs& left) {
  return Writer()
      .add("challenge", left.challenge)
      .add("left", acme::to_json(acme::IssuanceState{{}, left.proofs}))
      .text();
}

Result<LeftProofs> read_left_proofs(std::string_view text) {
  const auto document = open_state_document(text);
  if (!document) return fail(document.error());
  auto state = acme::parse_issuance_state(acme::object_member(*document, "left"));
  if (!state) return fail(state.error());
  return LeftProofs{string_member(*document, "challenge"), std::move(state->presented)};
}

std::string write_document(const DeploymentRecords& records) {
  json targets = json::object();
  for (const auto& [target, record] : records) {
    targets[target] = Writer()
                          .add("stage", name_of(record.stage))
                          .add("generation", record.generation)
                          .add("failures", record.failures)
                          .add("next_attempt", time_or_null(record.next_attempt))
                          .add("last_error", error_or_null(record.last_error))
                          .add("judged", record.judged)
                          .add("former", record.former)
                          .add("withdrawn", record.withdrawn)
                          .take();
  }
  return Writer().add("targets", std::move(targets)).text();
}

namespace {

// What nolapse does not write says nothing of the target, and may say what is wrong: the first such
// member; empty: none. It may be missing, and others may have been added.
std::string damaged_record_member(const json& record) {
  const auto is_number = [](const json& value, std::int64_t limit) {
    return value.is_number_integer() && value.get<std::int64_t>() >= 0 &&
           value.get<std::int64_t>() <= limit;
  };
  const auto is_stage = [](const json& value) {
    return value.is_string() &&
           std::any_of(stage_names.begin(), stage_names.end(), [&](const StageName& entry) {
             return value.get_ref<const std::string&>() == entry.name;
           });
  };
  for (const auto& [name, value] : record.items()) {
    const bool generation = name == "generation" || name == "former" || name == "withdrawn";
    const bool good = generation               ? is_number(value, greatest_generation)
                      : name == "failures"     ? is_number(value, 0x7fffffff)
                      : name == "stage"        ? is_stage(value)
                      : name == "next_attempt" ? is_time_or_null(value)
                      : name == "last_error"   ? value.is_null() || value.is_object()
                      : name == "judged"       ? value.is_boolean()
                                               : true;
    if (!good) return name;
  }
  return {};
}

Result<void> check_deployments(const json& document) {
  const auto damaged = [](const std::string& member) {
    return fail(ErrorKind::local, "BAD_STATE", member + " is not what nolapse writes there");
  };
  const auto targets = document.find("targets");
  if (targets == document.end()) return {};
  if (!targets->is_object()) return damaged("targets");
  for (const auto& [target, record] : targets->items()) {
    const std::string path = "targets." + acme::printable(target, 60);
    if (!record.is_object()) return damaged(path);
    const std::string member = damaged_record_member(record);
    if (!member.empty()) return damaged(path + "." + member);
  }
  return {};
}

}  // namespace

Result<DeploymentRecords> read_deployments(std::string_view text) {
  const auto document = open_state_document(text);
  if (!document) return fail(document.error());
  if (const auto whole = check_deployments(*document); !whole) return fail(whole.error());
  DeploymentRecords records;
  for (const auto& [target, object] : acme::object_member(*document, "targets").items()) {
    DeploymentRecord record;
    const std::string stage = string_member(object, "stage");
    for (const StageName& entry : stage_names) {
      if (stage == entry.name) record.stage = entry.stage;
    }
    record.generation = static_cast<unsigned>(small_integer(object, "generation"));
    record.failures = small_integer(object, "failures");
    record.next_attempt = time_member(object, "next_attempt");
    record.last_error = read_error(acme::object_member(object, "last_error"));
    record.judged = bool_member(object, "judged");
    record.former = static_cast<unsigned>(small_integer(object, "former"));
    record.withdrawn = static_cast<unsigned>(small_integer(object, "withdrawn"));
    records[target] = std::move(record);
  }
  return records;
}

namespace {

json renewal_info_or_null(const std::optional<SavedRenewalInfo>& info) {
  if (!info) return nullptr;
  return Writer()
      .add("fingerprint_sha256", info->fingerprint_sha256)
      .add("start", acme::format_rfc3339(info->start))
      .add("end", acme::format_rfc3339(info->end))
      .add("instant", acme::format_rfc3339(info->instant))
      .add("explanation_url", info->explanation_url)
      .add("poll_after", acme::format_rfc3339(info->poll_after))
      .add("recall_answered_at", time_or_null(info->recall_answered_at))
      .take();
}

std::optional<SavedRenewalInfo> read_renewal_info(const json& object) {
  const auto poll_after = time_member(object, "poll_after");
  if (!poll_after) return {};
  return SavedRenewalInfo{
      string_member(object, "fingerprint_sha256"), time_member(object, "start").value_or(Time{}),
      time_member(object, "end").value_or(Time{}), time_member(object, "instant").value_or(Time{}),
      string_member(object, "explanation_url"),    *poll_after,
      time_member(object, "recall_answered_at")};
}

json revocation_or_null(const std::optional<SavedRevocation>& saved) {
  if (!saved) return nullptr;
  return {{"fingerprint_sha256", saved->fingerprint_sha256},
          {"at", acme::format_rfc3339(saved->revocation.at)},
          {"reason", saved->revocation.reason}};
}

std::optional<SavedRevocation> read_revocation(const json& object) {
  const auto at = time_member(object, "at");
  if (!at) return {};
  return SavedRevocation{string_member(object, "fingerprint_sha256"),
                         {*at, string_member(object, "reason")}};
}

json proof_or_null(const std::optional<SavedProof>& proof) {
  if (!proof) return nullptr;
  return {{"challenge", proof->challenge},
          {"at", acme::format_rfc3339(proof->at)},
          {"took_seconds", std::chrono::floor<std::chrono::seconds>(proof->took).count()},
          {"seen", proof->seen}};
}

ProvenParts read_parts(const json& object) {
  ProvenParts proven;
  const json& parts = acme::object_member(object, "proven");
  for (const auto& [what, digest] : parts.items())
    proven[what] = string_member(parts, what.c_str());
  return proven;
}

std::optional<SavedProof> read_proof(const json& object) {
  const auto at = time_member(object, "at");
  if (!at) return {};
  return SavedProof{string_member(object, "challenge"), *at,
                    std::chrono::seconds(small_integer(object, "took_seconds")),
                    bool_member(object, "seen")};
}

}  // namespace

std::string write_document(const ScheduleRecord& record) {
  json alarm = {{"step", record.alarm.step}, {"at", time_or_null(record.alarm.at)}};
  return Writer()
      .add("failures", record.failures)
      .add("last_attempt", time_or_null(record.last_attempt))
      .add("next_attempt", time_or_null(record.next_attempt))
      .add("last_error", error_or_null(record.last_error))
      .add("renewal_info", renewal_info_or_null(record.renewal_info))
      .add("refused", record.refused)
      .add("configuration", record.configuration)
      .add("challenge", record.challenge)
      .add("revocation", revocation_or_null(record.revocation))
      .add("proof", proof_or_null(record.proof))
      .add("alarm", std::move(alarm))
      .add("proven_at", time_or_null(record.proven_at))
      .add("proven", record.proven)
      .add("served_at", record.served_at)
      .text();
}

namespace {

// The first member that is of another kind than nolapse writes; empty: none. It may be missing.
std::string damaged_member(const json& document) {
  const auto is_object = [](const json& value) { return value.is_null() || value.is_object(); };
  for (const auto& [name, value] : document.items()) {
    const bool number = name == "failures";
    const bool text = name == "configuration" || name == "challenge";
    const bool time = name == "last_attempt" || name == "next_attempt" || name == "proven_at";
    const bool object = name == "last_error" || name == "renewal_info" || name == "refused" ||
                        name == "revocation" || name == "proof" || name == "alarm" ||
                        name == "proven";
    if ((number && !value.is_number_integer()) || (text && !value.is_string()) ||
        (time && !is_time_or_null(value)) || (object && !is_object(value)) ||
        (name == "served_at" && !value.is_array())) {
      return name;
    }
  }
  return {};
}

}  // namespace

Result<ScheduleRecord> read_schedule(std::string_view text) {
  const auto document = open_state_document(text);
  if (!document) return fail(document.error());
  if (const std::string member = damaged_member(*document); !member.empty()) {
    return fail(ErrorKind::local, "BAD_STATE", member + " is not what nolapse writes there");
  }
  const json& alarm = acme::object_member(*document, "alarm");
  std::map<std::string, int> refused;
  const json& counts = acme::object_member(*document, "refused");
  for (const auto& [name, count] : counts.items())
    refused[name] = small_integer(counts, name.c_str());
  return ScheduleRecord{small_integer(*document, "failures"),
                        time_member(*document, "last_attempt"),
                        time_member(*document, "next_attempt"),
                        read_error(acme::object_member(*document, "last_error")),
                        read_renewal_info(acme::object_member(*document, "renewal_info")),
                        std::move(refused),
                        {small_integer(alarm, "step"), time_member(alarm, "at")},
                        string_member(*document, "configuration"),
                        read_revocation(acme::object_member(*document, "revocation")),
                        string_member(*document, "challenge"),
                        read_proof(acme::object_member(*document, "proof")),
                        time_member(*document, "proven_at"),
                        read_parts(*document),
                        acme::string_list_member(*document, "served_at")};
}

const char* name_of(RehearsalResult result) {
  if (result == RehearsalResult::passed) return "passed";
  return result == RehearsalResult::partial ? "partial" : "failed";
}

std::string write_document(const RehearsalRecords& records) {
  json cas = json::object();
  for (const auto& [ca, record] : records) {
    cas[ca] = Writer()
                  .add("at", acme::format_rfc3339(record.at))
                  .add("result", name_of(record.result))
                  .add("not_shown", record.not_shown)
                  .add("error", error_or_null(record.error))
                  .add("proof_fresh", record.proof_fresh)
                  .add("took_ms", record.took.count())
                  .add("configuration", record.configuration)
                  .add("proven", record.proven)
                  .add("staging", record.staging)
                  .add("failures", record.failures)
                  .add("jitter", record.jitter)
                  .take();
  }
  return Writer().add("cas", std::move(cas)).text();
}

// An unknown result is a failure: nothing that could be read says otherwise.
Result<RehearsalRecords> read_rehearsals(std::string_view text) {
  const auto document = open_state_document(text);
  if (!document) return fail(document.error());
  RehearsalRecords records;
  for (const auto& [ca, object] : acme::object_member(*document, "cas").items()) {
    const auto at = time_member(object, "at");
    if (!at) continue;
    RehearsalRecord& record = records[ca];
    record.at = *at;
    const std::string result = string_member(object, "result");
    if (result == "passed") record.result = RehearsalResult::passed;
    if (result == "partial") record.result = RehearsalResult::partial;
    record.not_shown = acme::string_list_member(object, "not_shown");
    record.error = read_error(acme::object_member(object, "error"));
    record.proof_fresh = bool_member(object, "proof_fresh");
    record.took = Duration(small_integer(object, "took_ms"));
    record.configuration = string_member(object, "configuration");
    record.proven = read_parts(object);
    record.staging = string_member(object, "staging");
    record.failures = small_integer(object, "failures");
    record.jitter = static_cast<unsigned>(small_integer(object, "jitter"));
  }
  return records;
}

std::string write_account(const SavedAccount& account) {
  return state_document({{"url", account.url},
                         {"directory", account.directory},
                         {"deactivated", account.deactivated},
                         {"key_change_at", time_or_null(account.key_change_at)},
                         {"agreed_terms", account.agreed_terms}});
}

Result<void> read_account(std::string_view text, SavedAccount& account) {
  const auto document = open_state_document(text);
  if (!document) return fail(document.error());
  account.url = string_member(*document, "url");
  account.directory = string_member(*document, "directory");
  account.deactivated = bool_member(*document, "deactivated");
  account.key_change_at = time_member(*document, "key_change_at");
  account.agreed_terms = string_member(*document, "agreed_terms");
  return {};
}

// A generation that was a standby's is known by its `series` later, too.
std::string write_meta(const SavedIssuance& issuance, const std::string& series, Time issued_at) {
  json meta{{"ca", issuance.ca},
            {"ca_directory", issuance.ca_directory},
            {"account_url", issuance.account_url},
            {"order_url", issuance.state.order_url},
            {"profile", issuance.profile},
            {"identifiers", names_of(issuance.identifiers)},
            {"key_type", acme::name_of(issuance.key_type)},
            {"issued_at", acme::format_rfc3339(issued_at)}};
  if (!series.empty()) meta["series"] = series;
  return state_document(std::move(meta));
}

Result<void> read_meta(std::string_view text, Generation& generation) {
  const auto document = open_state_document(text);
  if (!document) return fail(document.error());
  generation.ca = string_member(*document, "ca");
  generation.ca_directory = string_member(*document, "ca_directory");
  generation.account_url = string_member(*document, "account_url");
  generation.order_url = string_member(*document, "order_url");
  generation.profile = string_member(*document, "profile");
  generation.identifiers = read_names(*document);
  generation.key_type = acme::parse_key_type(string_member(*document, "key_type"));
  generation.issued_at = time_member(*document, "issued_at").value_or(Time{});
  return {};
}

}  // namespace nolapse
