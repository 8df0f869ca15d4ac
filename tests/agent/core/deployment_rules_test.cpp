// When a target gets a certificate, what counts as worse, and what may be gone back to: as tables.
#include "agent/core/deployment_rules.h"

#include <doctest/doctest.h>

#include "agent/core/schedule.h"

using namespace nolapse;
using namespace std::chrono_literals;
using Stage = DeploymentStage;
using When = TargetDue::When;

namespace {

Time at(const char* text) {
  return *acme::parse_rfc3339(text);
}

const Time noon = at("2026-11-23T12:00:00Z");

DeploymentRecord record(Stage stage, unsigned generation) {
  DeploymentRecord record;
  record.stage = stage;
  record.generation = generation;
  return record;
}

Generation generation(unsigned number, Time not_after, const std::string& fingerprint = "f") {
  Generation generation;
  generation.number = number;
  acme::Certificate leaf;
  leaf.not_after = not_after;
  leaf.fingerprint_sha256 = fingerprint;
  generation.chain = {leaf};
  return generation;
}

EndpointState state(const char* endpoint, std::optional<Service> service) {
  EndpointState state;
  state.endpoint = endpoint;
  state.service = service;
  state.detail = "detail";
  return state;
}

}  // namespace

TEST_CASE("a window is two times of a day, and may pass midnight") {
  CHECK(format_window(*parse_window("02:00-05:30")) == "02:00-05:30");
  CHECK(format_window(*parse_window("22:00-24:00")) == "22:00-24:00");
  for (const char* bad : {"", "2:00-5:00", "02:00-02:00", "24:00-25:00", "02:60-03:00",
                          "02:00-05:00 ", "02:00/05:00", "-2:00-05:00", "02:00-24:01"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_window(bad));
  }
  struct Row {
    const char* window;
    const char* now;
    Duration utc_offset;
    Duration wait;
  };
  const Row rows[] = {
      {"02:00-05:00", "2026-11-23T01:00:00Z", 0h, 1h},
      {"02:00-05:00", "2026-11-23T02:00:00Z", 0h, 0h},
      {"02:00-05:00", "2026-11-23T04:59:59Z", 0h, 0h},
      {"02:00-05:00", "2026-11-23T05:00:00Z", 0h, 21h},
      {"02:00-05:00", "2026-11-23T01:00:00Z", 1h, 0h},
      {"02:00-05:00", "2026-11-23T07:00:00Z", -5h, 0h},
      {"22:00-03:00", "2026-11-23T23:00:00Z", 0h, 0h},
      {"22:00-03:00", "2026-11-23T02:59:00Z", 0h, 0h},
      {"22:00-03:00", "2026-11-23T03:00:00Z", 0h, 19h},
      {"22:00-24:00", "2026-11-23T23:59:00Z", 0h, 0h},
      {"22:00-24:00", "2026-11-24T00:00:00Z", 0h, 22h},
  };
  for (const Row& row : rows) {
    CAPTURE(row.window);
    CAPTURE(row.now);
    CHECK(until_window(*parse_window(row.window), at(row.now), row.utc_offset) == row.wait);
  }
}

