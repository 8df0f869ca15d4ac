// The JSON documents of the state directory: there and back, and everything that is none.
#include "agent/core/store_documents.h"

#include <doctest/doctest.h>

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

const Time now = *acme::parse_rfc3339("2026-11-23T09:00:00Z");
const SavedError error{now, "input", "CA_CAA", "CAA forbids", R"({"type":"caa"})", now};

}  // namespace

TEST_CASE("an issuance comes back as it was saved") {
  SavedIssuance issuance;
  issuance.ca = "ca";
  issuance.ca_directory = "https://ca/directory";
  issuance.challenge = "web";
  issuance.profile = "shortlived";
  issuance.key_type = acme::KeyType::rsa_3072;
  issuance.identifiers = {{"dns", "*.shop.test"}, {"ip", "2001:db8::1"}};
  issuance.generation = 7;
  issuance.placed_at = now;
  issuance.stuck = true;
  issuance.state.order_url = "https://ca/order/1";
  issuance.state.presented = {{{"dns", "shop.test"}, true, "http-01", "u", "token", ""}};
  const auto read = read_issuance(write_document(issuance));
  REQUIRE(read);
  CHECK(read->ca == issuance.ca);
  CHECK(read->ca_directory == issuance.ca_directory);
  CHECK(read->challenge == issuance.challenge);
  CHECK(read->profile == issuance.profile);
  CHECK(read->key_type == issuance.key_type);
  CHECK(read->identifiers == issuance.identifiers);
  CHECK(read->generation == 7);
  CHECK(read->placed_at == now);
  CHECK(read->stuck);
  CHECK(read->state == issuance.state);
}

TEST_CASE("rehearsals come back as they were saved, and an unknown result is a failure") {
  RehearsalRecord record;
  record.at = now;
  record.result = RehearsalResult::partial;
  record.not_shown = {"an order", "the hook of nginx"};
  record.error = error;
  record.proof_fresh = true;
  record.took = 1500ms;
  record.configuration = "digest";
  record.staging = "https://staging/directory";
  record.failures = 3;
  record.jitter = 42;
  const std::string text = write_document(RehearsalRecords{{"ca", record}});
  const auto read = read_rehearsals(text);
  REQUIRE(read);
  REQUIRE(read->contains("ca"));
  const RehearsalRecord& back = read->at("ca");
  CHECK(back.at == now);
  CHECK(back.result == RehearsalResult::partial);
  CHECK(back.not_shown == record.not_shown);
  CHECK(back.error->message == "CAA forbids");
  CHECK(back.proof_fresh);
  CHECK(back.took == 1500ms);
  CHECK(back.configuration == "digest");
  CHECK(back.staging == "https://staging/directory");
  CHECK(back.failures == 3);
  CHECK(back.jitter == 42);
  CHECK(read_rehearsals(R"({"schema":1,"cas":{"ca":{"at":"2026-11-23T09:00:00Z"}}})")
            ->at("ca")
            .result == RehearsalResult::failed);
  CHECK_FALSE(read_rehearsals("{}").has_value());
}

