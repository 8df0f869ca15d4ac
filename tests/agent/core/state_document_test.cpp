// The schema of state files: older ones are lifted, newer ones refused, and what the first version
// wrote can still be read.
#include "agent/core/state_document.h"

#include <doctest/doctest.h>

#include <array>

#include "agent/core/store_documents.h"

using namespace nolapse;
using nlohmann::json;

namespace {

// A document with a past: minutes became seconds, then moved into an object.
constexpr std::array<SchemaStep, 2> steps = {
    [](json& document) {
      document["wait_seconds"] = document.at("wait_minutes").get<int>() * 60;
      document.erase("wait_minutes");
    },
    [](json& document) {
      document["wait"] = {{"seconds", document.at("wait_seconds")}};
      document.erase("wait_seconds");
    }};

}  // namespace

TEST_CASE("a document of any older schema is lifted to the present one, a newer one refused") {
  struct Case {
    const char* text;
    const char* refusal;  // empty: it is read
  };
  for (const Case& each : {
           Case{R"({"schema":1,"wait_minutes":2})", ""},
           Case{R"({"schema":2,"wait_seconds":120})", ""},
           Case{R"({"schema":3,"wait":{"seconds":120}})", ""},
           Case{R"({"schema":4,"wait":{"seconds":120}})",
                "written by a newer nolapse (schema 4, this one knows up to 3)"},
           Case{R"({"schema":0,"wait_minutes":2})", "it carries no schema number"},
           Case{R"({"schema":-1})", "it carries no schema number"},
           Case{R"({"schema":"1","wait_minutes":2})", "it carries no schema number"},
           Case{R"({"wait_minutes":2})", "it carries no schema number"},
           Case{R"([])", "not a JSON object"},
           Case{"", "not a JSON object"},
       }) {
    CAPTURE(each.text);
    const auto document = open_state_document(each.text, steps);
    CHECK(document.has_value() == (*each.refusal == '\0'));
    if (!document) {
      CHECK(document.error().message == each.refusal);
      continue;
    }
    CHECK(document->at("wait").at("seconds") == 120);
    CHECK(document->size() == 2);
  }
}

TEST_CASE("a document is written in the present schema and read again without a step") {
  const auto document = open_state_document(state_document({{"wait", 1}}, steps), steps);
  REQUIRE(document);
  CHECK(*document == json{{"schema", 3}, {"wait", 1}});
  CHECK(json::parse(state_document({})).at("schema") == 1);
}

// As they were on disks then; members that were added since are missing.
TEST_CASE("what the first version wrote is read") {
  const auto schedule = read_schedule(R"({
  "failures": 2,
  "last_attempt": "2026-11-23T09:00:00Z",
  "last_error": {
    "at": "2026-11-23T09:00:00Z",
    "code": "CA_UNREACHABLE",
    "kind": "transient",
    "message": "no route",
    "problem": "",
    "retry_after": null
  },
  "next_attempt": "2026-11-23T09:02:00Z",
  "schema": 1
})");
  REQUIRE(schedule);
  CHECK(schedule->failures == 2);
  CHECK(schedule->last_error->code == "CA_UNREACHABLE");
  CHECK(schedule->next_attempt == acme::parse_rfc3339("2026-11-23T09:02:00Z"));
  CHECK_FALSE(schedule->renewal_info.has_value());
  CHECK(schedule->refused.empty());
  CHECK(schedule->alarm == SavedAlarm{});
  CHECK(schedule->configuration.empty());

  const auto deployments = read_deployments(R"({
  "schema": 1,
  "targets": {
    "nginx": { "failures": 0, "generation": 3, "last_error": null, "stage": "verified" }
  }
})");
  REQUIRE(deployments);
  CHECK(deployments->at("nginx").stage == DeploymentStage::verified);
  CHECK_FALSE(deployments->at("nginx").next_attempt.has_value());

  Generation generation;
  REQUIRE(read_meta(R"({
  "ca": "letsencrypt",
  "ca_directory": "https://ca.test/directory",
  "identifiers": [ "shop.test" ],
  "issued_at": "2026-11-23T09:00:00Z",
  "key_type": "ecdsa-p256",
  "order_url": "https://ca.test/order/1",
  "profile": "",
  "schema": 1
})",
                    generation));
  CHECK(generation.ca == "letsencrypt");
  CHECK(generation.account_url.empty());
}