TEST_CASE("a target is due by what it has, by who asks, and by its window") {
  DeployTarget plain;
  DeployTarget nightly;
  nightly.window = parse_window("02:00-05:00");
  DeploymentRecord failed = record(Stage::failed, 2);
  failed.next_attempt = noon + 1h;
  DeploymentRecord rolled_back = record(Stage::rolled_back, 1);
  rolled_back.next_attempt = noon + 2h;
  DeploymentRecord withdrawn = record(Stage::verified, 1);
  withdrawn.withdrawn = 2;
  const DeploymentRecord older = record(Stage::verified, 1);
  DeploymentRecord done = record(Stage::reloaded, 2);
  done.judged = true;
  const DeploymentRecord unjudged = record(Stage::reloaded, 2);
  const DeploymentRecord torn = record(Stage::installed, 2);
  struct Row {
    const char* what;
    const DeployTarget& target;
    const DeploymentRecord* record;
    bool again;
    Patience patience;
    When when;
    Time at;
  };
  const Time tonight = at("2026-11-24T02:00:00Z");
  const Row rows[] = {
      {"never deployed", plain, nullptr, false, Patience::all, When::now, {}},
      {"never deployed, with a window", nightly, nullptr, false, Patience::all, When::now, {}},
      {"has the older", plain, &older, false, Patience::all, When::now, {}},
      {"has it", plain, &done, false, Patience::all, When::done, {}},
      {"has it, but something else is served", plain, &done, true, Patience::all, When::now, {}},
      {"died before it looked", plain, &unjudged, false, Patience::all, When::now, {}},
      {"died in between", plain, &torn, false, Patience::all, When::now, {}},
      {"failed just now", plain, &failed, false, Patience::all, When::later, noon + 1h},
      {"failed, and nolapse is run", plain, &failed, false, Patience::window, When::now, {}},
      {"was rolled back", plain, &rolled_back, false, Patience::all, When::later, noon + 2h},
      {"was rolled back, and somebody wants it",
       plain,
       &rolled_back,
       false,
       Patience::none,
       When::now,
       {}},
      {"a person took it back", plain, &withdrawn, false, Patience::all, When::withdrawn, {}},
      {"a person took it back, nolapse is run",
       plain,
       &withdrawn,
       false,
       Patience::window,
       When::withdrawn,
       {}},
      {"a person wants it after all", plain, &withdrawn, false, Patience::none, When::now, {}},
      {"outside its window", nightly, &older, false, Patience::all, When::later, tonight},
      {"outside its window, nolapse is run", nightly, &older, false, Patience::window, When::later,
       tonight},
      {"outside its window, somebody wants it",
       nightly,
       &older,
       false,
       Patience::none,
       When::now,
       {}},
      {"failed, and then there is the window", nightly, &failed, false, Patience::all, When::later,
       tonight},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    TargetInput input{row.target, row.record, 2, row.again, row.patience, noon};
    if (row.record != nullptr) input.little_is_left_from = noon + 240h;
    const TargetDue due = target_due(input);
    CHECK(due.when == row.when);
    if (row.when == When::later) CHECK(due.at == row.at);
  }
}

TEST_CASE("a window no longer counts when little is left, and is not waited for beyond that") {
  DeployTarget nightly;
  nightly.window = parse_window("02:00-05:00");
  const DeploymentRecord older = record(Stage::verified, 1);
  TargetInput input{nightly, &older, 2, false, Patience::all, noon};
  input.little_is_left_from = noon + 3h;
  CHECK(target_due(input).at == noon + 3h);
  CHECK(target_due(input).for_window);
  input.little_is_left_from = noon;
  CHECK(target_due(input).when == When::now);
}

TEST_CASE("what a target had is remembered until the next one is seen to work") {
  const DeploymentRecord verified = record(Stage::verified, 1);
  DeploymentRecord begun = begin_deployment(&verified, 2);
  CHECK(begun.former == 1);
  begun.stage = Stage::failed;
  CHECK(generation_at(begun) == 1);
  CHECK(begin_deployment(&begun, 2).former == 1);
  CHECK(begin_deployment(&begun, 3).former == 1);
  begun.stage = Stage::reloaded;
  CHECK(generation_at(begun) == 2);
  CHECK(begin_deployment(&begun, 3).former == 2);
  CHECK(begin_deployment(&begun, 2).former == 1);
  begun.stage = Stage::verified;
  CHECK(begin_deployment(&begun, 3).former == 2);
  CHECK(begin_deployment(&begun, 2).former == 0);
  CHECK(begin_deployment(nullptr, 2).former == 0);
  const DeploymentRecord back = record(Stage::rolled_back, 1);
  CHECK(begin_deployment(&back, 2).former == 1);
  CHECK(begin_deployment(&back, 1).former == 0);
}