TEST_CASE("deployments and schedules come back as they were saved") {
  DeploymentRecords records;
  records["nginx"] = {DeploymentStage::failed, 3, 2, now, error};
  records["postfix"] = {DeploymentStage::verified, 4, 0, {}, {}};
  const auto read = read_deployments(write_document(records));
  REQUIRE(read);
  CHECK(read->at("nginx").stage == DeploymentStage::failed);
  CHECK(read->at("nginx").failures == 2);
  CHECK(read->at("nginx").next_attempt == now);
  CHECK(read->at("nginx").last_error->message == "CAA forbids");
  CHECK(read->at("nginx").last_error->retry_after == now);
  CHECK(read->at("postfix").generation == 4);
  CHECK_FALSE(read->at("postfix").last_error.has_value());

  const auto schedule = read_schedule(
      write_document(ScheduleRecord{5,
                                    now,
                                    {},
                                    error,
                                    SavedRenewalInfo{"f", now, now, now, "u", now, now + 1h},
                                    {{"www", 2}},
                                    {3, now},
                                    "digest",
                                    SavedRevocation{"r", {now, "superseded"}},
                                    "web",
                                    SavedProof{"web", now, acme::Duration(83s), false}}));
  REQUIRE(schedule);
  CHECK(schedule->failures == 5);
  CHECK(schedule->last_attempt == now);
  CHECK_FALSE(schedule->next_attempt.has_value());
  CHECK(schedule->last_error->code == "CA_CAA");
  CHECK(schedule->renewal_info->fingerprint_sha256 == "f");
  CHECK(schedule->renewal_info->instant == now);
  CHECK(schedule->renewal_info->recall_answered_at == now + 1h);
  CHECK(schedule->refused == std::map<std::string, int>{{"www", 2}});
  CHECK(schedule->alarm == SavedAlarm{3, now});
  CHECK(schedule->configuration == "digest");
  CHECK(schedule->revocation->fingerprint_sha256 == "r");
  CHECK(schedule->revocation->revocation.at == now);
  CHECK(schedule->revocation->revocation.reason == "superseded");
  CHECK(schedule->challenge == "web");
  CHECK(schedule->proof == SavedProof{"web", now, acme::Duration(83s), false});
  CHECK_FALSE(read_schedule(write_document(ScheduleRecord{}))->proof);
  ScheduleRecord record;
  record.proven_at = now;
  record.proven = {{"the configuration", "abc"}, {"hook /a", "def"}};
  const auto proven = read_schedule(write_document(record));
  CHECK(proven->proven_at == now);
  CHECK(proven->proven == record.proven);
  CHECK_FALSE(read_schedule(write_document(ScheduleRecord{}))->revocation);
}

TEST_CASE("a document that is broken, foreign or newer is an error that says so") {
  for (const char* text : {"", "{", "[]", "null", "{}", R"({"schema":"1"})"}) {
    CAPTURE(text);
    CHECK(read_issuance(text).error().code == "BAD_STATE");
    CHECK(read_deployments(text).error().code == "BAD_STATE");
    CHECK(read_schedule(text).error().code == "BAD_STATE");
  }
  CHECK(read_schedule(R"({"schema":2})").error().message.find("schema 2") != std::string::npos);
  CHECK(read_issuance(R"({"schema":1})").error().code == "BAD_STATE");
}

TEST_CASE("in deployments, members of the wrong type are as good as absent") {
  const auto records = read_deployments(R"({"schema":1,"targets":{"a":7,"b":{"stage":"flying"}}})");
  REQUIRE(records);
  CHECK(records->at("b").stage == DeploymentStage::issued);
}

TEST_CASE("a schedule with a member of another kind is damaged, and the member is named") {
  const std::pair<const char*, const char*> rows[] = {
      {R"("failures":"many")", "failures"},
      {R"("failures":1.5)", "failures"},
      {R"("next_attempt":7)", "next_attempt"},
      {R"("last_attempt":"soon")", "last_attempt"},
      {R"("last_error":[])", "last_error"},
      {R"("refused":[3])", "refused"},
      {R"("alarm":4)", "alarm"},
      {R"("renewal_info":"none")", "renewal_info"},
      {R"("configuration":{})", "configuration"},
      // Absence is the default, and so is null; others may have added what we do not know.
      {R"("failures":2,"next_attempt":null,"last_error":null,"added_later":[1])", ""},
      {R"("next_attempt":"2026-11-23T09:00:00Z")", ""},
  };
  for (const auto& [members, damaged] : rows) {
    const std::string text = R"({"schema":1,)" + std::string(members) + "}";
    CAPTURE(text);
    const auto schedule = read_schedule(text);
    CHECK(schedule.has_value() == (*damaged == '\0'));
    if (!schedule) {
      CHECK(schedule.error().code == "BAD_STATE");
      CHECK(schedule.error().message.starts_with(damaged));
    }
  }
}
