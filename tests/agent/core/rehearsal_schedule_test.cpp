// When to rehearse, and what an old result is worth, as tables.
#include "agent/core/rehearsal_schedule.h"

#include <doctest/doctest.h>

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

constexpr Duration day = 24h;
const Time issued = *acme::parse_rfc3339("2026-11-23T09:00:00Z");

Generation generation_of(Duration lifetime) {
  acme::Certificate leaf;
  leaf.not_before = issued;
  leaf.not_after = issued + lifetime;
  Generation generation;
  generation.chain = {leaf};
  generation.ca_directory = "https://ca/directory";
  generation.issued_at = issued;
  return generation;
}

CaConfig ca_at(const std::string& directory) {
  CaConfig ca;
  ca.name = "ca";
  ca.directory = directory;
  ca.staging = "https://staging/directory";
  return ca;
}

RehearsalRecord record_at(Time at, RehearsalResult result = RehearsalResult::passed) {
  RehearsalRecord record;
  record.at = at;
  record.result = result;
  record.configuration = "digest";
  record.staging = "https://staging/directory";
  record.failures = result == RehearsalResult::failed ? 1 : 0;
  record.jitter = 500;  // neither early nor late
  return record;
}

// Ninety days, renewed after sixty, rehearsed every week; the daemon has run since the beginning.
struct Scene {
  CaConfig ca = ca_at("https://ca/directory");
  Generation newest = generation_of(90 * day);
  std::optional<RehearsalRecord> last;
  std::string configuration = "digest";
  std::optional<Time> renews_at = issued + 60 * day;
  Duration interval = 7 * day;
  Time since = issued;
  Time now = issued + 20 * day;
  std::uint64_t random = 0;

  std::optional<Time> next() const {
    return next_rehearsal({ca, &newest, last ? &*last : nullptr, configuration, renews_at, interval,
                           since, now, random});
  }
};

}  // namespace

TEST_CASE("a result is followed by the next rehearsal an interval later, give or take a quarter") {
  struct Row {
    unsigned jitter;
    Duration later;
  };
  for (const Row& row : {Row{0, 7 * day * 3 / 4}, Row{500, 7 * day}, Row{1000, 7 * day * 5 / 4}}) {
    CAPTURE(row.jitter);
    Scene scene;
    scene.last = record_at(issued + 19 * day);
    scene.last->jitter = row.jitter;
    CHECK(scene.next() == issued + 19 * day + row.later);
    scene.last->result = RehearsalResult::partial;
    CHECK(scene.next() == issued + 19 * day + row.later);
  }
}

