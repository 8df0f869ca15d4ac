// What was taken back, until when, and what ends first: as tables.
#include "agent/core/withheld.h"

#include <doctest/doctest.h>

#include "agent/core/schedule.h"

using namespace nolapse;
using namespace std::chrono_literals;
using Stage = DeploymentStage;

namespace {

const Time noon = *acme::parse_rfc3339("2026-11-23T12:00:00Z");
constexpr Duration day = 24h;

// Of ninety days, with that much left.
Generation generation(unsigned number, Duration left) {
  Generation generation;
  generation.number = number;
  acme::Certificate leaf;
  leaf.not_after = noon + left;
  leaf.not_before = leaf.not_after - 90 * day;
  leaf.fingerprint_sha256 = "fingerprint " + std::to_string(number);
  generation.issued_at = leaf.not_before;
  generation.chain = {leaf};
  return generation;
}

DeploymentRecord has(unsigned number, unsigned withdrawn = 0) {
  DeploymentRecord record;
  record.stage = Stage::verified;
  record.generation = number;
  record.withdrawn = withdrawn;
  return record;
}

Result<Generation> error(const char* code) {
  return fail(ErrorKind::local, code, "why");
}

}  // namespace

TEST_CASE("what was taken back stays away while the one before is good") {
  struct Row {
    const char* what;
    Result<Generation> former;
    Generation newest;
    bool over;
  };
  const Row rows[] = {
      {"much is left", generation(1, 60 * day), generation(2, 80 * day), false},
      {"a sixth and an hour is left", generation(1, 15 * day + 1h), generation(2, 80 * day), false},
      {"less than a sixth is left", generation(1, 15 * day - 1h), generation(2, 80 * day), true},
      {"it has expired", generation(1, -1h), generation(2, 80 * day), true},
      {"its key is lost", error("FILE_MISSING"), generation(2, 80 * day), true},
      {"its key is another", error("BAD_GENERATION"), generation(2, 80 * day), true},
      {"nobody may look", error("PERMISSION_DENIED"), generation(2, 80 * day), false},
      {"neither is good", generation(1, -1h), generation(2, -1h), false},
      {"a newer one is there", generation(1, 60 * day), generation(3, 80 * day), false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    DeploymentRecords records{{"a", has(1, 2)}, {"b", has(1, 2)}};
    const auto reasons = end_withdrawals(records, row.newest, {{1, row.former}}, {}, noon);
    CHECK(reasons.size() == (row.over ? 1 : 0));
    CHECK(records.at("a").withdrawn == (row.over ? 0 : 2));
    CHECK(records.at("b").withdrawn == records.at("a").withdrawn);
  }
  DeploymentRecords records{{"a", has(1, 2)}, {"b", has(0, 2)}, {"c", has(2)}};
  const SavedRevocation revocation{"fingerprint 1", {noon, "superseded"}};
  const auto reasons = end_withdrawals(records, generation(2, 80 * day),
                                       {{1, generation(1, 60 * day)}}, revocation, noon);
  CHECK(reasons == std::vector<std::string>{"generation 1: the CA has revoked it (superseded)",
                                            "nothing else was there"});
  DeploymentRecords revoked{{"a", has(1, 2)}};
  CHECK(end_withdrawals(revoked, generation(2, 80 * day), {{1, generation(1, -1h)}},
                        SavedRevocation{"fingerprint 2", {noon, "superseded"}}, noon)
            .empty());
}

TEST_CASE("of what targets have, the first to end counts, where it ends before the newest") {
  CertificateSpec spec;
  spec.deploy = {"a", "b", "c", "d"};
  const Generation newest = generation(4, 80 * day);
  const KnownGenerations had{{1, generation(1, 5 * day)},
                             {2, generation(2, 3 * day)},
                             {3, error("FILE_MISSING")},
                             {5, generation(5, 85 * day)}};
  const DeploymentRecords records{
      {"a", has(1, 4)}, {"b", has(2)}, {"c", has(3)}, {"d", has(5)}, {"gone", has(1, 4)}};
  CHECK(first_to_end(spec, records, newest, had)->target == "b");
  CHECK_FALSE(first_to_end(spec, records, newest, had)->taken_back);
  CHECK(first_to_end(spec, records, newest, had, true)->target == "a");
  CHECK(first_to_end(spec, records, newest, had, true)->taken_back);
  spec.deploy = {"c", "d"};
  CHECK_FALSE(first_to_end(spec, records, newest, had));
  CHECK(describe({"a", generation(1, 5 * day), true}, 4, noon) ==
        "target a has generation 1: it expires in 5d (2026-11-28T12:00:00Z), and generation 4 was "
        "taken back from it");
}

TEST_CASE("a lost generation is one that live/ names above all that are whole") {
  CHECK(lost_generation({}, 2) == 0);
  CHECK(lost_generation(1, 2) == 0);
  CHECK(lost_generation(2, 2) == 0);
  CHECK(lost_generation(3, 2) == 3);
}

TEST_CASE("what is in use instead of the newest brings its renewal forward") {
  Config config;
  CertificateSpec spec;
  RenewalInput input{spec, config};
  const Generation newest = generation(2, 88 * day);
  input.newest = &newest;
  input.now = noon;
  struct Row {
    const char* what;
    Duration left;  // of what is in use
    Duration due_in;
  };
  const Row rows[] = {
      {"taken back early: at its own renewal point", 80 * day, 50 * day},
      // Issued two days ago; little is left in seven days.
      {"taken back after its renewal point: halfway", 22 * day, 2 * day + 12h},
      {"hardly anything is left", 1 * day, -2 * day},
  };
  CHECK(next_renewal(input).at == noon + 58 * day);
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const Generation used = generation(1, row.left);
    input.in_use_instead = &used;
    const Due due = next_renewal(input);
    CHECK(due.at == noon + row.due_in);
    CHECK(due.by_time);
    CHECK(due.now == (row.due_in <= 0h));
    CHECK(due.reason.starts_with("generation 2 was taken back"));
  }
  input.in_use_instead = nullptr;
  input.lost = 3;
  CHECK(next_renewal(input).now);
  CHECK(next_renewal(input).reason == "generation 3, which live/ names, is lost");
}