TEST_CASE("only what is worse than before at the same address counts as worse") {
  struct Row {
    std::optional<Service> before;
    std::optional<Service> now;
    bool worse;
  };
  const Row rows[] = {
      {Service::good, Service::good, false},
      {Service::good, Service::not_trusted, true},
      {Service::good, Service::expired, true},
      {Service::good, Service::no_handshake, true},
      {Service::good, {}, false},
      {{}, Service::no_handshake, false},
      {Service::expired, Service::good, false},
      {Service::expired, Service::expired, false},
      {Service::not_trusted, Service::expired, true},
      {Service::no_handshake, Service::no_handshake, false},
  };
  for (const Row& row : rows) {
    CHECK_FALSE(made_worse({state("a:443", row.before)}, {state("a:443", row.now)}).empty() ==
                row.worse);
  }
  CHECK(made_worse({state("a:443", Service::good)}, {state("b:443", Service::expired)}).empty());
  CHECK(made_worse({}, {state("b:443", Service::no_handshake)}).empty());
  CHECK(made_worse({state("a:443", Service::good)}, {state("a:443", Service::expired)}) ==
        "a:443: detail");
}

TEST_CASE("what nobody reached before a deployment is not waited for as long as what is wrong") {
  struct Row {
    std::optional<Verdict> before;
    Verdict now;
    bool wait;
  };
  const Row rows[] = {
      {Verdict::ok, Verdict::ok, false},
      {Verdict::ok, Verdict::wrong, true},
      {Verdict::ok, Verdict::unreachable, true},
      {Verdict::wrong, Verdict::unreachable, true},
      {Verdict::unreachable, Verdict::unreachable, false},
      {Verdict::unreachable, Verdict::wrong, true},
      {{}, Verdict::unreachable, false},
      {{}, Verdict::expired, true},
  };
  for (const Row& row : rows) {
    EndpointState then = state("a:443", {});
    EndpointState now = then;
    if (row.before) then.verdict = *row.before;
    now.verdict = row.now;
    std::vector<EndpointState> before;
    if (row.before) before.push_back(then);
    CHECK(may_change(before, {now}) == row.wait);
  }
}

TEST_CASE("a run that ended before anybody looked leaves no measure of what was there before") {
  for (const Stage stage : {Stage::installed, Stage::reloaded, Stage::failed}) {
    DeploymentRecord left = record(stage, 2);
    CHECK_FALSE(was_left_unjudged(left));  // there is nothing to go back to
    left.former = 1;
    CHECK(was_left_unjudged(left));
    left.judged = true;
    CHECK_FALSE(was_left_unjudged(left));
  }
}

TEST_CASE("a newer one is left alone, unless it is one of ours before, or revoked") {
  EndpointState newer = state("a:443", Service::good);
  newer.newer = true;
  newer.fingerprint_sha256 = "new";
  const EndpointState other = state("b:443", Service::good);
  CHECK(newer_one({other}, {}, {}) == nullptr);
  CHECK(newer_one({}, {}, {}) == nullptr);
  const std::vector<EndpointState> both{other, newer};
  CHECK(newer_one(both, {"old"}, {}) == &both.back());
  CHECK(newer_one(both, {"old", "new"}, {}) == nullptr);
  CHECK(newer_one(both, {}, SavedRevocation{"new", {noon, "superseded"}}) == nullptr);
  CHECK(newer_one(both, {}, SavedRevocation{"old", {noon, "superseded"}}) == &both.back());
}

TEST_CASE("nobody goes back to what is expired or revoked") {
  const SavedRevocation revocation{"bad", {noon, "superseded"}};
  CHECK(unfit_to_go_back_to(generation(1, noon + 1h), {}, noon).empty());
  CHECK(unfit_to_go_back_to(generation(1, noon), {}, noon) ==
        "generation 1 expired on 2026-11-23T12:00:00Z");
  CHECK(unfit_to_go_back_to(generation(1, noon + 1h, "bad"), revocation, noon) ==
        "generation 1: the CA has revoked it (superseded)");
  CHECK(unfit_to_go_back_to(generation(1, noon + 1h, "good"), revocation, noon).empty());
}