TEST_CASE("the first rehearsal comes some time after the first certificate") {
  Scene scene;
  scene.now = issued;
  CHECK(scene.next() == issued + 7 * day / 100);
  // On a host that was there before: within ten minutes, not in the same moment on all of them.
  scene.since = scene.now = issued + 20 * day;
  CHECK(scene.next() == scene.since);
  scene.random = 999;
  CHECK(scene.next() == scene.since + 599'400ms);
}

TEST_CASE("a failure is followed an hour later, doubling up to a day or the interval") {
  struct Row {
    int failures;
    Duration interval;
    Duration later;
  };
  const Row rows[] = {{1, 7 * day, 1h},  {2, 7 * day, 2h},     {5, 7 * day, 16h},
                      {6, 7 * day, 24h}, {1000, 7 * day, 24h}, {3, 2h, 2h}};
  for (const Row& row : rows) {
    CAPTURE(row.failures);
    Scene scene;
    scene.interval = row.interval;
    scene.last = record_at(issued + 20 * day, RehearsalResult::failed);
    scene.last->failures = row.failures;
    CHECK(scene.next() == issued + 20 * day + row.later);
  }
}

TEST_CASE("what was rehearsed for something else is rehearsed at once") {
  Scene scene;
  scene.since = issued + 20 * day;
  SUBCASE("another configuration") {
    scene.last = record_at(issued + 19 * day), scene.configuration = "other";
  }
  SUBCASE("another staging directory") {
    scene.last = record_at(issued + 19 * day), scene.ca.staging.clear();
  }
  SUBCASE("by a clock that was ahead") {
    scene.last = record_at(issued + 50 * day);
  }
  CHECK(scene.next() == scene.since);
  scene.random = 500;
  CHECK(scene.next() == scene.since + 5min);
}

TEST_CASE("once more in the days before the renewal, scaled with the lifetime") {
  struct Row {
    Duration lifetime;
    Duration earliest, latest;  // before the renewal
  };
  const Row rows[] = {
      {90 * day, 6 * day, 3 * day}, {45 * day, 3 * day, 36h}, {398 * day, 14 * day, 7 * day}};
  for (const Row& row : rows) {
    CAPTURE(row.lifetime.count());
    Scene scene;
    scene.newest = generation_of(row.lifetime);
    scene.interval = 30 * day;
    scene.renews_at = issued + row.lifetime * 2 / 3;
    scene.last = record_at(*scene.renews_at - row.earliest - day);
    scene.now = scene.last->at;
    for (const unsigned jitter : {0U, 999U}) {
      scene.last->jitter = jitter;
      const auto next = scene.next();
      REQUIRE(next.has_value());
      CHECK(*next >= *scene.renews_at - row.earliest);
      CHECK(*next <= *scene.renews_at - row.latest);
    }
    // And not a second time.
    scene.last = record_at(*scene.renews_at - row.earliest);
    scene.now = scene.last->at;
    CHECK(*scene.next() > *scene.renews_at);
  }
}

TEST_CASE("there is no rehearsal where the renewal itself shows more") {
  Scene scene;
  SUBCASE("it is due") {
    scene.renews_at.reset();
  }
  SUBCASE("it is due since yesterday") {
    scene.renews_at = scene.now - day;
  }
  SUBCASE("it comes every few days") {
    scene.newest = generation_of(6 * day);
  }
  SUBCASE("rehearsals are switched off") {
    scene.interval = Duration{0};
  }
  CHECK_FALSE(scene.next().has_value());
}

TEST_CASE("the fallback CA of a certificate that lives for six days is rehearsed all the same") {
  Scene scene;
  scene.newest = generation_of(6 * day);
  scene.ca = ca_at("https://fallback/directory");
  scene.now = issued + 1h;
  scene.renews_at = issued + 3 * day;
  scene.last = record_at(issued);
  CHECK(*scene.next() <= issued + 3 * day);
}

TEST_CASE("under ten days the last renewal counts as the rehearsal at its CA") {
  const Generation newest = generation_of(6 * day);
  const CaConfig ca = ca_at("https://ca/directory");
  CHECK(counted_rehearsal({}, ca, &newest)->at == issued);
  CHECK(counted_rehearsal({}, ca, &newest)->result == RehearsalResult::passed);
  CHECK_FALSE(counted_rehearsal({}, ca_at("https://fallback/directory"), &newest).has_value());
  const RehearsalRecords later{{"ca", record_at(issued + 1h, RehearsalResult::failed)}};
  CHECK(counted_rehearsal(later, ca, &newest)->result == RehearsalResult::failed);
  const RehearsalRecords earlier{{"ca", record_at(issued - 1h, RehearsalResult::failed)}};
  CHECK(counted_rehearsal(earlier, ca, &newest)->result == RehearsalResult::passed);
  const Generation longer = generation_of(90 * day);
  CHECK_FALSE(counted_rehearsal({}, ca, &longer).has_value());
  CHECK_FALSE(counted_rehearsal({}, ca, nullptr).has_value());
}

TEST_CASE("a result turns yellow after one and a half intervals and red after three") {
  struct Row {
    Duration age;
    RehearsalAge judged;
  };
  const Row rows[] = {{0h, RehearsalAge::green},     {252h - 1ms, RehearsalAge::green},
                      {252h, RehearsalAge::yellow},  {21 * day - 1ms, RehearsalAge::yellow},
                      {21 * day, RehearsalAge::red}, {-30min, RehearsalAge::green},
                      {-2h, RehearsalAge::yellow}};
  for (const Row& row : rows) {
    CAPTURE(row.age.count());
    CHECK(rehearsal_age(issued, 7 * day, issued + row.age) == row.judged);
  }
}

TEST_CASE("what lives shorter is rehearsed at least twice in its life") {
  const Generation six = generation_of(6 * day);
  const Generation ninety = generation_of(90 * day);
  CHECK(rehearsal_interval(7 * day, &six.leaf()) == 3 * day);
  CHECK(rehearsal_interval(7 * day, &ninety.leaf()) == 7 * day);
  CHECK(rehearsal_interval(7 * day, nullptr) == 7 * day);
}