TEST_CASE("endpoints are to serve what targets are meant to have, the newest first") {
  Config config;
  config.targets["a"].window = parse_window("02:00-05:00");
  config.targets["b"];
  CertificateSpec spec;
  const auto to_serve = [&](const DeploymentRecords& records, unsigned newest, Time now = noon) {
    return generations_to_serve(spec, config, records, newest, now);
  };
  using Numbers = std::vector<unsigned>;
  CHECK(to_serve({}, 2) == Numbers{2});
  spec.deploy = {"a", "b"};
  DeploymentRecord waits = record(Stage::verified, 1);
  waits.next_attempt = noon + 1h;
  DeploymentRecord withdrawn = record(Stage::verified, 1);
  withdrawn.withdrawn = 2;
  const DeploymentRecord has_newest = record(Stage::verified, 2);
  CHECK(to_serve({}, 2) == Numbers{2});
  CHECK(to_serve({{"a", waits}, {"b", withdrawn}}, 2) == Numbers{1});
  CHECK(to_serve({{"a", waits}, {"b", withdrawn}}, 3) == Numbers{3, 1});
  CHECK(to_serve({{"a", waits}, {"b", withdrawn}}, 2, noon + 1h) == Numbers{2, 1});
  CHECK(to_serve({{"a", waits}, {"b", has_newest}}, 2) == Numbers{2, 1});
  CHECK(to_serve({{"a", waits}}, 2) == Numbers{2, 1});
  // No window: what it waits for is another attempt.
  CHECK(to_serve({{"a", has_newest}, {"b", waits}}, 2) == Numbers{2});
  // Meant to have it, whether it came there or not.
  withdrawn.stage = Stage::failed;
  withdrawn.former = 2;
  CHECK(to_serve({{"a", withdrawn}, {"b", withdrawn}}, 2) == Numbers{1});
}

TEST_CASE("what is left is what a target has and is not meant to have any more") {
  Config config;
  config.targets["a"].window = parse_window("02:00-05:00");
  config.targets["b"];
  CertificateSpec spec;
  spec.deploy = {"a", "b"};
  const auto left = [&](const DeploymentRecord& a, const DeploymentRecord& b) {
    return generations_left(spec, config, {{"a", a}, {"b", b}}, 2, noon);
  };
  using Numbers = std::vector<unsigned>;
  const DeploymentRecord good = record(Stage::verified, 2);
  DeploymentRecord waits = record(Stage::verified, 1);
  waits.next_attempt = noon + 1h;
  DeploymentRecord failed = record(Stage::failed, 2);
  CHECK(left(good, good) == Numbers{});
  CHECK(left(waits, good) == Numbers{});
  CHECK(left(good, failed) == Numbers{});  // it had nothing
  failed.former = 1;
  CHECK(left(good, failed) == Numbers{1});
  CHECK(left(good, record(Stage::rolled_back, 1)) == Numbers{1});
  DeploymentRecord back = record(Stage::failed, 1);
  back.former = 2;
  back.withdrawn = 2;
  CHECK(left(good, back) == Numbers{2});
}

TEST_CASE("a way back that did not come to a target is finished") {
  CertificateSpec spec;
  spec.deploy = {"a", "b"};
  struct Row {
    std::string what;
    Stage stage;
    unsigned generation;
    unsigned withdrawn;
    unsigned wanted;
  };
  const Row rows[] = {
      {"it is there", Stage::verified, 1, 2, 0},
      {"the hook failed", Stage::failed, 1, 2, 1},
      {"a run ended in the middle", Stage::installed, 1, 2, 1},
      {"nobody went back", Stage::failed, 1, 0, 0},
      {"there is a newer one by now", Stage::failed, 1, 3, 0},
      {"it made things worse and was taken back itself", Stage::rolled_back, 2, 2, 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    DeploymentRecord b = record(row.stage, row.generation);
    b.withdrawn = row.withdrawn;
    DeploymentRecord a = record(Stage::verified, 1);
    a.withdrawn = 2;
    CHECK(way_back_to_finish(spec, {{"a", a}, {"b", b}}, 2) == row.wanted);
  }
}

TEST_CASE("after a roll-back the next attempt is hours away, and a day at most") {
  CHECK(next_deployment_after_rollback(1, noon, 500) == noon + 1h);
  CHECK(next_deployment_after_rollback(3, noon, 500) == noon + 4h);
  CHECK(next_deployment_after_rollback(100, noon, 500) == noon + 24h);
  CHECK(next_deployment_after_rollback(100, noon, 1000) <= noon + longest_deployment_pause);
}
